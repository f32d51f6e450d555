"""Mistakes in a script, all of them at once, each with its line and the next step."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union

from pydantic import BaseModel, ValidationError

from avatar_core.errors import InputError, InputErrors
from avatar_core.nearest import nearest
from avatar_core.pages import see
from renderer.script.models import VideoScript
from renderer.script.syntax import key_path

_BRANCHES = frozenset({"long", "short", "image", "text"})
_PATTERNS = {
    "id": 'small letters, digits, "-" and "_", such as "opening-1"',
    "color": 'a colour such as "#1b4332" or "teal"',
    "active_color": 'a colour such as "#FFE000" or "gold"',
    "size": 'width and height such as "1080x1920"',
    "aspect_ratio": 'a ratio such as "9:16"',
    "language": 'a language such as "en-US" or "vi-VN"',
    "scenes": 'scenes such as "2", "1-3" or "2-"',
}
_EXPECTED = {
    "string_type": "text",
    "float_type": "a number",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "tuple_type": 'a list (lines that begin with "- ", or [a, b])',
    "dict_type": 'a map (lines of "key: value")',
    "model_type": 'a map (lines of "key: value")',
    "path_type": "a path, as text",
    "finite_number": "a finite number",
    "model_attributes_type": 'a map (lines of "key: value")',
}
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


class ScriptError(InputErrors):
    """Everything that is wrong with a script; ``mistakes`` are in the order of their lines."""


class Mistakes:
    """Collects mistakes and warnings; ``lines`` and ``file`` say where their keys stand."""

    def __init__(self, file: Path | None, line: typing.Callable[[str], int | None]) -> None:
        self._file = file
        self.line = line
        self._found: dict[str, InputError] = {}
        self.warnings: list[str] = []

    def tell(self, message: str, key: str = "", advice: str | None = None) -> None:
        """Note a mistake; of several in one place the first is told, the rest follow from it."""
        self._found.setdefault(key, self._at(message, key, advice))

    def warn(self, message: str, key: str = "", advice: str | None = None) -> None:
        """Note something that does not keep the film from being made."""
        sentence = str(self._at(message, key, advice))
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    def raise_any(self) -> None:
        if self._found:
            raise ScriptError(list(self._found.values()))

    def _at(self, message: str, key: str, advice: str | None) -> InputError:
        return InputError(
            message, file=self._file, line=self.line(key), key=key or None, advice=advice
        )


def explained(failure: ValidationError) -> Iterator[tuple[str, str, str | None]]:
    """What pydantic found, as (key path, message, next step)."""
    for error in failure.errors(include_url=False):
        if error["type"] == "too_short" and error["input"]:
            continue  # Said of a list whose items are wrong: those are told themselves.
        raw = error["loc"]
        message, advice = _sentence(error, raw)
        yield key_path(_without_branches(raw)), message, advice


def _sentence(error: Any, raw: tuple[int | str, ...]) -> tuple[str, str | None]:
    kind, value, context = error["type"], error["input"], error.get("ctx") or {}
    name = next((part for part in reversed(raw) if isinstance(part, str)), "")
    if kind == "extra_forbidden":
        return _unknown_key(raw)
    if kind == "missing":
        return _missing(name)
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        return f"{_shown(value)} is out of range.", f"Give {words} {context[bound]:g}."
    if kind == "literal_error":
        return _not_one_of(value, context["expected"])
    if kind == "string_pattern_mismatch":
        return (
            f"{_shown(value)} is not understood.",
            f"Write {_PATTERNS.get(name, 'it otherwise')}.",
        )
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return "what kind of overlay this is, is not said.", "Give type: text or type: image."
    if kind in ("too_short", "string_too_short"):
        return _empty(name)
    if kind == "value_error":
        return str(context["error"]), None
    if kind in _EXPECTED:
        return _wrong_kind(_expected(kind, raw), value)
    message = error["msg"]
    return f"{message[0].lower()}{message[1:]}.", None


def _expected(kind: str, raw: tuple[int | str, ...]) -> str:
    place = _without_branches(raw)
    if len(place) in (1, 3) and place[-1] == "captions":
        return "true, false or a map of looks"
    if len(place) in (1, 3) and place[-1] == "background":
        return "a colour, a path or a map"
    return _EXPECTED[kind]


def _wrong_kind(expected: str, value: Any) -> tuple[str, str]:
    found = f"expected {expected}, found {_kind_of(value)}."
    if expected == "text" and isinstance(value, bool | int | float):
        written = str(value).lower() if isinstance(value, bool) else str(value)
        return found, f'Put it in quotes: "{written}".'
    if expected.startswith("a list") and isinstance(value, str):
        return found, f"Write [{value[:40]}]."
    if "number" in expected and isinstance(value, str):
        return found, "Write the number without quotes or unit."
    return found, see("script")


def _kind_of(value: Any) -> str:
    kinds: tuple[tuple[Any, str], ...] = (
        (type(None), "nothing"),
        (bool, "true or false"),
        (int | float, f"the number {value!s:.40}"),
        (str, f"the text {_shown(value)}"),
        (list | tuple, "a list"),
        (dict, "a map"),
    )
    return next((words for kind, words in kinds if isinstance(value, kind)), "something else")


def _unknown_key(raw: tuple[int | str, ...]) -> tuple[str, str]:
    key, model = str(raw[-1]), _model_at(raw[:-1])
    known = _keys(model) if model else []
    close = nearest(key, known)
    if close:
        return "unknown key;", f'did you mean "{close}"? Known keys: {", ".join(known)}.'
    for name, info in model.model_fields.items() if model else ():
        inner = _models_in(info.annotation)
        if any(key in _keys(each) for each in inner) and name in known:
            return "unknown key here;", f'it belongs under "{name}". Known: {", ".join(known)}.'
    return "unknown key.", f"Known keys: {', '.join(known)}."


def _missing(name: str) -> tuple[str, str]:
    if name == "scenes":
        return _empty(name)
    return "this key is missing.", "Add it."


def _empty(name: str) -> tuple[str, str]:
    if name == "scenes":
        return "the film has no scenes.", 'Add at least one: scenes: [{text: "Hello."}].'
    return "this is empty.", "Give a text or remove the key."


def _not_one_of(value: Any, expected: str) -> tuple[str, str]:
    choices = [each.strip("' ") for each in expected.replace(" or ", ", ").split(", ")]
    close = nearest(value, choices) if isinstance(value, str) else None
    listed = ", ".join(choices)
    hint = f'Did you mean "{close}"? ' if close else ""
    return f"{_shown(value)} is not possible here.", f"{hint}Choose one of: {listed}."


def _shown(value: Any) -> str:
    text = str(value)
    return f'"{text[:40]}..."' if len(text) > 43 else f'"{text}"'


def _without_branches(raw: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Drop the names that pydantic gives to the forms of a value, which are no keys."""
    return tuple(part for i, part in enumerate(raw) if not _is_branch(raw, i))


