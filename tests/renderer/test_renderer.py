"""A script goes in, a finished film comes out, whatever the backends do."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pysubs2
import pytest
from PIL import Image

from avatar_core.errors import AvatarError, Cancelled, Category, EnvironmentFault, InputError
from avatar_core.events import (
    AttemptEnded,
    Event,
    RenderFailed,
    SceneFinished,
    StageProgress,
    Warned,
)
from avatar_core.ffmpeg import run_ffmpeg
from renderer.renderer import SmartVideoRenderer
from renderer.script.models import (
    Avatar,
    Captions,
    ImageOverlay,
    Limits,
    Output,
    Position,
    Scene,
    Speaker,
    TextOverlay,
    Transition,
    VideoScript,
    Watermark,
)
from support_films import (
    SMALL,
    MovingBackend,
    PaidBackend,
    UploadingBackend,
    decoded,
    draw_portrait,
    fails,
    film_of_tones,
    stream_ends,
    when,
    write_clicks,
    write_tone,
)


@pytest.fixture
def renderer_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes renderers that share one cache and read no settings of this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AVATAR_CACHE_DIR", str(tmp_path / "cache"))
    # A busy machine may leave a check unanswered for a while.
    monkeypatch.setenv("AVATAR_DEADLINE__CHECK", "100")
    return SmartVideoRenderer


def test_a_film_has_every_scene_in_picture_sound_and_captions(
    renderer_of: Any, tmp_path: Path
) -> None:
    result = renderer_of(MovingBackend()).render(film_of_tones(tmp_path, 3), tmp_path / "out.mp4")
    assert [scene.backend for scene in result.scenes] == ["moving"] * 3
    assert not result.degraded
    picture, sound = stream_ends(result.path)
    assert abs(picture - sound) <= 1 / SMALL.fps  # type: ignore[operator]
    assert len(decoded(result.path)) == round(result.seconds * 15)
    assert [path.suffix for path in result.captions] == [".srt", ".vtt"]
    assert all("Scene number 3" in path.read_text() for path in result.captions)
    said = run_ffmpeg(["-v", "warning", "-i", str(result.path), "-f", "null", "-"])
    assert said == "", "it decodes without a warning"


def test_captions_of_a_hundred_short_scenes_start_within_a_frame_of_their_narration(
    renderer_of: Any, tmp_path: Path
) -> None:
    script = film_of_tones(tmp_path, 100, seconds=0.31)
    result = renderer_of("static").render(script, tmp_path / "long.mp4")
    picture, sound = stream_ends(result.path)
    assert abs(picture - sound) <= 1 / 15
    # 0.1 s of padding before, 0.31 s of sound and 0.2 s after are 2 + 5 + 3 frames at 15 fps.
    starts = [line.start / 1000 for line in pysubs2.load(str(result.captions[0]))]
    assert len(starts) == 100
    for i, start in enumerate(starts):
        assert abs(start - (i * 10 + 2) / 15) <= 1 / 15


def test_a_scene_whose_backend_fails_falls_back_alone_and_says_why(
    renderer_of: Any, tmp_path: Path
) -> None:
    failing = MovingBackend(plan=[None, fails(Category.UNSUPPORTED, "no face found"), None])
    events: list[Event] = []
    renderer = renderer_of(failing, workers=1, on_event=events.append)
    result = renderer.render(film_of_tones(tmp_path, 3), tmp_path / "out.mp4")
    assert [scene.backend for scene in result.scenes] == ["moving", "static", "moving"]
    assert [scene.degraded for scene in result.scenes] == [False, True, False]
    assert result.degraded
    first, second = result.scenes[1].trail
    assert (first.backend, first.category) == ("moving", Category.UNSUPPORTED)
    assert "no face found" in first.message and first.advice
    assert (second.backend, second.category) == ("static", None)
    told = [e for e in events if isinstance(e, AttemptEnded) and e.scene == "s2"]
    assert [e.category for e in told if e.kind == "avatar"] == [Category.UNSUPPORTED, None]


def test_a_backend_without_credit_is_not_asked_again_in_this_film(
    renderer_of: Any, tmp_path: Path
) -> None:
    failing = MovingBackend(plan=[None, fails(Category.QUOTA, "no credit left")])
    renderer = renderer_of(failing, workers=1)
    result = renderer.render(film_of_tones(tmp_path, 4), tmp_path / "out.mp4")
    assert [scene.backend for scene in result.scenes] == ["moving", *["static"] * 3]
    assert len(failing.calls) == 2
    (skipped, _) = result.scenes[3].trail
    assert skipped.skipped and "closed for this run: no credit left" in skipped.message


def test_a_bug_in_a_backend_costs_one_scene_its_animation_and_nothing_more(
    renderer_of: Any, tmp_path: Path
) -> None:
    buggy = MovingBackend(plan=[ZeroDivisionError("a bug")])
    result = renderer_of(buggy, workers=1).render(film_of_tones(tmp_path, 2), tmp_path / "o.mp4")
    assert [scene.backend for scene in result.scenes] == ["static", "moving"]
    assert result.scenes[0].trail[0].category == Category.BACKEND_BUG


def test_rendering_again_calls_no_backend_and_gives_the_same_bytes(
    renderer_of: Any, tmp_path: Path
) -> None:
    script, backend = film_of_tones(tmp_path, 3), MovingBackend()
    first = renderer_of(backend).render(script, tmp_path / "out.mp4").path.read_bytes()
    again = renderer_of(backend).render(script, tmp_path / "out.mp4")
    assert len(backend.calls) == 3
    assert all(scene.cached for scene in again.scenes)
    assert again.path.read_bytes() == first
    other = renderer_of(backend).render(script, tmp_path / "elsewhere.mp4")
    assert other.path.read_bytes() == first


def test_changing_one_scene_renders_that_scene_and_its_joins_only(
    renderer_of: Any, tmp_path: Path
) -> None:
    script = film_of_tones(tmp_path, 5, transition=Transition(duration=0.2))
    backend = MovingBackend()
    renderer_of(backend).render(script, tmp_path / "out.mp4")
    before = set((tmp_path / "cache").rglob("*.mp4"))
    write_tone(tmp_path / "tone3.wav", 0.7, 500)
    result = renderer_of(backend).render(script, tmp_path / "out.mp4")
    assert len(backend.calls) == 6
    assert [scene.cached for scene in result.scenes] == [True, True, False, True, True]
    new = set((tmp_path / "cache").rglob("*.mp4")) - before
    kinds = sorted(path.relative_to(tmp_path / "cache").parts[1] for path in new)
    assert kinds == ["avatar", "join", "join", "segment"]


def test_a_degraded_scene_is_tried_again_in_the_next_render(
    renderer_of: Any, tmp_path: Path
) -> None:
    script = film_of_tones(tmp_path, 1)
    backend = MovingBackend(plan=[fails(Category.CONNECTIVITY, "the tunnel is down")])
    once = {"retry.attempts": 1, "second_try": False}
    assert renderer_of(backend, overrides=once).render(script, tmp_path / "out.mp4").degraded
    again = renderer_of(backend).render(script, tmp_path / "out.mp4")
    assert again.scenes[0].backend == "moving" and not again.degraded


def test_without_ai_avatars_every_presenter_is_a_still(renderer_of: Any, tmp_path: Path) -> None:
    backend = MovingBackend()
    renderer = renderer_of(backend, use_ai_avatar=False)
    result = renderer.render(film_of_tones(tmp_path, 2), tmp_path / "out.mp4")
    assert [scene.backend for scene in result.scenes] == ["static", "static"]
    assert backend.calls == [] and not result.degraded


def test_a_missing_portrait_becomes_a_drawn_card_with_a_warning(
    renderer_of: Any, tmp_path: Path
) -> None:
    script = film_of_tones(tmp_path, 1)
    (tmp_path / "lan.png").unlink()
    events: list[Event] = []
    renderer = renderer_of("static", on_event=events.append)
    result = renderer.render(script, tmp_path / "out.mp4")
    assert result.scenes[0].backend == "static"
    assert any(isinstance(event, Warned) and "lan.png" in event.message for event in events)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that cannot be read")
def test_a_portrait_that_cannot_be_read_becomes_a_drawn_card(
    renderer_of: Any, tmp_path: Path
) -> None:
    lan = Speaker(portrait=Path("/proc/self/mem"), avatar=Avatar(layout="full"))
    script = film_of_tones(tmp_path, 1).model_copy(update={"speakers": {"lan": lan}})
    result = renderer_of("static").render(script, tmp_path / "out.mp4")
    assert "A drawn card is shown instead." in result.scenes[0].warnings[-1]


@pytest.mark.parametrize(
    ("backend", "limits", "why"),
    [
        (UploadingBackend, Limits(allow_upload=False), "limits.allow_upload"),
        (PaidBackend, Limits(max_cost=1.0), "price is not known"),
    ],
)
def test_a_limit_of_the_film_keeps_a_backend_from_being_called(
    renderer_of: Any, tmp_path: Path, backend: type[MovingBackend], limits: Limits, why: str
) -> None:
    double = backend()
    script = film_of_tones(tmp_path, 1, limits=limits)
    result = renderer_of(double).render(script, tmp_path / "out.mp4")
    assert double.calls == []
    assert result.scenes[0].trail[0].skipped and why in result.scenes[0].trail[0].message


def test_a_chain_tries_its_rungs_in_the_order_given(renderer_of: Any, tmp_path: Path) -> None:
    first = UploadingBackend(plan=[fails(Category.INVALID_INPUT)])
    result = renderer_of([first, MovingBackend()]).render(
        film_of_tones(tmp_path, 1), tmp_path / "out.mp4"
    )
    assert [entry.backend for entry in result.scenes[0].trail] == ["uploading", "moving"]


def test_cancelling_stops_keeps_what_is_finished_and_leaves_no_film(
    renderer_of: Any, tmp_path: Path
) -> None:
    backend = MovingBackend()
    script = film_of_tones(tmp_path, 4)
    cell: list[SmartVideoRenderer] = []
    stop = when(lambda e: isinstance(e, SceneFinished), lambda: cell[0].cancel())
    cell.append(renderer_of(backend, workers=1, on_event=stop))
    with pytest.raises(Cancelled):
        cell[0].render(script, tmp_path / "out.mp4")
    assert [p.name for p in tmp_path.glob("out*")] == []
    calls = len(backend.calls)
    assert calls < 4
    renderer_of(backend).render(script, tmp_path / "out.mp4")
    assert len(backend.calls) == 4


def test_a_cancellation_is_for_one_render(renderer_of: Any, tmp_path: Path) -> None:
    script = film_of_tones(tmp_path, 2)
    renderer = renderer_of("static")
    renderer.cancel()
    with pytest.raises(Cancelled):
        renderer.render(script, tmp_path / "out.mp4")
    assert renderer.render(script, tmp_path / "out.mp4").path.is_file()


def test_ctrl_c_cancels_and_the_renderer_stays_usable(renderer_of: Any, tmp_path: Path) -> None:
    script = film_of_tones(tmp_path, 2)
    ctrl_c = when(
        lambda e: isinstance(e, SceneFinished), lambda: signal.raise_signal(signal.SIGINT)
    )
    renderer = renderer_of("static", on_event=ctrl_c)
    with pytest.raises(Cancelled):
        renderer.render(script, tmp_path / "out.mp4")
    assert renderer.render(script, tmp_path / "out.mp4").path.is_file()


@pytest.mark.parametrize(
    ("output", "kind"), [("out.avi", "input"), ("out.mp4", "backend"), ("out.mp4", "cancelled")]
)
def test_a_listener_hears_how_a_render_ended(
    renderer_of: Any, tmp_path: Path, output: str, kind: str
) -> None:
    heard: list[Event] = []

    class Broken(MovingBackend):
        name = "static"

    broken = Broken(plan=[fails(Category.SERVER, "overloaded")])
    renderer = renderer_of(broken, on_event=heard.append)
    if kind == "cancelled":
        renderer.cancel()
    with pytest.raises((InputError, AvatarError, Cancelled)) as raised:
        renderer.render(film_of_tones(tmp_path, 1), tmp_path / output)
    last = heard[-1]
    assert isinstance(last, RenderFailed)
    assert (last.kind, last.message) == (kind, str(getattr(raised.value, "message", raised.value)))


def removes(folder: Path, stage: str) -> Any:
    """A listener that removes ``folder`` (or a file) when ``stage`` is first heard of."""
    return when(
        lambda e: isinstance(e, StageProgress) and e.stage == stage,
        lambda: shutil.rmtree(folder) if folder.is_dir() else folder.unlink(),
    )


@pytest.mark.skipif(os.name != "posix", reason="open files cannot be removed")
@pytest.mark.parametrize("stage", ["speech", "avatar", "segment", "sound", "film"])
def test_a_cache_folder_that_is_removed_meanwhile_is_told_and_made_anew(
    renderer_of: Any, tmp_path: Path, stage: str
) -> None:
    script = film_of_tones(tmp_path, 2)
    listener = removes(tmp_path / "cache", stage)
    renderer = renderer_of("static", workers=1, on_event=listener)
    with pytest.raises(EnvironmentFault, match="was removed while it was in use"):
        renderer.render(script, tmp_path / "out.mp4")
    assert renderer.render(script, tmp_path / "out.mp4").path.is_file()


@pytest.mark.skipif(os.name != "posix", reason="open files cannot be removed")
@pytest.mark.parametrize("stage", ["speech", "avatar"])
def test_a_file_that_goes_away_meanwhile_is_named(
    renderer_of: Any, tmp_path: Path, stage: str
) -> None:
    picture = draw_portrait(tmp_path / "shop.png")
    script = film_of_tones(tmp_path, 1, background=str(picture))
    renderer = renderer_of("static", on_event=removes(picture, stage), workers=1)
    with pytest.raises(InputError, match=r"shop\.png"):
        renderer.render(script, tmp_path / "out.mp4")


@pytest.mark.parametrize(("asked", "told"), [(-30.0, 0), (-5.0, 1)])
def test_a_loudness_that_cannot_be_reached_is_told(
    renderer_of: Any, tmp_path: Path, asked: float, told: int
) -> None:
    script = film_of_tones(tmp_path, 1, seconds=2.0)
    write_clicks(tmp_path / "tone1.wav", 2.0)
    output = SMALL.model_copy(update={"loudness": asked})
    result = renderer_of("static").render(
        script.model_copy(update={"output": output}), tmp_path / "out.mp4"
    )
    assert len([w for w in result.warnings if "LUFS" in w]) == told


def test_a_listener_that_fails_does_not_harm_the_film(renderer_of: Any, tmp_path: Path) -> None:
    def broken(event: Event) -> None:
        raise RuntimeError("listener")

    result = renderer_of("static", on_event=broken).render(
        film_of_tones(tmp_path, 1), tmp_path / "out.mp4"
    )
    assert result.path.is_file()


def test_backends_that_the_caller_made_stay_open_for_the_next_film(
    renderer_of: Any, tmp_path: Path
) -> None:
    backend = MovingBackend()
    renderer_of(backend).render(film_of_tones(tmp_path, 1), tmp_path / "out.mp4")
    assert backend.closed == 0


def test_options_of_a_scene_reach_its_backend_and_make_another_clip(
    renderer_of: Any, tmp_path: Path
) -> None:
    backend = MovingBackend()
    script = film_of_tones(tmp_path, 1)
    renderer_of(backend).render(script, tmp_path / "out.mp4")
    red = Avatar(layout="full", options={"moving": {"hue": 3}})
    scene = script.scenes[0].model_copy(update={"avatar": red})
    changed = script.model_copy(update={"scenes": (scene,)})
    renderer_of(backend).render(changed, tmp_path / "out.mp4")
    assert [call.options.hue for call in backend.calls] == [0, 3]  # type: ignore[attr-defined]


def test_a_misspelled_option_is_refused_before_anything_is_made(
    renderer_of: Any, tmp_path: Path
) -> None:
    script = film_of_tones(tmp_path, 1)
    scene = script.scenes[0].model_copy(update={"avatar": Avatar(options={"moving": {"hew": 3}})})
    with pytest.raises(InputError, match="hue"):
        renderer_of(MovingBackend()).render(
            script.model_copy(update={"scenes": (scene,)}), tmp_path / "out.mp4"
        )
    assert not (tmp_path / "out.mp4").exists()


def test_an_unknown_backend_is_refused_at_construction(renderer_of: Any) -> None:
    with pytest.raises(InputError, match="static"):
        renderer_of("statik")


def test_an_unknown_fallback_is_refused_even_beside_an_instance(renderer_of: Any) -> None:
    with pytest.raises(InputError, match="static"):
        renderer_of([MovingBackend(), "statik"])


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ('fallback = ["pupet", "static2"]', "fallback"),
        ('backend = "static2"', "backend"),
        ("[policies.static2]\nattempts = 1", "policies.static2"),
    ],
)
def test_a_misspelled_name_in_the_settings_is_refused_at_construction(
    renderer_of: Any, tmp_path: Path, settings: str, key: str
) -> None:
    (tmp_path / "avatar.toml").write_text(settings, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        renderer_of()
    assert str(caught.value.key).startswith(key)
    assert "Did you mean" in str(caught.value) or "static" in str(caught.value)
    with pytest.raises(InputError, match="static"):
        renderer_of(["static2", "static"])


def test_what_fell_for_a_passing_reason_is_tried_again_at_the_end(
    renderer_of: Any, tmp_path: Path
) -> None:
    backend = MovingBackend(plan=[fails(Category.CONNECTIVITY), fails(Category.CONNECTIVITY)])
    renderer = renderer_of(backend, workers=1, overrides={"retry.delay": 0})
    result = renderer.render(film_of_tones(tmp_path, 2), tmp_path / "out.mp4")
    assert [scene.backend for scene in result.scenes] == ["moving", "moving"]
    assert not result.degraded
    told = [entry.category for entry in result.scenes[0].trail if entry.backend == "moving"]
    assert told == [Category.CONNECTIVITY, Category.CONNECTIVITY, None]


def test_one_scene_can_be_rendered_alone(renderer_of: Any, tmp_path: Path) -> None:
    script = film_of_tones(tmp_path, 3, transition=Transition(duration=0.2))
    backend = MovingBackend()
    result = renderer_of(backend).render_scene(script, "s2", tmp_path / "two.mp4")
    assert [scene.id for scene in result.scenes] == ["s2"]
    assert len(backend.calls) == 1


def test_an_unknown_scene_names_the_nearest(renderer_of: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="s2"):
        renderer_of("static").render_scene(film_of_tones(tmp_path, 3), "s22")


def test_a_list_of_scenes_from_python_is_a_film(renderer_of: Any, tmp_path: Path) -> None:
    scenes = [Scene(duration=0.4, background="#ff0000"), Scene(duration=0.4, background="navy")]
    result = renderer_of(overrides={"video.preset": "draft"}).render(scenes, tmp_path / "out.mp4")
    frames = decoded(result.path)
    red, navy = frames[0].mean(axis=(0, 1)), frames[-1].mean(axis=(0, 1))
    assert red[0] > 240 and red[2] < 15
    assert navy[2] > 110 and navy[0] < 15
    assert result.loudness is None


def test_an_overlay_that_follows_another_takes_its_place_on_the_same_frame(
    renderer_of: Any, tmp_path: Path
) -> None:
    Image.new("RGB", (60, 60), "white").save(tmp_path / "dot.png")
    spans: list[tuple[Position, float, float]] = [("left", 0.0, 0.68), ("right", 0.68, 1.35)]
    overlays = tuple(
        ImageOverlay(type="image", src=tmp_path / "dot.png", position=at, start=start, end=end)
        for at, start, end in spans
    )
    script = VideoScript(
        output=SMALL, scenes=(Scene(duration=2, background="black", overlays=overlays),)
    )
    frames = decoded(renderer_of("static").render(script, tmp_path / "out.mp4").path)
    seen = [(f[160, 40].mean() > 128, f[160, 140].mean() > 128) for f in frames]
    assert seen == [(True, False)] * 10 + [(False, True)] * 10 + [(False, False)] * 10


def test_a_visual_may_be_a_moviepy_clip_or_a_function(renderer_of: Any, tmp_path: Path) -> None:
    moviepy = pytest.importorskip("moviepy")

    def green(seconds: float) -> Any:
        return moviepy.ColorClip((64, 64), color=(0, 200, 0), duration=seconds)

    blue = moviepy.ColorClip((180, 320), color=(0, 0, 200), duration=5)
    script = VideoScript(
        output=SMALL, scenes=(Scene(duration=0.4, visual=green), Scene(duration=0.4, visual=blue))
    )
    frames = decoded(renderer_of("static").render(script, tmp_path / "out.mp4").path)
    assert frames[0].mean(axis=(0, 1))[1] > 170
    assert frames[-1].mean(axis=(0, 1))[2] > 170


def test_a_film_opens_as_a_moviepy_clip(renderer_of: Any, tmp_path: Path) -> None:
    result = renderer_of("static").render(film_of_tones(tmp_path, 1), tmp_path / "out.mp4")
    with result.clip() as clip:
        assert clip.size == [180, 320] or tuple(clip.size) == (180, 320)
        assert abs(clip.duration - result.seconds) < 0.1


@pytest.mark.parametrize("by", ["code", "file", "environment"])
def test_the_backend_is_switched_by_code_file_or_environment_alike(
    renderer_of: Any, tmp_path: Path, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by == "file":
        (tmp_path / "avatar.toml").write_text('backend = "static"\n', encoding="utf-8")
    if by == "environment":
        monkeypatch.setenv("AVATAR_BACKEND", "static")
    renderer = renderer_of("static" if by == "code" else None)
    assert renderer.settings.backend == "static"
    origin = renderer.loaded.origins["backend"]
    assert origin.startswith({"code": "argument", "file": "avatar.toml"}.get(by, "environment"))


def test_a_backend_named_in_the_call_overrules_the_script(renderer_of: Any, tmp_path: Path) -> None:
    script = film_of_tones(tmp_path, 1, backend="static")
    result = renderer_of(MovingBackend()).render(script, tmp_path / "out.mp4")
    assert result.scenes[0].backend == "moving"


def test_the_error_of_a_scene_is_raised_and_not_its_consequences(
    renderer_of: Any, tmp_path: Path
) -> None:
    def broken(seconds: float) -> Any:
        raise RuntimeError("my drawing is wrong")

    scenes = [Scene(duration=0.4, visual=broken)] + [Scene(duration=0.4) for _ in range(6)]
    with pytest.raises(InputError, match="my drawing is wrong"):
        renderer_of("static").render(VideoScript(output=SMALL, scenes=scenes), tmp_path / "o.mp4")


def test_scenes_side_by_side_take_their_time_together(renderer_of: Any, tmp_path: Path) -> None:
    import threading

    barrier = threading.Barrier(3, timeout=100)
    backend = MovingBackend(plan=[lambda _: barrier.wait()] * 3)
    result = renderer_of(backend, workers=3).render(
        film_of_tones(tmp_path, 3), tmp_path / "out.mp4"
    )
    # The barrier only opens when all three are under way at once.
    assert not result.degraded


def test_an_ass_file_has_the_films_shape_and_look(renderer_of: Any, tmp_path: Path) -> None:
    look = Captions(style="karaoke", active_color="#ff0000", size=0.1, sidecar=("ass",))
    script = film_of_tones(tmp_path, 2, captions=look)
    result = renderer_of("static").render(script, tmp_path / "out.mp4")
    (path,) = result.captions
    made = pysubs2.load(str(path))
    assert (made.info["PlayResX"], made.info["PlayResY"]) == ("180", "320")
    assert any("&H0000FF&" in line.text for line in made)
    assert 32 < made.styles["Caption"].fontsize < 60


def test_a_film_without_captions_has_no_caption_files(renderer_of: Any, tmp_path: Path) -> None:
    script = film_of_tones(tmp_path, 1, captions=False)
    assert renderer_of("static").render(script, tmp_path / "out.mp4").captions == ()
    assert not list(tmp_path.glob("out.[sv]*t"))


def test_an_overlay_that_is_never_seen_is_told(renderer_of: Any, tmp_path: Path) -> None:
    overlays = tuple(TextOverlay(type="text", text="Late", start=at) for at in (0.5, 0.99, 1.0, 7))
    script = VideoScript(output=SMALL, scenes=(Scene(duration=1, overlays=overlays),))
    (scene,) = renderer_of("static").render(script, tmp_path / "out.mp4").scenes
    assert [warning.split(",")[0] for warning in scene.warnings] == [
        "overlay 2 begins at 0.99 s",
        "overlay 3 begins at 1 s",
        "overlay 4 begins at 7 s",
    ]


def test_captions_keep_clear_of_a_picture_as_watermark(renderer_of: Any, tmp_path: Path) -> None:
    Image.new("RGB", (200, 200), "lime").save(tmp_path / "logo.png")
    mark = Watermark(src=tmp_path / "logo.png", position="bottom", scale=0.12, opacity=1)
    scene = Scene(
        audio=write_tone(tmp_path / "a.wav", 1.0), text="One two three four five", background="blue"
    )
    script = VideoScript(output=Output(size="640x360", fps=15), watermark=mark, scenes=(scene,))
    frame = decoded(renderer_of("static").render(script, tmp_path / "out.mp4").path)[8]
    # The logo is 76 px square and stands 18 px above the lower edge.
    logo = frame[360 - 18 - 74 : 360 - 20, 320 - 36 : 320 + 36].reshape(-1, 3).astype(int)
    assert np.abs(logo - (0, 255, 0)).max() < 40
    assert (frame[:260].min(axis=2) > 200).any()


@pytest.mark.parametrize("key", ["speech.engine", "speech.fallback"])
def test_an_engine_in_the_settings_that_does_not_exist_is_refused_at_once(
    renderer_of: Any, key: str
) -> None:
    wrong = "espek" if key.endswith("engine") else ["espek"]
    with pytest.raises(InputError, match="no speech engine 'espek'") as caught:
        renderer_of(overrides={key: wrong})
    assert caught.value.key == key and "espeak" in str(caught.value)


def test_an_argument_overrules_the_scripts_output_and_a_settings_file_does_not(
    renderer_of: Any, tmp_path: Path
) -> None:
    (tmp_path / "avatar.toml").write_text('[video]\nquality = "draft"\n')
    script = VideoScript(output=Output(quality="high"), scenes=(Scene(duration=1),))
    assert renderer_of().check(script).quality == "high"
    assert renderer_of(overrides={"video.quality": "standard"}).check(script).quality == "standard"


def test_a_still_without_narration_needs_no_portrait(renderer_of: Any, tmp_path: Path) -> None:
    draw_portrait(tmp_path / "shop.png")
    scenes = [Scene(duration=1, background=str(tmp_path / "shop.png"))]
    result = renderer_of(overrides={"video.preset": "draft"}).render(scenes, tmp_path / "o.mp4")
    assert result.scenes[0].backend is None


def test_when_even_the_last_rung_fails_the_error_names_every_rung(
    renderer_of: Any, tmp_path: Path
) -> None:
    class FailingStatic(MovingBackend):
        name = "static"

    rungs = [
        MovingBackend(plan=[fails(Category.UNSUPPORTED, "first reason")]),
        FailingStatic(plan=[fails(Category.INVALID_INPUT, "last reason")]),
    ]
    with pytest.raises(AvatarError, match=r"(?s)first reason.*last reason"):
        renderer_of(rungs).render(film_of_tones(tmp_path, 1), tmp_path / "out.mp4")
