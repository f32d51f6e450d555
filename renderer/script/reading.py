"""A script from a file or from Python objects, checked key by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from avatar_core.errors import InputError
from renderer.script.files import as_spelt
from renderer.script.mistakes import Mistakes, explained
from renderer.script.models import Scene, VideoScript
from renderer.script.syntax import Parsed, parse_json, parse_yaml
from renderer.script.variables import fill_in

MAX_BYTES = 1024 * 1024
_INIT = "Begin with what `avatar init` writes."


@dataclass(frozen=True, slots=True)
class ScriptSource:
    """A script whose keys and values are right and whose variables are filled in.

    ``lines`` gives the line of a key path such as ``scenes[2].text``; it is empty for Python
    objects. ``base`` is the folder from which relative paths count.
    """

    script: VideoScript
    lines: Mapping[str, int] = field(default_factory=dict)
    base: Path = field(default_factory=Path.cwd)
    file: Path | None = None

    def line(self, key: str) -> int | None:
        """The line of ``key``, or of the nearest thing around it."""
        return nearest_line(self.lines, key)


def read_script(path: Path, variables: Mapping[str, object] | None = None) -> ScriptSource:
    """Read a YAML or JSON file; ``variables`` win over the script's own.

    Raises `InputError` (with ``.mistakes``, all of them) for anything wrong in the file.
    """
    path = as_spelt(path)
    text = _text_of(path)
    if not text.strip():
        raise InputError("the script is empty.", file=path, advice=_INIT)
    parse = parse_json if path.suffix.lower() == ".json" else parse_yaml
    return _source(parse(text, path), path.parent.absolute(), path, variables)


def load_script(
    source: Path | str | VideoScript | Mapping[str, Any] | Sequence[Scene],
    base: Path | None = None,
    variables: Mapping[str, object] | None = None,
) -> ScriptSource:
    """Read a script from wherever it is: a path, a `VideoScript`, a dict, a list of `Scene`.

    Relative paths count from the file's folder, else from ``base`` (the working folder).
    """
    if isinstance(source, str | Path):
        return read_script(Path(source), variables)
    data = _plain(source)
    if isinstance(data, list):
        data = {"scenes": data}
    return _source(Parsed(data), (base or Path.cwd()).absolute(), None, variables)


def nearest_line(lines: Mapping[str, int], key: str) -> int | None:
    while key and key not in lines:
        key = key[: max(key.rfind("."), key.rfind("["), 0)]
    return lines.get(key)


def _source(
    parsed: Parsed, base: Path, file: Path | None, variables: Mapping[str, object] | None
) -> ScriptSource:
    if parsed.data is None or parsed.data == {}:
        raise InputError("the script is empty.", file=file, advice=_INIT)
    if not isinstance(parsed.data, dict):
        raise InputError(
            'a script is a map that begins with keys such as "scenes:".',
            file=file,
            line=nearest_line(parsed.lines, ""),
            advice=_INIT,
        )
    mistakes = Mistakes(file, lambda key: nearest_line(parsed.lines, key))
    data = fill_in(parsed.data, variables or {}, mistakes.tell)
    mistakes.raise_any()
    try:
        script = VideoScript.model_validate(data)
    except ValidationError as failure:
        for key, message, advice in explained(failure):
            mistakes.tell(message, key, advice)
        mistakes.raise_any()
        raise
    return ScriptSource(script, parsed.lines, base, file)


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as failure:
        raise InputError(
            "there is no such script.", file=path, advice="Check the path, or run `avatar init`."
        ) from failure
    except IsADirectoryError as failure:
        raise InputError(
            "this is a folder, not a script.", file=path, advice="Name the file in it."
        ) from failure
    except (OSError, ValueError) as failure:
        why = getattr(failure, "strerror", None) or failure
        raise InputError(
            f"the script cannot be read: {why}.", file=path, advice="Check the path."
        ) from failure
    if len(content) > MAX_BYTES:
        raise InputError(
            "the file is larger than 1 MiB, so it is hardly a script.",
            file=path,
            advice="Give the YAML or JSON file of the film, or split the film.",
        )
    return _decoded(content, path)


def _decoded(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        utf16 = content[:2] in (b"\xff\xfe", b"\xfe\xff")
        raise InputError(
            "the file is saved as UTF-16." if utf16 else "the file is not UTF-8 text.",
            file=path,
            line=content.count(b"\n", 0, failure.start) + 1,
            advice="Save it as UTF-8 in your editor.",
        ) from failure


def _plain(value: Any) -> Any:
    """Models as plain values; only what was set, so that the rest can still cascade."""
    if isinstance(value, BaseModel):
        names = value.model_fields_set | ({"type"} & set(type(value).model_fields))
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
