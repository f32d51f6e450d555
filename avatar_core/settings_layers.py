"""Where settings come from: one layer per source, each value with the place it was read at."""

from __future__ import annotations

import io
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avatar_core.errors import InputError, noted
from avatar_core.nearest import did_you_mean

PREFIX = "AVATAR_"
# Editors on Windows begin a file with a mark that would become part of its first key.
_NO_UTF8 = "This is not a text file in UTF-8."
_SAVE_AS_UTF8 = "Open it in an editor and save it again with the encoding UTF-8."
_ENCODING = "utf-8-sig"
# Services tell their users to set these, so they are read as they are.
AS_THEY_ARE = {
    "COLAB_API_URL": "backends.colab.url",
    "DID_API_KEY": "backends.did.api_key",
    "DID_API_URL": "backends.did.api_url",
}
# Tables by the name of a backend; what is in them depends on it.
OPEN_TABLES = frozenset({"backends", "policies"})
# Read by other parts directly from the environment, because they decide before settings exist.
ENVIRONMENT_ONLY = frozenset(
    {"AVATAR_PLUGINS", "AVATAR_FFMPEG", "AVATAR_DEBUG", "AVATAR_SERVE_TOKEN"}
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one value was read: for messages (``file``, ``line``, ``key``) and for people."""

    origin: str
    key: str
    file: Path | None = None
    line: int | None = None


@dataclass(slots=True)
class Layer:
    """Values by dotted key, and the place of each; ``mistakes`` are about what is no key at all."""

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    mistakes: list[InputError] = field(default_factory=list)

    def put(self, dotted: str, value: Any, place: Place) -> None:
        self.values[dotted] = value
        self.places[dotted] = place


def from_arguments(overrides: Mapping[str, Any]) -> Layer:
    """Keys may be dotted, values may be nested mappings."""
    layer = Layer()
    for dotted, value in _leaves(overrides):
        layer.put(dotted, value, Place("argument", dotted))
    return layer


def from_environment(variables: Mapping[str, str], known: frozenset[str]) -> Layer:
    """Values from environment variables; an unknown ``AVATAR_`` one is a mistake.

    ``known`` holds the dotted keys that exist (below `OPEN_TABLES` anything may).
    """
    return _from_variables(variables, known, None, {})


def from_dotenv(path: Path, known: frozenset[str]) -> Layer:
    """Values from the lines of a ``.env`` file; others' variables in it are left alone."""
    if not path.is_file():
        return Layer()
    import dotenv

    try:
        text = path.read_text(encoding=_ENCODING)
    except UnicodeDecodeError:
        raise InputError(_NO_UTF8, file=path, advice=_SAVE_AS_UTF8) from None
    except OSError as failure:
        raise InputError(f"The file cannot be read: {failure.strerror}.", file=path) from None
    variables = dotenv.dotenv_values(stream=io.StringIO(text), interpolate=False)
    return _from_variables(variables, known, path, _assignment_lines(text))


def _from_variables(
    variables: Mapping[str, str | None],
    known: frozenset[str],
    file: Path | None,
    lines: Mapping[str, int],
) -> Layer:
    layer = Layer()
    # The project's own spelling comes last and so wins over a service's.
    for name in sorted(variables, key=lambda name: name.startswith(PREFIX)):
        value = variables[name]
        ours = name.startswith(PREFIX) or name in AS_THEY_ARE
        # An empty variable counts as unset: that is how shells and CI take one away.
        if not value or not ours or (name in ENVIRONMENT_ONLY and file is None):
            continue
        place = Place(".env" if file else f"environment {name}", name, file, lines.get(name))
        with noted(layer.mistakes):
            layer.put(_dotted(name, known, place), value, place)
    return layer


# What beginners do most often, by a part of what the parser says.
_PATH_ADVICE = r"Put a path in single quotes: root = 'C:\SadTalker'"
_TOML_ADVICE = {
    "\\": _PATH_ADVICE,
    "hex value": _PATH_ADVICE,
    "value": 'Text stands in quotes: backend = "colab"',
}


def from_toml(path: Path) -> Layer:
    """Values from ``avatar.toml``; raises `InputError` where it cannot be read."""
    try:
        text = path.read_text(encoding=_ENCODING)
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as failure:
        at = re.search(r"at line (\d+)", str(failure))
        line = int(at[1]) if at else None
        advice = next((told for part, told in _TOML_ADVICE.items() if part in str(failure)), None)
        message = f"This is not valid TOML: {failure}."
        raise InputError(message, file=path, line=line, advice=advice) from None
    except UnicodeDecodeError:
        raise InputError(_NO_UTF8, file=path, advice=_SAVE_AS_UTF8) from None
    except OSError as failure:
        raise InputError(
            f"The configuration file cannot be read: {failure.strerror}.", file=path
        ) from None
    lines = _toml_lines(text)
    layer = Layer()
    for dotted, value in _leaves(content):
        number = _nearest_line(dotted, lines)
        layer.put(dotted, value, Place(f"{path.name}:{number}", dotted, path, number))
    return layer


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys as nested dicts."""
    tree: dict[str, Any] = {}
    for dotted, value in values.items():
        *parents, last = dotted.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise InputError("It is given both as a value and as a table.", key=dotted)
        node[last] = value
    return tree


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        dotted = f"{prefix}{key}"
        # Below backends.<name>.<option> a table is the option's value, not more of our keys.
        is_option = dotted.startswith("backends.") and dotted.count(".") >= 2
        if isinstance(value, Mapping) and not is_option:
            yield from _leaves(value, f"{dotted}.")
        else:
            yield dotted, value


def _dotted(variable: str, known: frozenset[str], place: Place) -> str:
    if variable in AS_THEY_ARE:
        return AS_THEY_ARE[variable]
    dotted = variable.removeprefix(PREFIX).lower().replace("__", ".")
    parts = dotted.split(".")
    closed = known - OPEN_TABLES
    if dotted in closed or (parts[0] in OPEN_TABLES and len(parts) == 3 and all(parts)):
        return dotted
    if variable in ENVIRONMENT_ONLY:
        raise InputError(
            "It is read from the environment only.",
            file=place.file,
            line=place.line,
            key=variable,
            advice="Take it out of this file and set it in the shell.",
        )
    names = {variable_for(key) for key in closed} | ENVIRONMENT_ONLY
    advice = did_you_mean(variable, names)
    if parts[0] in OPEN_TABLES:
        advice = f"Write it as {variable_for(parts[0])}__NAME__KEY, NAME being a backend."
    raise InputError(
        "There is no such setting.",
        file=place.file,
        line=place.line,
        key=variable,
        advice=advice,
    )


def variable_for(dotted: str) -> str:
    """The environment variable of a dotted key."""
    return PREFIX + dotted.replace(".", "__").upper()


def _assignment_lines(text: str) -> dict[str, int]:
    found = (re.match(r"\s*(?:export\s+)?(\w+)\s*=", line) for line in text.splitlines())
    return {match[1]: number for number, match in enumerate(found, 1) if match}


def _toml_lines(text: str) -> dict[str, int]:
    """The line of each table and key. The standard parser gives none; this finds the usual
    spellings, and `_nearest_line` falls back to the table for the rest."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
            table = _bare(header[1])
            lines.setdefault(table, number)
        elif assignment := re.match(r"\s*([\w.\-\"' ]+?)\s*=", line):
            key = _bare(assignment[1])
            lines.setdefault(f"{table}.{key}" if table else key, number)
    return lines


def _bare(key: str) -> str:
    return re.sub(r"[\"'\s]", "", key)


def _nearest_line(dotted: str, lines: Mapping[str, int]) -> int:
    while dotted:
        if dotted in lines:
            return lines[dotted]
        dotted = dotted.rpartition(".")[0]
    return 1
