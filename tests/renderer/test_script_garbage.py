"""Whatever is given as a script ends as a film or as an `InputError` with a sentence."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_core.errors import InputError
from renderer.film import Film
from renderer.script.reading import load_script
from renderer.script.resolve import load_film, resolve
from renderer.script.schema import json_schema, starter_script
from support_script import DEFAULTS

SCHEMA = json_schema()
KEYS = sorted({key for part in (SCHEMA, *SCHEMA["$defs"].values()) for key in part["properties"]})
# fmt: off
WORDS = ["", "a", "{{a}}", "{{b", "<break", '<sub alias="x">y</sub>', "#fff", "teal", "\0", "../x",
         "circle", "static", "1-9", "shorts", "12x12", "x" * 400, "\ud800", "text", "~",
         "//"]
# fmt: on
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(max_size=5),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)
LENIENT = settings(deadline=None)


def outcome(source: Any, base: Path) -> Film | InputError:
    try:
        return resolve(load_script(source, base), DEFAULTS)
    except InputError as mistake:
        assert str(mistake).strip()
        return mistake


@given(st.dictionaries(st.sampled_from(KEYS), TREES, max_size=6))
@LENIENT
def test_any_mapping_is_a_film_or_a_mistake(tmp_path: Path, script: dict[str, Any]) -> None:
    assert isinstance(outcome(script, tmp_path), Film | InputError)


def near_right(name: str, depth: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    """Maps with the right keys of a model and values that are often of the right kind."""
    part = SCHEMA["$defs"][name] if name else SCHEMA
    values = {
        key: LEAVES | _of_kind(prop, depth) if depth < 3 else LEAVES
        for key, prop in part["properties"].items()
    }
    return st.fixed_dictionaries({}, optional=values)


def _of_kind(prop: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    text = json.dumps(prop)
    models = [name for name in SCHEMA["$defs"] if f"#/$defs/{name}" in text]
    inner = [near_right(name, depth + 1) for name in models]
    if prop.get("type") == "array" and inner:
        return st.lists(st.one_of(inner), min_size=1, max_size=2)
    if prop.get("type") == "object":
        return st.dictionaries(st.sampled_from(WORDS), st.one_of(inner or [LEAVES]), max_size=2)
    return st.one_of([*inner, st.sampled_from(["a", "teal", 1, 0.5, True])])


@given(near_right("Scene"), near_right("", depth=1))
@LENIENT
def test_a_script_with_the_right_keys_is_a_film_or_a_mistake(
    tmp_path: Path, scene: dict[str, Any], script: dict[str, Any]
) -> None:
    lengthy = {"text": "hello"} if not {"text", "audio", "duration"} & set(scene) else {}
    script = {**script, "scenes": [{**lengthy, **scene}, {"text": "hello"}]}
    assert isinstance(outcome(script, tmp_path), Film | InputError)
    assert isinstance(outcome({"scenes": script["scenes"]}, tmp_path), Film | InputError)


@given(TREES)
@LENIENT
def test_any_json_is_a_film_or_a_mistake(tmp_path: Path, tree: Any) -> None:
    path = tmp_path / "film.json"
    path.write_text(json.dumps({"scenes": [{"text": "a"}], "title": tree}), encoding="utf-8")
    assert isinstance(outcome(path, tmp_path), Film | InputError)
    path.write_text(json.dumps(tree), encoding="utf-8")
    assert isinstance(outcome(path, tmp_path), InputError)


@given(st.binary(max_size=60) | st.text(alphabet="a:-[]{}&*!|>'\"#%@`,? \n\t0.<~=", max_size=40))
@LENIENT
def test_any_file_is_a_film_or_a_mistake(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "film.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert isinstance(outcome(path, tmp_path), InputError)


@given(st.randoms(use_true_random=False))
@LENIENT
def test_a_damaged_script_is_a_film_or_a_mistake(tmp_path: Path, chance: random.Random) -> None:
    text = starter_script("vi-VN")
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(text))
        text = (
            text[:start]
            + chance.choice(["", ":", "'", "\t", "{", "]", "- ", "\n", "&a ", "#"])
            + (text[start + chance.randint(0, 3) :])
        )
    path = tmp_path / "film.yaml"
    path.write_text(text, encoding="utf-8")
    assert isinstance(outcome(path, tmp_path), Film | InputError)


@pytest.mark.parametrize("source", [3, None, b"title: a", [3], ["a"], {3: 4}, {"scenes": {3: 4}}])
def test_what_is_no_script_at_all_is_a_mistake(tmp_path: Path, source: Any) -> None:
    with pytest.raises(InputError):
        load_film(source, base=tmp_path)
