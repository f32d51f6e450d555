"""The text of a script file as plain values, with the line on which each of them stands."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from avatar_core.errors import InputError
from avatar_core.pages import see
from renderer.script.yaml_mistakes import syntax_mistake

# An alias may stand for much and be used often: what counts is the size after all are replaced.
MAX_VALUES = 200_000
MAX_DEPTH = 40
_TAG = "tag:yaml.org,2002:"
_TRUE = {"true"}
_TEXT_TAGS = {f"{_TAG}str", f"{_TAG}timestamp", f"{_TAG}merge", f"{_TAG}value"}


@dataclass
class Parsed:
    """Values of a script and, by key path ("scenes[2].text", "" for the whole), their lines."""

    data: Any = None
    lines: dict[str, int] = field(default_factory=dict)


def key_path(parts: Iterable[str | int]) -> str:
    """The name of a place in a script: ``("scenes", 2, "text")`` is ``scenes[2].text``."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path


def parse_yaml(text: str, file: Path | None = None) -> Parsed:
    """Read YAML 1.2 without any constructor of objects; raises `InputError` with the line."""
    try:
        node = YAML(typ="safe", pure=True).compose(text)
        return _Walk(file, text.splitlines()).run(node)
    except YAMLError as failure:
        raise syntax_mistake(failure, text, file) from failure
    except (RecursionError, ValueError, AssertionError, IndexError) as failure:
        # The composer descends by recursion and trips over some malformed escapes and numbers.
        deep = isinstance(failure, RecursionError)
        raise InputError(
            "values are nested too deeply." if deep else f"this is not YAML ({failure}).",
            file=file,
            advice="Compare it with what `avatar init` writes.",
        ) from failure


_JSON_ADVICE = {
    False: "Look for a missing comma, quote or bracket just before.",
    True: r"In a path write / or \\ for each \.",
}


def parse_json(text: str, file: Path | None = None) -> Parsed:
    """Read JSON; the lines come from reading it again as the YAML that it is."""
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as failure:
        raise InputError(
            f"this is not JSON: {failure.msg[0].lower()}{failure.msg[1:]}, column {failure.colno}.",
            file=file,
            line=failure.lineno,
            advice=_JSON_ADVICE["escape" in failure.msg],
        ) from failure
    except (RecursionError, ValueError) as failure:
        deep = isinstance(failure, RecursionError)
        raise InputError(
            "values are nested too deeply." if deep else f"this is not JSON: {failure}.",
            file=file,
            advice=f"Compare it with an example. {see('script')}",
        ) from failure
    # A tab inside a JSON string is always written \t, so every real one is mere indentation.
    return Parsed(data, parse_yaml(text.replace("\t", " "), file).lines)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


