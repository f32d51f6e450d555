"""What the project says about itself: read in a checkout, else from what is installed."""

from __future__ import annotations

import importlib.metadata
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from avatar_core.errors import EnvironmentFault
from backends.colab.notebook.closure import package_folder

NAME = "avatar-core"
# The extra whose packages the other side needs besides our own requirements.
EXTRA = "server"


@dataclass(frozen=True, slots=True)
class Project:
    """``requires`` are requirements without conditions; ``entry_points`` go from group to name to
    target."""

    name: str
    version: str
    licence: str
    licence_text: str
    requires_python: str
    requires: tuple[str, ...]
    entry_points: Mapping[str, Mapping[str, str]]


def project() -> Project:
    """A checkout is asked first: what was installed from it may be older than its files."""
    folder = package_folder("avatar_core").parent
    file = folder / "pyproject.toml"
    if file.is_file():
        stated = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
        if stated.get("name") == NAME:
            return of_checkout(stated, (folder / "LICENSE").read_text(encoding="utf-8"))
    try:
        return of_installed(importlib.metadata.distribution(NAME))
    except importlib.metadata.PackageNotFoundError:
        raise EnvironmentFault(
            f"{NAME} is not installed: nothing says what version this is.",
            advice=f"Install it with: pip install {NAME}",
        ) from None


def of_checkout(stated: Mapping[str, Any], licence_text: str) -> Project:
    """From the table ``[project]`` of a pyproject.toml."""
    return Project(
        name=stated["name"],
        version=stated["version"],
        licence=stated["license"],
        licence_text=licence_text,
        requires_python=_sorted_bounds(stated["requires-python"]),
        requires=_spelled([*stated["dependencies"], *stated["optional-dependencies"][EXTRA]]),
        entry_points=stated.get("entry-points", {}),
    )


def of_installed(found: importlib.metadata.Distribution) -> Project:
    """From the metadata of an installed package."""
    points: dict[str, dict[str, str]] = {}
    for point in found.entry_points:
        if point.group != "console_scripts":
            points.setdefault(point.group, {})[point.name] = point.value
    about = found.metadata
    return Project(
        name=about["Name"],
        version=found.version,
        licence=about["License-Expression"] or "",
        licence_text=found.read_text("licenses/LICENSE") or "",
        requires_python=_sorted_bounds(about["Requires-Python"]),
        requires=_spelled(_of_extra(found.requires or [])),
        entry_points=points,
    )


def _of_extra(lines: Iterable[str]) -> list[str]:
    kept = []
    for line in lines:
        requirement, _, condition = (part.strip() for part in line.partition(";"))
        if not condition or condition.replace('"', "'") == f"extra == '{EXTRA}'":
            kept.append(requirement)
    return kept


def _spelled(requirements: Iterable[str]) -> tuple[str, ...]:
    """Build tools write bounds in an order of their own; the wheel must not depend on it."""
    return tuple(sorted(_sorted_bounds(line) for line in requirements))


def _sorted_bounds(text: str) -> str:
    at = min((text.find(sign) for sign in "<>=!~" if sign in text), default=len(text))
    name, bounds = text[:at].strip(), text[at:]
    return name + ",".join(sorted(part.strip() for part in bounds.split(",")))
