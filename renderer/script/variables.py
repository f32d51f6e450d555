"""``{{name}}`` in the texts and paths of a script."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from avatar_core.nearest import did_you_mean
from renderer.script.syntax import key_path

Tell = Callable[[str, str, str | None], None]
MAX_TEXT = 1_000_000
_NAME = re.compile(r"\w[\w.-]*")
# Doubled braces stand for themselves, as in Python's own format strings.
_TOKEN = re.compile(r"\{\{\{\{|\}\}\}\}|\{\{(.*?)\}\}|\{\{", re.DOTALL)
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_ESCAPE = "Write {{{{ and }}}} for the signs themselves."


class _Unusable(Exception):
    """A variable cannot be filled in; holds the sentence and the next step."""


def fill_in(data: dict[Any, Any], given: Mapping[str, object], tell: Tell) -> dict[Any, Any]:
    """``data`` with every variable replaced; mistakes go to ``tell(message, key, advice)``.

    ``given`` wins over the script's ``variables``. A variable's value may use other variables.
    """
    own = data.get("variables")
    values = dict(own) if isinstance(own, dict) else {}
    values.update(given)
    filler = _Filler(values, tell)
    result = {
        key: value if key == "variables" else filler.walk(value, (key,))
        for key, value in data.items()
    }
    filler.check_unused()
    return result


class _Filler:
    def __init__(self, values: Mapping[str, object], tell: Tell) -> None:
        self._raw = {str(name): value for name, value in values.items()}
        self._done: dict[str, str] = {}
        self._tell = tell

    def walk(self, value: Any, at: tuple[str | int, ...]) -> Any:
        if isinstance(value, str):
            return self._filled(value, at)
        if isinstance(value, Path):
            return Path(self._filled(str(value), at))
        if type(value) is dict:
            self._check_keys(value, at)
            return {key: self.walk(each, (*at, key)) for key, each in value.items()}
        if type(value) is list:
            return [self.walk(each, (*at, i)) for i, each in enumerate(value)]
        return value

    def _check_keys(self, value: dict[Any, Any], at: tuple[str | int, ...]) -> None:
        if any(isinstance(key, str) and _NO_TEXT.search(key) for key in value):
            self._tell("a key holds a character that is no text.", key_path(at), "Remove it.")

    def check_unused(self) -> None:
        """A variable that nobody uses may still be wrong, and is told before it is used."""
        for name in self._raw:
            try:
                self._value(name, ())
            except _Unusable as why:
                self._tell(why.args[0], f"variables.{name}", why.args[1])

    def _filled(self, text: str, at: tuple[str | int, ...]) -> str:
        try:
            return self._replace(text, ())
        except _Unusable as why:
            self._tell(why.args[0], key_path(at), why.args[1])
            return text

    def _replace(self, text: str, inside: tuple[str, ...]) -> str:
        if found := _NO_TEXT.search(text):
            raise _Unusable(f"a character is no text (U+{ord(found[0]):04X}).", "Remove it.")
        if "{{" not in text and "}}}}" not in text:
            return text
        result = _TOKEN.sub(lambda token: self._token(token, inside), text)
        if len(result) > MAX_TEXT:
            raise _Unusable("with its variables the text is far too long.", "Shorten it.")
        return result

    def _token(self, token: re.Match[str], inside: tuple[str, ...]) -> str:
        if token[0] in ("{{{{", "}}}}"):
            return token[0][:2]
        name = (token[1] or "").strip()
        if not _NAME.fullmatch(name):
            raise _Unusable(
                f'"{token[0][:40]}" names no variable.', f"Write {{{{name}}}}. {_ESCAPE}"
            )
        return self._value(name, inside)

    def _value(self, name: str, inside: tuple[str, ...]) -> str:
        if name in self._done:
            return self._done[name]
        if name in inside:
            round_trip = " -> ".join([*inside[inside.index(name) :], name])
            raise _Unusable(
                f"the variable refers to itself: {round_trip}.", "Give one of them a plain value."
            )
        if name not in self._raw:
            known = did_you_mean(name, self._raw) if self._raw else ""
            raise _Unusable(
                f'the variable "{name}" has no value.',
                f'{known} Set it under "variables". {_ESCAPE}'.strip(),
            )
        self._done[name] = self._replace(_as_text(self._raw[name]), (*inside, name))
        return self._done[name]


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float | Path):
        return str(value)
    raise _Unusable("a variable is a text or a number.", 'Write it as name: "value".')