class _Walk:
    """Turns nodes into values; counts them, since aliases let a small file mean a huge one."""

    def __init__(self, file: Path | None, source: list[str]) -> None:
        self._file = file
        self._source = source
        self._count = 0
        self._lines: dict[str, int] = {}

    def run(self, root: Node | None) -> Parsed:
        if root is None:
            return Parsed(None, {"": 1})
        self._lines[""] = root.start_mark.line + 1
        return Parsed(self._value(root, "", 0), self._lines)

    def _value(self, node: Node, path: str, depth: int) -> Any:
        self._count += 1
        if self._count > MAX_VALUES or depth > MAX_DEPTH:
            raise self._mistake(
                node, "", "the script is too large or an alias contains itself.",
                "Use fewer aliases (*name), or split the script.",
            )  # fmt: skip
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if isinstance(node, SequenceNode):
            return [
                self._value(self._noted(item, f"{path}[{i}]"), f"{path}[{i}]", depth + 1)
                for i, item in enumerate(node.value)
            ]
        if isinstance(node, MappingNode):
            return self._mapping(node, path, depth)
        raise TypeError(f"an unknown kind of YAML node: {node!r}")

    def _mapping(self, node: MappingNode, path: str, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        first_lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            inner = f"{path}.{key}" if path else key
            if key_node.tag == f"{_TAG}merge":
                merged |= self._merged(value_node, path, depth)
                continue
            line = key_node.start_mark.line + 1
            if key in result:
                raise self._mistake(
                    key_node, inner, f'the key "{key}" is given twice, first in line '
                    f"{first_lines[key]}.", "Keep one of the two.",
                )  # fmt: skip
            self._lines[inner] = first_lines[key] = line
            result[key] = self._value(value_node, inner, depth + 1)
        return merged | result

    def _merged(self, node: Node, path: str, depth: int) -> dict[str, Any]:
        """What ``<<: *name`` brings in; of several, the first wins."""
        values = self._value(node, path, depth + 1)
        maps = values if isinstance(values, list) else [values]
        if not all(isinstance(each, dict) for each in maps):
            raise self._mistake(node, path, 'after "<<" stands no map.', "Write <<: *name.")
        result: dict[str, Any] = {}
        for each in reversed(maps):
            result |= each
        return result

    def _key(self, node: Node, path: str) -> str:
        if isinstance(node, ScalarNode):
            return str(node.value)
        raise self._mistake(
            node, path, "a { begins a map in YAML, so this is not read as text.",
            'Put a text that begins with a variable in quotes: "{{name}} ..."',
        )  # fmt: skip

    def _scalar(self, node: ScalarNode, path: str) -> Any:
        text, tag = str(node.value), str(node.tag)
        # A price such as 39.000 is meant as it is written, not as the number 39.
        if tag in _TEXT_TAGS or (path.startswith("variables.") and text and tag.startswith(_TAG)):
            return text
        if tag == f"{_TAG}null":
            return self._nothing(node, path)
        if tag == f"{_TAG}bool":
            return text.lower() in _TRUE
        if tag == f"{_TAG}int":
            return self._number(node, path, _whole)
        if tag == f"{_TAG}float":
            return self._number(node, path, _decimal)
        shown = tag.removeprefix(_TAG)
        raise self._mistake(
            node, path, f'the tag "!!{shown}" is not allowed here.', "Write the plain value."
        )

    def _number(self, node: ScalarNode, path: str, read: Any) -> Any:
        try:
            return read(str(node.value).replace("_", ""))
        except (ValueError, OverflowError) as failure:
            raise self._mistake(
                node, path, f'"{str(node.value)[:40]}" is no number that can be used.',
                "Put a text in quotes.",
            ) from failure  # fmt: skip

    def _nothing(self, node: ScalarNode, path: str) -> None:
        if node.value or not path:
            return
        # What is empty begins for the reader only where the next thing stands.
        line = self._lines.get(path, node.start_mark.line + 1) - 1
        comment = line < len(self._source) and "#" in self._source[line]
        advice = (
            'A # begins a comment in YAML: put colours in quotes, "#1b4332".'
            if comment
            else "Give a value or remove the key."
        )
        raise InputError(
            "there is no value here.", file=self._file, line=line + 1, key=path, advice=advice
        )

    def _noted(self, node: Node, path: str) -> Node:
        self._lines[path] = node.start_mark.line + 1
        return node

    def _mistake(self, node: Node, path: str, message: str, advice: str) -> InputError:
        line = node.start_mark.line + 1
        return InputError(message, file=self._file, line=line, key=path or None, advice=advice)


def _whole(text: str) -> int:
    lowered = text.lower()
    for prefix, base in (("0o", 8), ("0x", 16), ("0b", 2)):
        if lowered.lstrip("+-").startswith(prefix):
            return int(lowered, base)
    return int(text)


def _decimal(text: str) -> float:
    lowered = text.lower()
    if lowered.lstrip("+-") in (".inf", ".nan"):
        lowered = lowered.replace(".", "")
    return float(lowered)
