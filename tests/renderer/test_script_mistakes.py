"""Wrong keys and values: each is told with its line, what was expected and the next step."""

from __future__ import annotations

from pathlib import Path

import pytest

from renderer.script.mistakes import ScriptError
from renderer.script.resolve import load_film
from support_script import DEFAULTS, refused, write_script


def test_a_misspelled_key_names_the_nearest_right_one(tmp_path: Path) -> None:
    said = refused(
        tmp_path,
        """
        title: a
        scenes:
          - text: hello
          - txet: hello
        """,
    )
    assert 'film.yaml:4: scenes[1].txet: unknown key; did you mean "text"? Known keys: id,' in said
    assert "visual" not in said


SCENE = "scenes:\n  - text: a\n    "


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SCENE + "layout: circle", 'scenes[0].layout: unknown key here; it belongs under "avatar"'),
        (SCENE + "qqq: 1", "film.yaml:3: scenes[0].qqq: unknown key. Known keys: id, speaker,"),
        (SCENE + "background: {scr: a}", 'background.scr: unknown key; did you mean "src"'),
        (SCENE + "background: {}", "scenes[0].background.src: this key is missing."),
        (SCENE + "background: 3", "expected a colour, a path or a map, found the number 3."),
        (SCENE + "captions: karaoke", "scenes[0].captions: expected true, false or a map of looks"),
        (SCENE + "captions: {style: karoke}", 'Did you mean "karaoke"? Choose one of: lines,'),
        (SCENE + "captions: {color: 3}", "scenes[0].captions.color: expected text, found the"),
        (SCENE + 'captions: {color: "#12"}', 'Write a colour such as "#1b4332" or "teal".'),
        (SCENE + "captions: {max_words: 0}", '"0" is out of range. Give at least 1.'),
        (SCENE + "captions: {max_words: 2.5}", "expected a whole number, found the number 2.5."),
        (SCENE + "captions: {burn: 1}", "expected true or false, found the number 1."),
        (SCENE + "captions: {sidecar: srt}", "expected a list"),
        (SCENE + "overlays: {type: text}", "expected a list"),
        (SCENE + "overlays: [{text: a}]", "scenes[0].overlays[0]: what kind of overlay this is"),
        (SCENE + "overlays: [{type: txt}]", "Give type: text or type: image."),
        (SCENE + "overlays: [{type: text, text: a, src: b}]", "overlays[0].src: unknown key"),
        (SCENE + "overlays: [{type: image}]", "scenes[0].overlays[0].src: this key is missing."),
        (SCENE + "overlays: [hello]", "scenes[0].overlays[0]: "),
        (SCENE + "id: Öl", 'Write small letters, digits, "-" and "_"'),
        (SCENE + "duration: 3", "scenes[0]: the length is set twice"),
        (SCENE + "audio: a.wav\n    duration: 3", "scenes[0]: the length is set twice"),
        ("scenes: [{id: a}]", 'film.yaml:1: scenes[0]: nothing sets its length: give "text",'),
        ("scenes: [{text: null}]", "nothing sets its length"),
        ("scenes: [hello]", "scenes[0]: expected a map"),
        ("scenes: {text: hello}", "scenes: expected a list"),
        ("scenes: [{text: 2024}]", 'found the number 2024. Put it in quotes: "2024".'),
        ("scenes: [{text: true}]", 'Put it in quotes: "true".'),
        ("scenes: [{text: [a, b]}]", "scenes[0].text: expected text, found a list."),
        ("scenes: [{duration: 2s}]", "found the text \"2s\". Write the number without quotes"),
        ("scenes: [{duration: true}]", "scenes[0].duration: expected a number"),
        ("scenes: [{duration: 0}]", '"0" is out of range. Give more than 0.'),
        ("scenes: [{duration: .nan}]", "scenes[0].duration: expected a finite number"),
        ("scenes: [{duration: .inf}]", "scenes[0].duration: "),
        ("version: 2\nscenes: [{text: a}]", '"2" is not possible here.'),
        ("language: english!\nscenes: [{text: a}]", 'such as "en-US" or "vi-VN"'),
        ("output: {size: big}\nscenes: [{text: a}]", 'width and height such as "1080x1920"'),
        ("output: {aspect_ratio: wide}\nscenes: [{text: a}]", 'a ratio such as "9:16"'),
        ("output: {fps: 500}\nscenes: [{text: a}]", "Give at most 120."),
        ("speakers: [lan]\nscenes: [{text: a}]", "film.yaml:1: speakers: expected a map"),
        ("speakers: {lan: {voice: {fallback: espeak}}}\nscenes: [{text: a}]", "Write [espeak]."),
        ("music: {src: a.mp3, scenes: all}\nscenes: [{text: a}]", 'Write scenes such as "2"'),
        ("watermark: {}\nscenes: [{text: a}]", 'needs exactly one of "src" and "text"'),
        ("watermark: {src: a, text: b}\nscenes: [{text: a}]", "exactly one of"),
        ("variables: {a: [1]}\nscenes: [{text: a}]", "variables.a: a variable is a text"),
        ("pronunciations: {a: 3}\nscenes: [{text: a}]", "pronunciations.a: expected text"),
        ("avatar: null\nscenes: [{text: a}]", "avatar: expected a map"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_with_what_was_expected(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path, text)


def test_all_mistakes_are_told_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    path = write_script(
        tmp_path,
        """
        titel: a
        speakers: {background: {voice: {sped: 1}}}
        scenes:
          - {text: a, duration: 1}
          - {text: 3}
        """,
    )
    with pytest.raises(ScriptError) as caught:
        load_film(path, defaults=DEFAULTS)
    mistakes = caught.value.mistakes
    assert [(mistake.line, mistake.key) for mistake in mistakes] == [
        (1, "titel"),
        (2, "speakers.background.voice.sped"),
        (4, "scenes[0]"),
        (5, "scenes[1].text"),
    ]
    assert (caught.value.line, caught.value.file) == (1, path)
    assert str(caught.value).splitlines() == [str(mistake) for mistake in mistakes]


def test_a_long_value_is_not_repeated_in_full(tmp_path: Path) -> None:
    assert len(refused(tmp_path, f"language: {'x' * 5000}\nscenes: [{{text: a}}]")) < 300
