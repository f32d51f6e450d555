"""``{{name}}`` in a script."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_core.errors import InputError
from renderer.script.reading import load_script, read_script
from support_script import refused, write_script


def text_of(text: str, **variables: object) -> str | None:
    source = load_script({"variables": {"a": "A", "n": 5}, "scenes": [{"text": text}]},
                         variables=variables)  # fmt: skip
    return source.script.scenes[0].text


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{a}}{{ a }}-{{n}}", "AA-5"),
        ("{{{{a}}}}", "{{a}}"),
        ("{{{{{{a}}}}}}", "{{A}}"),
        ("{a} } { }}", "{a} } { }}"),
        ("no variables", "no variables"),
    ],
)
def test_names_are_replaced_and_doubled_braces_stay(text: str, filled: str) -> None:
    assert text_of(text) == filled


def test_the_caller_wins_over_the_script() -> None:
    assert text_of("{{a}} {{extra}}", a="B", extra=Path("x")) == "B x"


def test_every_text_and_path_is_filled_in(tmp_path: Path) -> None:
    path = write_script(
        tmp_path,
        """
        title: "{{v}}"
        language: "{{lang}}"
        variables: {v: tea, lang: vi, brand: "#1b4332", v.2: "{{v}}{{v}}"}
        output: {path: "{{v}}.mp4"}
        pronunciations: {tea: "{{v}}"}
        scenes:
          - text: "{{v.2}}"
            background: "{{brand}}"
            captions: {color: "{{brand}}"}
            overlays: [{type: text, text: "{{v}}"}]
        """,
    )
    script = read_script(path).script
    assert (script.title, script.language, script.output.path) == ("tea", "vi", Path("tea.mp4"))
    assert (script.scenes[0].text, script.scenes[0].background) == ("teatea", "#1b4332")
    assert script.pronunciations == {"tea": "tea"}


def test_numbers_stay_as_they_are_written(tmp_path: Path) -> None:
    path = write_script(
        tmp_path,
        """
        variables: {price: 39.000, day: 2024-01-31, on: true}
        scenes: [{text: "{{price}} {{day}} {{on}}"}]
        """,
    )
    assert read_script(path).script.scenes[0].text == "39.000 2024-01-31 true"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"scenes": [{"text": "{{nmae}}"}], "variables": {"name": "x"}}', "Did you mean 'name'?"),
        ('{"scenes": [{"text": "{{x}}"}]}', 'scenes[0].text: the variable "x" has no value.'),
        ('{"scenes": [{"text": "a {{x"}]}', '"{{" names no variable. Write {{name}}.'),
        ('{"scenes": [{"text": "{{}}"}]}', "names no variable"),
        ('{"scenes": [{"text": "{{a b}}"}]}', "names no variable"),
        ('{"scenes": [{"text": "{{{a}}}"}], "variables": {"a": "x"}}', "names no variable"),
        ('{"scenes": [{"text": "a"}], "variables": {"a": "{{a}}"}}',
         "variables.a: the variable refers to itself: a -> a."),
        ('{"scenes": [{"text": "a"}], "variables": {"a": "{{b}}", "b": "{{a}}"}}', "a -> b -> a"),
        ('{"scenes": [{"text": "a"}], "variables": {"a": "{{b}}"}}', 'the variable "b" has no'),
    ],
)  # fmt: skip
def test_what_cannot_be_filled_in_is_told(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path, text)


def test_an_unset_variable_is_told_with_its_line(tmp_path: Path) -> None:
    said = refused(tmp_path, "scenes:\n  - text: a\n  - background: '{{shop}}.jpg'\n    text: a\n")
    assert said.startswith('film.yaml:3: scenes[1].background: the variable "shop" has no value.')


def test_variables_that_multiply_are_stopped() -> None:
    variables = {f"a{i}": f"{{{{a{i + 1}}}}}" * 10 for i in range(12)} | {"a12": "x" * 10}
    with pytest.raises(InputError, match="far too long"):
        text_of("{{a0}}", **variables)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_doubled_braces_bring_any_text_through(text: str) -> None:
    escaped = text.replace("{{", "{{{{").replace("}}", "}}}}")
    if "{{{" not in text and "}}}" not in text:
        assert text_of(escaped or "x") == (text or "x")
