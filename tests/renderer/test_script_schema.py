"""The JSON Schema, the models and the documentation say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from avatar_core.errors import InputError
from renderer.script.models import VideoScript
from renderer.script.reference import reference, updated
from renderer.script.resolve import load_film
from renderer.script.schema import json_schema, starter_script
from support_script import DEFAULTS, write_script

ROOT = Path(__file__).parents[2]
CHECK = jsonschema.Draft202012Validator(json_schema())
EXAMPLES = [*sorted((ROOT / "examples").glob("*.yaml")), ROOT / "renderer" / "demo" / "demo.yaml"]
TEXT = {"text": "a"}


def test_the_schema_is_valid_and_described_throughout() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for part in (schema, *schema["$defs"].values()):
        assert part["description"]
        assert all(prop["description"] for prop in part["properties"].values())
    assert "visual" not in schema["$defs"]["Scene"]["properties"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_are_valid(path: Path) -> None:
    CHECK.validate(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")))
    film = load_film(path)
    assert film.scenes
    assert film.warnings == ()


@pytest.mark.parametrize("language", ["en-US", "vi-VN", "vi", "fr-FR"])
def test_the_starter_script_is_valid_and_can_be_rendered(tmp_path: Path, language: str) -> None:
    text = starter_script(language)
    assert text.startswith("# yaml-language-server: $schema=./avatar.schema.json\n")
    CHECK.validate(YAML(typ="safe", pure=True).load(text))
    film = load_film(write_script(tmp_path, text), defaults=DEFAULTS)
    assert film.language == language
    assert len(film.scenes) == 4


@pytest.mark.parametrize("language", ["", "not a language", "x", "en_US", "en-US\nscenes: []"])
def test_a_starter_script_needs_a_language(language: str) -> None:
    with pytest.raises(InputError, match="is not a language"):
        starter_script(language)


def scene(**values: Any) -> dict[str, Any]:
    return {"scenes": [{**TEXT, **values}]}


def film(**values: Any) -> dict[str, Any]:
    return {"scenes": [TEXT], **values}


@pytest.mark.parametrize(
    ("script", "right"),
    [
        (film(), True), (film(version="1"), True), (film(version=1), True),
        (film(version=2), False),
        (film(version=True), False), ({"scenes": []}, False), ({}, False), (film(title=3), False),
        (film(extra=1), False), (film(language="vi-VN"), True), (film(language="?"), False),
        (film(variables={"a": 1, "b": "c", "d": True}), True), (film(variables={"a": []}), False),
        (film(output={"size": "8x8", "fps": 30}), True), (film(output={"fps": 0}), False),
        (film(output={"fps": "30"}), False), (film(output={"size": "8 x 8"}), False),
        (film(speakers={"a": {"voice": {"speed": 2}}}), True),
        (film(speakers={"a": {"voice": {"speed": 2.01}}}), False),
        (film(speakers={"a": {"avatar": {"options": {"colab": {"x": [1]}}}}}), True),
        (film(speakers={"a": {"avatar": {"options": {"colab": 1}}}}), False),
        (film(watermark={"text": "a"}), True), (film(watermark={}), False),
        (film(watermark={"text": "a", "src": "b"}), False),
        (film(watermark={"text": "a", "src": None}), True),
        (film(music={"src": "a", "ducking": None, "scenes": "1-"}), True),
        (film(music={"src": "a", "scenes": "all"}), False), (film(avatar=None), False),
        (film(disclosure={"label": None}), True), (film(limits={"max_cost": -1}), False),
        (scene(id="a-1"), True), (scene(id="A"), False), (scene(duration=1), False),
        (scene(audio="a.wav"), True), (scene(text=None), False), (scene(duration=None), True),
        ({"scenes": [{"duration": 1}]}, True), ({"scenes": [{"duration": 0}]}, False),
        ({"scenes": [{"duration": True}]}, False), ({"scenes": [{"duration": "1"}]}, False),
        ({"scenes": [{}]}, False), ({"scenes": [{"audio": "a", "duration": 1}]}, False),
        ({"scenes": TEXT}, False), ({"scenes": ["a"]}, False),
        (scene(background="teal"), True), (scene(background={"src": "teal"}), True),
        (scene(background={"src": "a", "fit": "stretch"}), False), (scene(background=3), False),
        (scene(captions=False), True), (scene(captions={"color": "#fff"}), True),
        (scene(captions={"color": "#ff"}), False), (scene(captions="no"), False),
        (scene(captions={"max_words": 2.5}), False), (scene(captions={"burn": 1}), False),
        (scene(overlays=[{"type": "text", "text": "a"}]), True),
        (scene(overlays=[{"text": "a"}]), False), (scene(overlays=[{"type": "image"}]), False),
        (scene(overlays=[{"type": "text", "text": ""}]), False),
        (scene(transition={"duration": 5}), True), (scene(transition={"duration": 5.1}), False),
        (scene(avatar={"layout": "split", "scale": 1}), True), (scene(avatar={"scale": 0}), False),
        (scene(avatar={"fallback": "a"}), False), (scene(padding={"before": 36_001}), False),
    ],
)  # fmt: skip
def test_schema_and_models_agree(script: dict[str, Any], right: bool) -> None:
    assert CHECK.is_valid(script) is right
    assert accepted(script) is right


def accepted(script: dict[str, Any]) -> bool:
    try:
        VideoScript.model_validate(script)
    except ValidationError:
        return False
    return True


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 9), st.sampled_from([0.5, 2.5, -0.1]),
    st.sampled_from(["", "a", "teal", "#fff", "circle", "fade", "1-2", "en"]),
    st.just([]), st.just({}), st.just(["a"]), st.just({"src": "a"}), st.just({"a": {}}),
)  # fmt: skip


@given(st.data())
def test_schema_and_models_agree_on_any_value_of_any_field(data: st.DataObject) -> None:
    schema = json_schema()
    part = data.draw(st.sampled_from(["Scene", "Avatar", "Captions", "Output", "Voice", "Music"]))
    name = data.draw(st.sampled_from(sorted(schema["$defs"][part]["properties"])))
    base = {"src": "a"} if part == "Music" else {}
    values = {**base, name: data.draw(VALUES)}
    script = scene(**values) if part == "Scene" else film(**{part.lower(): values})
    assert CHECK.is_valid(script) is accepted(script), (part, values)


def test_the_documentation_lists_every_field_as_it_is() -> None:
    document = (ROOT / "docs" / "script.md").read_text(encoding="utf-8")
    assert updated(document) == document, "run: python -m renderer.script.reference docs/script.md"
    assert "| `when_short` | `freeze`, `loop`, `slow` | `loop` |" in reference()
