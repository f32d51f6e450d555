"""The tables of docs/script.md, made from the models: `python -m renderer.script.reference FILE`
writes them between the marks in FILE."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from renderer.presets import PRESETS
from renderer.script.models import TRANSITIONS
from renderer.script.schema import json_schema

BEGIN = "<!-- fields: made from the models -->"
END = "<!-- end of fields -->"
_ORDER = (
    "VideoScript Output Speaker Voice Avatar Scene Background ImageOverlay TextOverlay Captions "
    "Transition Padding Music Ducking Watermark Disclosure Limits"
).split()
_HEADINGS = {
    "VideoScript": "The film",
    "Output": "`output`",
    "Speaker": "`speakers.<name>`",
    "Voice": "`voice`",
    "Avatar": "`avatar`",
    "Scene": "`scenes[]`",
    "Background": "`background`",
    "ImageOverlay": "`overlays[]` with `type: image`",
    "TextOverlay": "`overlays[]` with `type: text`",
    "Captions": "`captions`",
    "Transition": "`transition`",
    "Padding": "`padding`",
    "Music": "`music`",
    "Ducking": "`music.ducking`",
    "Watermark": "`watermark`",
    "Disclosure": "`disclosure`",
    "Limits": "`limits`",
}


def reference() -> str:
    """All fields as Markdown tables, then the presets and the transitions."""
    schema = json_schema()
    parts = [_table(name, schema if name == "VideoScript" else schema["$defs"][name])
             for name in _ORDER]  # fmt: skip
    return "\n".join([*parts, _presets(), _transitions()])


def updated(document: str) -> str:
    """``document`` with the tables between its marks made anew."""
    before, rest = document.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


def _table(name: str, schema: dict[str, Any]) -> str:
    rows = "\n".join(_rows(schema))
    return (
        f"### {_HEADINGS[name]}\n\n{schema['description']}\n\n"
        f"| field | values | default | |\n|---|---|---|---|\n{rows}\n"
    )


def _rows(schema: dict[str, Any]) -> Iterator[str]:
    required = schema.get("required", ())
    for name, prop in schema["properties"].items():
        default = "required" if name in required else _default(prop)
        values = _values(prop).replace("|", "\\|")
        yield f"| `{name}` | {values} | {default} | {prop['description']} |"


def _default(prop: dict[str, Any]) -> str:
    value = prop.get("default")
    if value in (None, "", []):
        return ""
    if isinstance(value, list):
        return f"`[{', '.join(value)}]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _values(prop: dict[str, Any]) -> str:
    if "enum" in prop:
        return ", ".join(f"`{each}`" for each in prop["enum"] if isinstance(each, str))
    if "const" in prop:
        return f"`{prop['const']}`"
    if "$ref" in prop:
        return _linked(prop["$ref"])
    for form in ("anyOf", "oneOf"):
        if form in prop:
            forms = [_values(each) for each in prop[form] if each.get("type") != "null"]
            return " or ".join(dict.fromkeys(forms))
    return _kind(prop)


def _kind(prop: dict[str, Any]) -> str:
    kind = prop.get("type")
    if kind == "array":
        return f"list of {_values(prop['items'])}"
    if kind == "object":
        inner = prop.get("additionalProperties")
        return f"map of {_values(inner)}" if isinstance(inner, dict) else "map"
    if kind in ("number", "integer"):
        return f"{'whole ' if kind == 'integer' else ''}number{_bounds(prop)}"
    if kind == "string":
        return "path" if prop.get("format") == "path" else "text"
    return "`true` or `false`" if kind == "boolean" else "text or number"


def _bounds(prop: dict[str, Any]) -> str:
    low, over = prop.get("minimum"), prop.get("exclusiveMinimum")
    high = prop.get("maximum")
    parts = [
        f"at least {low:g}" if low is not None else "",
        f"more than {over:g}" if over is not None else "",
        f"at most {high:g}" if high is not None else "",
    ]
    words = ", ".join(part for part in parts if part)
    return f" ({words})" if words else ""


def _linked(reference: str) -> str:
    name = reference.rsplit("/", 1)[1]
    return f"map ({_HEADINGS[name]})"


def _presets() -> str:
    rows = "\n".join(
        f"| `{name}` | {preset.size} | {preset.fps} | {preset.meant_for} |"
        for name, preset in PRESETS.items()
    )
    return (
        "### Presets\n\nThe names for `output.preset`.\n\n"
        f"| preset | size | frames a second | for |\n|---|---|---|---|\n{rows}\n"
    )


def _transitions() -> str:
    names = ", ".join(f"`{name}`" for name in TRANSITIONS)
    return f"### Transitions\n\nThe names for `transition.type`, besides `none`: {names}.\n"


def main() -> None:
    """Make the tables in the document named on the command line anew."""
    path = Path(sys.argv[1])
    path.write_text(updated(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
