"""Scripts from YAML, JSON and Python: what is read, and what is said about what cannot be."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from avatar_core.errors import InputError
from renderer.script.models import Background, Scene, Speaker, TextOverlay, VideoScript
from renderer.script.reading import MAX_BYTES, load_script, read_script
from support_script import refused, write_script


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "film.yaml: the script is empty."),
        ("  \n# only a comment\n", "the script is empty."),
        ("{}", "the script is empty."),
        ("scenes: []", "film.yaml:1: scenes: the film has no scenes."),
        ("title: x", "scenes: the film has no scenes."),
        ("hello", "film.yaml:1: a script is a map"),
        ("- text: hello", "film.yaml:1: a script is a map"),
        ("scenes:\n\t- text: a\n", "film.yaml:2: a tab is used for indentation."),
        ("title: a: b\n", 'film.yaml:1: a ": " stands inside a plain value.'),
        ("title: 'it\nscenes: []\n", "film.yaml:1: an unclosed quote begins here."),
        ("scenes: [{text: a, background: #1b4332}]\n", "film.yaml:1: #1b4332 is a comment here"),
        ("scenes:\n- {background: #abc}\n- {text: b}\n", 'colour in quotes: "#abc".'),
        ("scenes:\n- {background: #abc,\n   duration: 2}\n", "film.yaml:2: #abc is a comment"),
        ("a: 1\nscenes: [1, 2\n", "film.yaml:2: an unclosed bracket begins here."),
        ("title: {{name}}\n", 'in quotes: "{{name}} ..."'),
        ("title: {{name}} tea\n", 'in quotes: "{{name}} ..."'),
        ("title: @me\n", "film.yaml:1: a plain value cannot begin with this character."),
        ("title: *me\n", "a * begins an alias in YAML"),
        ("title: a\n---\ntitle: b\n", "film.yaml:2: a second document"),
        (
            "title: a\nlanguage: en\ntitle: b\n",
            'film.yaml:3: title: the key "title" is given twice',
        ),
        ("title: a\nbackground: #1b4332\n", "film.yaml:2: background: there is no value here."),
        ("title:\n", "Give a value or remove the key."),
        ("title: !!python/object:os.system x\n", 'the tag "!!python/object:os.system" is not'),
        ('title: "a\\d"\n', r"a \ begins an escape"),
        ("title: a\0b\n", "the file holds a character that is no text."),
        ('title: "a\\0b"\n', "title: a character is no text (U+0000)."),
        ('title: "\\ud83d"\n', "title: a character is no text (U+D83D)."),
        ("a: &a [*a]\n", "an alias contains itself"),
        ("[" * 5000, "nested too deeply"),
        ("title: " + "9" * 5000, "is no number that can be used"),
    ],
)
def test_what_is_no_script_is_told_with_its_line_and_the_next_step(
    tmp_path: Path, text: str, said: str
) -> None:
    assert said in refused(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "film.json: the script is empty."),
        ('{"scenes": [\n  {"text": "a",}\n]}', "film.json:2: this is not JSON"),
        ('{\n"title": "a",\n"title": "b"}', 'film.json:3: title: the key "title" is given twice'),
        ('{"scenes": NaN}', "NaN is no number"),
        (
            '{"scenes": [\n\t{"txet": "a"}]}',
            "film.json:2: scenes[0].txet: unknown key; did you mean",
        ),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_json_mistakes_are_told_with_their_line(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path, text, "film.json")


def test_a_small_file_cannot_mean_a_huge_script(tmp_path: Path) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "the script is too large" in refused(tmp_path, "\n".join(levels))


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    assert "larger than 1 MiB" in refused(tmp_path, "# " + "x" * MAX_BYTES)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("title: a".encode("utf-16"), "saved as UTF-16"),
        ("title: a\nlanguage: é".encode("latin-1"), "film.yaml:2: the file is not UTF-8"),
    ],
)
def test_another_encoding_is_refused_with_what_to_do(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "film.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_script(path)
    assert said in str(caught.value)
    assert "Save it as UTF-8" in str(caught.value)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "film.yaml"
    path.write_bytes("scenes: [{text: Chào}]".encode("utf-8-sig"))
    assert read_script(path).script.scenes[0].text == "Chào"


@pytest.mark.parametrize(
    ("name", "said"),
    [("nothing.yaml", "no such script"), ("", "is a folder"), ("a\0b.yaml", "cannot be read"),
     ("x" * 300, "cannot be read")],
)  # fmt: skip
def test_a_path_that_leads_to_no_file_is_told(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        load_script(f"{tmp_path}/{name}")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "name", ["a film.yaml", "phim của tôi.yml", 'it\'s "mine".json', "-x.yaml"]
)
def test_odd_file_names_are_read(tmp_path: Path, name: str) -> None:
    path = write_script(tmp_path, '{"scenes": [{"text": "a"}]}', name)
    assert read_script(path).base == tmp_path


def test_yaml_is_read_as_1_2(tmp_path: Path) -> None:
    path = write_script(
        tmp_path,
        """
        title: yes
        description: 2024-01-31
        speakers: {12: {}, no: {}}
        scenes:
          - {text: off, duration: null, avatar: {options: {colab: {size: 0o17, x: .5, y: .inf}}}}
        """,
    )
    script = read_script(path).script
    assert (script.title, script.description, script.scenes[0].text) == ("yes", "2024-01-31", "off")
    assert list(script.speakers) == ["12", "no"]
    assert script.scenes[0].avatar.options == {"colab": {"size": 15, "x": 0.5, "y": float("inf")}}


def test_anchors_and_merge_keys_save_writing(tmp_path: Path) -> None:
    path = write_script(
        tmp_path,
        """
        scenes:
          - &first {text: a, background: teal, padding: {after: 1}}
          - <<: *first
            text: b
          - <<: [{text: c}, *first]
        """,
    )
    scenes = read_script(path).script.scenes
    assert [scene.text for scene in scenes] == ["a", "b", "c"]
    assert [scene.background for scene in scenes] == ["teal"] * 3
    assert "film.yaml:1" in refused(tmp_path, "<<: 3\nscenes: [{text: a}]")


def test_every_key_knows_its_line(tmp_path: Path) -> None:
    source = read_script(
        write_script(
            tmp_path,
            """
            title: a
            scenes:
              - text: a

              - text: |
                  long
                background: teal
            """,
        )
    )
    expected = {
        "title": 1,
        "scenes": 2,
        "scenes[0]": 3,
        "scenes[1].text": 5,
        "scenes[1].background": 7,
    }
    assert {key: source.lines[key] for key in expected} == expected
    assert source.line("scenes[1].background.src") == 7
    assert source.line("nothing.there") is None or source.line("nothing.there") == 1


SCRIPT: dict[str, Any] = {
    "title": "T",
    "speakers": {"anna": {"voice": {"speed": 1.5}}},
    "scenes": [
        {"speaker": "anna", "text": "a", "background": {"src": "teal"}},
        {"duration": 1, "overlays": [{"type": "text", "text": "x"}]},
    ],
}


def test_yaml_json_a_mapping_and_models_mean_the_same(tmp_path: Path) -> None:
    models = VideoScript(
        title="T",
        speakers={"anna": Speaker.model_validate({"voice": {"speed": 1.5}})},
        scenes=(
            Scene(speaker="anna", text="a", background=Background(src="teal")),
            Scene(duration=1, overlays=(TextOverlay(text="x"),)),
        ),
    )
    text = json.dumps(SCRIPT)
    scripts = [
        load_script(source).script
        for source in (
            SCRIPT,
            models,
            write_script(tmp_path, text, "film.json"),
            str(write_script(tmp_path, text, "film.yaml")),
        )
    ]
    assert all(script == scripts[0] for script in scripts)
    assert scripts[1].scenes[0].model_fields_set == {"speaker", "text", "background"}


def test_a_list_of_scenes_is_a_film() -> None:
    source = load_script([Scene(text="a"), Scene(text="b")])
    assert [scene.text for scene in source.script.scenes] == ["a", "b"]
    assert source.base == Path.cwd()


def test_a_visual_goes_through_as_it_is() -> None:
    def visual(seconds: float) -> object:
        return seconds

    assert (
        load_script([Scene(text="{{a}}", visual=visual)], variables={"a": "x"})
        .script.scenes[0]
        .visual
        is visual
    )


def test_mistakes_in_python_objects_are_told_by_their_key() -> None:
    with pytest.raises(InputError) as caught:
        load_script({"scenes": [{"txet": "a"}]})
    assert str(caught.value).startswith("scenes[0]")
    with pytest.raises(InputError, match="no scenes"):
        load_script([])


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind here")
def test_an_unreadable_script_is_told(tmp_path: Path) -> None:
    path = write_script(tmp_path, "scenes: [{text: a}]")
    path.chmod(0)
    with pytest.raises(InputError, match="cannot be read"):
        read_script(path)
