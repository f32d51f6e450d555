"""The JSON Schema of scene scripts, with which an editor completes and checks them."""

from __future__ import annotations

from typing import Any

from renderer.presets import PRESETS
from renderer.script.models import TRANSITIONS, VideoScript
from renderer.script.starter import starter_script

__all__ = ["SCHEMA_NAME", "json_schema", "starter_script"]

SCHEMA_NAME = "avatar.schema.json"


def json_schema() -> dict[str, Any]:
    """The schema (draft 2020-12). It knows kinds, names of keys and bounds; whether files and
    speakers exist is checked by `avatar check`."""
    schema = VideoScript.model_json_schema()
    definitions = schema["$defs"]
    # Examples, not an enumeration: {{variables}} may stand there, too.
    definitions["Output"]["properties"]["preset"]["examples"] = list(PRESETS)
    definitions["Transition"]["properties"]["type"]["examples"] = ["none", *TRANSITIONS]
    for part in (schema, *definitions.values()):
        _tidy(part)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Scene script",
    }


def _tidy(part: dict[str, Any]) -> None:
    part["description"] = " ".join(part.get("description", "").split())
    for prop in part.get("properties", {}).values():
        # Titles only repeat the key, and default objects only repeat the definitions.
        prop.pop("title", None)
        if isinstance(prop.get("default"), dict) or prop.get("default", "") is None:
            del prop["default"]
