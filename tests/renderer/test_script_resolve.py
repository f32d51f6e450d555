"""From a script to a film: the cascade, the defaults, the names that must exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_core.backend import Size
from avatar_core.errors import InputError
from renderer.film import Film, Presenter
from renderer.script.models import Captions, Padding, Scene, VideoScript
from renderer.script.resolve import ResolveDefaults, load_film, scene_ids
from renderer.script.rules import MAX_CHARACTERS, scene_range
from support_script import DEFAULTS, PNG, film_of, refused


def film(script: dict[str, Any], **defaults: Any) -> Film:
    return load_film(script, defaults=ResolveDefaults(**defaults))


def one(scene: dict[str, Any], **script: Any) -> Film:
    return film({"scenes": [{"text": "a", **scene}], **script})


def presenter(scene: dict[str, Any], **script: Any) -> Presenter | None:
    return one(scene, **script).scenes[0].presenter


def test_a_bare_text_becomes_a_film_with_every_default() -> None:
    result = one({})
    scene = result.scenes[0]
    assert (result.size, result.fps, result.quality) == (Size(1080, 1920), 30, "standard")
    assert (result.language, result.loudness, result.warnings) == ("en-US", -14.0, ())
    assert (scene.id, scene.index, scene.presenter) == ("scene-1", 0, None)
    assert (scene.background.type, scene.background.src) == ("color", "#16202b")
    assert (scene.captions, scene.transition, scene.padding) == (Captions(), None, Padding())
    assert scene.speech.engines == ()


@pytest.mark.parametrize(
    ("output", "size", "fps"),
    [
        ({"preset": "tiktok"}, (1080, 1920), 30),
        ({"preset": "youtube"}, (1920, 1080), 30),
        ({"preset": "square", "fps": 25}, (1080, 1080), 25),
        ({"preset": "draft"}, (540, 960), 15),
        ({"size": "640x360"}, (640, 360), 30),
        ({"preset": "draft", "size": "641x361"}, (640, 360), 15),
        ({"aspect_ratio": "4:5"}, (1080, 1350), 30),
        ({"aspect_ratio": "16:9"}, (1920, 1080), 30),
        ({"aspect_ratio": "9:16", "preset": "draft"}, (540, 960), 15),
    ],
)
def test_the_picture_has_the_size_that_is_asked(
    output: dict[str, Any], size: tuple[int, int], fps: int
) -> None:
    result = one({}, output=output)
    assert (result.size, result.fps) == (size, fps)


@given(st.integers(16, 7680), st.integers(16, 7680))
def test_every_size_is_even(width: int, height: int) -> None:
    result = one({}, output={"size": f"{width}x{height}"})
    assert (result.size.width % 2, result.size.height % 2) == (0, 0)
    assert bool(result.warnings) == (width % 2 + height % 2 > 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("output: {preset: shrots}", "there is no preset \"shrots\". Did you mean 'shorts'?"),
        ("output: {size: 10x10}", "a film of 10x10 pixels cannot be made."),
        ("output: {size: 99999x100}", "Each side may have 16 to 7680 pixels."),
        ("output: {aspect_ratio: 0:1}", "output.aspect_ratio: a film of 0x0 pixels"),
        ("output: {aspect_ratio: 1:999}", "cannot be made"),
        ("output: {aspect_ratio: 1:1, size: 64x64}", "Keep one of them."),
        ("avatar: {backend: colb}", "film.yaml:1: avatar.backend: there is no avatar backend "
         "\"colb\". Did you mean 'colab'? Known: colab, puppet, static."),
        ("avatar: {fallback: [puppet, stat]}", 'avatar.fallback[1]: there is no avatar backend'),
        ("avatar: {options: {colba: {}}}", "avatar.options.colba: there is no avatar backend"),
        ("avatar: {layout: circel}", 'Did you mean "circle"?'),
        ("voice: {engine: espaek}", "voice.engine: there is no speech engine"),
        ("voice: {fallback: [x]}", "voice.fallback[0]: there is no speech engine"),
        ("transition: {type: fdae}", "there is no transition \"fdae\". Did you mean 'fade'?"),
        ("pronunciations: {x: '!'}", "a pronunciation needs a written word and a spoken form."),
    ],
)  # fmt: skip
def test_an_unknown_name_is_told_with_the_nearest(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path, f"{text}\nscenes: [{{text: a}}]")


@pytest.mark.parametrize(
    ("scene", "said"),
    [
        ("{text: a, speaker: lam}", "film.yaml:3: scenes[0].speaker: there is no speaker \"lam\". "
         "Did you mean 'lan'?"),
        ("{text: 😀😀}", "there is nothing to speak: no letter and no digit."),
        ("{text: '...'}", "Write some words, or give the scene a \"duration\""),
        ("{text: ''}", "scenes[0].text: there is nothing to speak."),
        ("{text: '<break time=\"1s\"/>'}", "there is nothing to speak."),
        ("{text: 'a <brek/>'}", "film.yaml:3: scenes[0].text: Unknown tag <brek/>."),
        (f"{{text: '{'a' * (MAX_CHARACTERS + 1)}'}}", "50,001 characters are too many"),
        ("{text: a, visual: 3}", "scenes[0].visual: a visual is a MoviePy clip"),
        ("{duration: 1, overlays: [{type: text, text: a, start: 2, end: 1}]}", "before it starts"),
        ("{duration: 1, overlays: [{type: text, text: ' '}]}", "overlays[0].text: this is empty."),
    ],
)  # fmt: skip
def test_a_wrong_scene_is_told_with_its_line(tmp_path: Path, scene: str, said: str) -> None:
    assert said in refused(tmp_path, f"speakers:\n  lan: {{}}\nscenes: [{scene}]")


def test_a_long_narration_and_one_that_is_spoken_by_its_alias_are_fine() -> None:
    result = film({"scenes": [{"text": "word " * 2000}, {"text": '<sub alias="smile">😀</sub>'}]})
    assert len(result.scenes[0].text or "") == 10_000


def test_two_scenes_of_one_id_are_refused_with_both_lines(tmp_path: Path) -> None:
    said = refused(tmp_path, "scenes:\n- {id: a, text: a}\n- text: b\n- {id: a, text: c}\n")
    assert said.startswith('film.yaml:4: scenes[2].id: the id "a" is already used in line 2.')
    with pytest.raises(InputError, match=r"already used scenes\[0\]\.id"):
        film({"scenes": [{"id": "a", "text": "a"}] * 2})


def test_every_scene_has_an_id_of_its_own() -> None:
    scenes = [Scene(text="a", id="scene-2"), Scene(text="a"), Scene(text="a", id="scene-2-2")]
    assert scene_ids(scenes) == ["scene-2", "scene-2-3", "scene-2-2"]


@given(st.lists(st.sampled_from([None, "scene-1", "scene-2", "scene-2-2", "x"]), max_size=9))
def test_ids_never_collide(given_ids: list[str | None]) -> None:
    unique = [n for i, n in enumerate(given_ids) if n is None or n not in given_ids[:i]]
    ids = scene_ids([Scene(text="a", id=name) for name in unique])
    assert len(set(ids)) == len(ids)
    assert all(name in (None, found) for name, found in zip(unique, ids, strict=True))


def test_the_nearer_setting_wins(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    result = film_of(
        tmp_path,
        """
        language: vi-VN
        avatar: {backend: colab, layout: corner, scale: 0.2, options: {colab: {x: 1, y: 1}}}
        voice: {engine: espeak, speed: 0.8, fallback: [hibari]}
        captions: {style: box, max_words: 3}
        padding: {before: 1, after: 2}
        transition: {type: wipeleft, duration: 1}
        background: teal
        speakers:
          lan:
            portrait: a.png
            voice: {speed: 1.2}
            avatar: {layout: circle, options: {colab: {y: 2}}}
        scenes:
          - {text: a, speaker: lan}
          - text: b
            speaker: lan
            avatar: {scale: 0.5, fallback: [puppet, colab], options: {colab: {x: 3}}}
            captions: {position: top}
            padding: {after: 0}
            transition: {duration: 0.5}
            background: gold
          - {text: c, captions: false, transition: {type: none}}
        """,
    )
    first, second, third = result.scenes
    assert first.presenter == Presenter(
        "lan", tmp_path / "a.png", ("colab",), "circle", "bottom-right", 0.2,
        {"colab": {"x": 1, "y": 2}},
    )  # fmt: skip
    assert second.presenter is not None
    assert second.presenter.backends == ("colab", "puppet")
    assert (second.presenter.layout, second.presenter.scale) == ("circle", 0.5)
    assert second.presenter.options == {"colab": {"x": 3, "y": 2}}
    assert (first.speech.engines, first.speech.voice.speed) == (("espeak", "hibari"), 1.2)
    assert (third.speech.voice.speed, third.speech.voice.language) == (0.8, "vi-VN")
    assert second.captions == Captions(style="box", max_words=3, position="top")
    assert second.padding == Padding(before=1, after=0)
    assert second.transition is not None
    assert (second.transition.type, second.transition.duration) == ("wipeleft", 0.5)
    assert [scene.background.src for scene in result.scenes] == ["#008080", "#ffd700", "#008080"]
    assert (third.presenter, third.captions, third.transition) == (None, None, None)


@pytest.mark.parametrize(
    ("film_wide", "own", "expected"),
    [
        (None, None, Padding(before=0, after=0)),
        ({"before": 1, "after": 2, "between": 3}, None, Padding(before=0, after=0, between=3)),
        ({"before": 1, "after": 2}, {"after": 0.5}, Padding(before=0, after=0.5)),
    ],
)
def test_a_scene_with_a_duration_is_as_long_as_it_says(
    film_wide: dict[str, float] | None, own: dict[str, float] | None, expected: Padding
) -> None:
    scene = {"duration": 2, **({"padding": own} if own else {})}
    more = {"padding": film_wide} if film_wide else {}
    assert film({"scenes": [scene], **more}).scenes[0].padding == expected


def test_a_scene_may_switch_captions_on_again() -> None:
    assert one({"captions": True}, captions=False).scenes[0].captions == Captions()
    assert one({}, captions=False).scenes[0].captions is None
    assert one({"captions": {"max_words": 2}}, captions=False).scenes[0].captions == Captions(
        max_words=2
    )


SPEAKERS = {"speakers": {"lan": {}}}


@pytest.mark.parametrize(
    ("scene", "script", "layout"),
    [
        ({"speaker": "lan"}, SPEAKERS, "full"),
        ({"speaker": "lan", "background": "teal"}, SPEAKERS, "circle"),
        ({"speaker": "lan"}, {**SPEAKERS, "background": "teal"}, "circle"),
        ({"speaker": "lan", "visual": lambda seconds: seconds}, SPEAKERS, "circle"),
        ({"speaker": "lan", "avatar": {"layout": "none"}}, SPEAKERS, None),
        ({"speaker": "lan"}, {**SPEAKERS, "avatar": {"layout": "none"}}, None),
        ({"speaker": "lan", "text": None, "duration": 2}, SPEAKERS, None),
        ({}, {**SPEAKERS, "avatar": {"backend": "colab"}}, None),
        ({}, {"avatar": {"portrait": "a.png"}}, "full"),
        ({"avatar": {"layout": "corner"}}, {}, "corner"),
        ({"avatar": {"options": {}}}, {}, None),
    ],
)
def test_who_is_seen_and_how(
    scene: dict[str, Any], script: dict[str, Any], layout: str | None
) -> None:
    seen = presenter(scene, **script)
    assert (seen.layout if seen else None) == layout


def test_the_split_layout_follows_the_shape_of_the_frame() -> None:
    split = {"avatar": {"layout": "split"}}
    upright = presenter(split)
    wide = presenter(split, output={"preset": "youtube"})
    assert (upright and upright.position, wide and wide.position) == ("top", "right")


def test_a_presenter_without_a_portrait_is_a_warning() -> None:
    result = film({**SPEAKERS, "scenes": [{"text": "a", "speaker": "lan"}] * 2})
    assert result.warnings == (
        "speakers.lan: there is no portrait, so a card with the name is shown. "
        "Give a portrait, or layout: none for a voice alone.",
    )


def test_the_settings_fill_what_the_script_leaves_open() -> None:
    script = {"scenes": [{"text": "a", "avatar": {"layout": "full"}}]}
    defaults: dict[str, Any] = {
        "backend": "colab", "fallback": ("puppet",), "preset": "youtube", "quality": "high",
        "engine": "edge", "engine_fallback": ("espeak", "edge"), "voice": "anna", "language": "vi",
    }  # fmt: skip
    result = film(script, **defaults)
    scene = result.scenes[0]
    assert scene.presenter is not None
    assert scene.presenter.backends == ("colab", "puppet")
    assert (result.size, result.quality, result.language) == ((1920, 1080), "high", "vi")
    assert scene.speech.engines == ("edge", "espeak")
    assert (scene.speech.voice.id, scene.speech.voice.language) == ("anna", "vi")
    draft = film({**script, "output": {"preset": "draft"}, "language": "en"}, **defaults)
    assert (draft.quality, draft.language) == ("draft", "en")
    other = film({**script, "voice": {"engine": "hibari"}}, **defaults).scenes[0].speech
    assert (other.engines, other.voice.id) == (("hibari", "espeak", "edge"), None)
    still = film(script, **defaults, only_backend="static", only_fallback=()).scenes[0].presenter
    assert still is not None and still.backends == ("static",)
    named = {"scenes": [{"text": "a", "avatar": {"backend": "did", "fallback": ["colab"]}}]}
    told = film(named, only_backend="puppet").scenes[0].presenter
    assert told is not None and told.backends == ("puppet", "colab")


def test_what_this_render_was_told_overrules_the_scripts_output() -> None:
    script = {
        "scenes": [{"text": "a"}],
        "output": {"size": "640x360", "fps": 50, "quality": "high"},
    }
    draft = film(script, preset="draft", only_preset="draft")
    assert (draft.size, draft.fps, draft.quality) == (Size(540, 960), 15, "draft")
    quick = film(script, quality="draft", only_quality="draft")
    assert (quick.size, quick.fps, quick.quality) == (Size(640, 360), 50, "draft")
    with pytest.raises(InputError, match="there is no preset 'shrots'"):
        film(script, preset="shrots", only_preset="shrots")


def test_an_unknown_preset_in_the_settings_is_told() -> None:
    with pytest.raises(InputError, match="there is no preset 'shrots'"):
        one_with = film({"scenes": [{"text": "a"}]}, preset="shrots")
        del one_with


@pytest.mark.parametrize(
    ("text", "span"), [("2", (2, 2)), ("1-3", (1, 3)), ("2-", (2, 5)), ("0-9", (0, 9))]
)
def test_scenes_of_the_music_are_counted_from_one(text: str, span: tuple[int, int]) -> None:
    assert scene_range(text, 5) == span


@pytest.mark.parametrize("scenes", ["0", "2", "1-2", "2-", "000001-000000"])
def test_music_under_scenes_that_do_not_exist_is_refused(tmp_path: Path, scenes: str) -> None:
    said = refused(tmp_path, f"music: {{src: a.mp3, scenes: '{scenes}'}}\nscenes: [{{text: a}}]")
    assert f'"{scenes}" does not fit: the film has scenes 1 to 1.' in said


def test_a_python_script_keeps_its_cascade_and_its_visual() -> None:
    def visual(seconds: float) -> float:
        return seconds

    script = VideoScript(
        padding=Padding(before=3),
        scenes=(Scene(text="a", padding=Padding(after=1), visual=visual),),
    )
    scene = load_film(script, defaults=DEFAULTS).scenes[0]
    assert scene.padding == Padding(before=3, after=1)
    assert scene.visual is visual