def _is_branch(raw: tuple[int | str, ...], i: int) -> bool:
    if i == 0 or raw[i] not in _BRANCHES:
        return False
    in_scene = raw[0] == "scenes"
    if in_scene and i == 4 and raw[2] == "overlays":
        return True
    return raw[i - 1] in ("background", "captions") and i == (3 if in_scene else 1)


def _model_at(raw: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model that stands at a place of the script."""
    current: list[type[BaseModel]] = [VideoScript]
    for i, part in enumerate(raw):
        if _is_branch(raw, i):
            word = str(part).capitalize()
            current = [each for each in current if each.__name__.startswith(word)] or current
            continue
        if isinstance(part, int) or not any(part in each.model_fields for each in current):
            continue  # An index, or a name in a map such as `speakers`.
        current = [
            inner
            for each in current
            if part in each.model_fields
            for inner in _models_in(each.model_fields[part].annotation)
        ]
    return current[0] if current else None


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models in an annotation such as ``tuple[Scene, ...]`` or ``Background | str``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    origin = typing.get_origin(annotation)
    if origin in (Union, types.UnionType, tuple, dict, typing.Annotated):
        return [m for each in typing.get_args(annotation) for m in _models_in(each)]
    return []


def _keys(model: type[BaseModel]) -> list[str]:
    return [name for name, info in model.model_fields.items() if not info.exclude]
