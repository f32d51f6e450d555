"""What leaves the machine in a log is the engine's words, not its owner's secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from avatar_core.secrets import MASK, scrub

# The folder of a person, whoever it is: /home/lan, /Users/lan, C:\\Users\\lan.
_HOMES = re.compile(r"(?i)(?:[a-z]:)?[\\/](?:home|users)[\\/][^\\/\s\"':;,]+|(?<![\w./])/root\b")
_IN_ADDRESS = re.compile(r"(\w+://)[^/\s@]+@")
_ASSIGNED = re.compile(
    r"(?i)\b((?:[\w-]*[_-])?(?:token|api[_-]?key|secret|password|passwd|authorization))"
    r"(\s*[=:]\s*)(?:bearer\s+|basic\s+)?[^\s,;\"']+"
)
_QUERY = re.compile(r"(\w+://[^\s?\"']+\?)[^\s\"']+")
_SECRET_NAMES = re.compile(r"(?i)(token|secret|passw|api_?key|credential|_key$)")
_SHORTEST = 8
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LONGEST_LINE = 2000


class Scrubber:
    """``places`` maps folders of this machine to what is said instead, such as ``<engine>``.

    Values of environment variables that are called like a secret are masked as well: what an
    engine prints may hold its whole environment.
    """

    def __init__(
        self, places: Mapping[Path, str], environment: Mapping[str, str] | None = None
    ) -> None:
        both = {form: name for path, name in places.items() for form in _forms(path)}
        both |= {form: "~" for form in _forms(Path.home()) if len(form) > 2}
        self._places = sorted(both.items(), key=lambda item: len(item[0]), reverse=True)
        seen = os.environ if environment is None else environment
        self._secrets = [
            value
            for name, value in seen.items()
            if _SECRET_NAMES.search(name) and len(value) >= _SHORTEST
        ]

    def clean(self, text: str) -> str:
        text = scrub(text)
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        for path, name in self._places:
            text = text.replace(path, name)
        # Patterns are slow on what an engine may print without ever ending a line.
        text = text[: 2 * _LONGEST_LINE]
        text = _HOMES.sub("~", text)
        text = _IN_ADDRESS.sub(rf"\g<1>{MASK}@", text)
        text = _QUERY.sub(rf"\g<1>{MASK}", text)
        text = _ASSIGNED.sub(rf"\g<1>\g<2>{MASK}", text)
        return _CONTROLS.sub("", text)[:_LONGEST_LINE]


def _forms(path: Path) -> set[str]:
    """A folder as programs may print it: as it was given, and with its links resolved."""
    return {form for p in (path.absolute(), path.resolve()) for form in (str(p), p.as_posix())}
