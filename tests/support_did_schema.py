"""D-ID's own description of its wire (``data/did-openapi.json``), asked about a body."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema

_FILE = Path(__file__).parent / "data" / "did-openapi.json"
_JSON = "application/json"
_FORM = "multipart/form-data"


@functools.cache
def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))["paths"]
    return paths


@functools.cache
def _validator(route: str, place: str) -> Any:
    """The check of a request's JSON (``place`` "request") or of an answer's (its status); None
    where nothing is declared."""
    method, path = route.split()
    operation = _paths()[path][method.lower()]
    node = operation.get("requestBody") if place == "request" else operation["responses"].get(place)
    content = (node or {}).get("content") or {}
    return jsonschema.Draft202012Validator(content[_JSON]["schema"]) if _JSON in content else None


def answer_faults(route: str, status: int, body: Any) -> list[str]:
    """What of ``body`` the description does not allow; nothing where it declares no answer.

    ``route`` is a method and a path as the description writes it: "GET /talks/{id}".
    """
    check = _validator(route, str(status))
    if check is None:
        return []
    return [f"{fault.json_path}: {fault.message}" for fault in check.iter_errors(body)]


def request_faults(route: str, body: Any) -> dict[str, str]:
    """What is wrong with a request's JSON by its place, in the words of the service.

    Of a union that nothing fits, the complaints of every branch are told in one breath, as the
    real service does: a fault of an audio script is told beside those of the text script that
    it is not.
    """
    check = _validator(route, "request")
    faults = check.iter_errors(body) if check is not None else ()
    return {_place(fault): _complaint(fault) for fault in faults}


def form_faults(route: str, fields: Mapping[str, Any]) -> list[str]:
    """Fields of a form that the description does not know."""
    method, path = route.split()
    content = _paths()[path][method.lower()]["requestBody"]["content"]
    known = content[_FORM]["schema"]["properties"]
    return [f"the form has a field {name!r}" for name in fields if name not in known]


def query_faults(route: str, query: Mapping[str, str]) -> list[str]:
    """Parameters of an address that the description does not know."""
    method, path = route.split()
    given = _paths().get(path, {}).get(method.lower(), {}).get("parameters", [])
    known = {one["name"] for one in given if one["in"] == "query"}
    return [f"the address has a parameter {name!r}" for name in query if name not in known]


def _place(fault: jsonschema.ValidationError) -> str:
    return ".".join(["body", *map(str, fault.absolute_path)])


def _complaint(fault: jsonschema.ValidationError) -> str:
    if not fault.context:
        return fault.message
    branches = [json.dumps({_place(one): {"message": one.message}}) for one in fault.context]
    return (
        "Could not match the union against any of the items. Issues: [" + ",".join(branches) + "]"
    )
