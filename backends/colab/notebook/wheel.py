"""The wheel that a notebook carries: the server and what it needs of us, nothing else.

It is made of the files that are running now, so that it works alike from a checkout and from an
installed package, and the same files always give the same wheel. The format is that of
https://packaging.python.org/en/latest/specifications/binary-distribution-format/.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from backends.colab.notebook.closure import (
    PACKAGES,
    Closure,
    closure_of,
    modules_below,
    package_folder,
)
from backends.colab.notebook.project import Project, project

# What runs on the other side; whatever these import comes along.
ROOM = ("backends.colab.server", "backends.colab.setup", "backends.sadtalker")
# What those packages hold for this side only.
LEFT_OUT = frozenset({"__main__", "commands", "plugin", "backend"})
# Its face finder would bring its networks along; without it portraits get room on all sides.
DONE_WITHOUT = frozenset({"backends.puppet"})
# The first moment that a zip archive can name; a real one would make each wheel another.
_NO_DATE = (1980, 1, 1, 0, 0, 0)
_NOT_BY_RULE = {"PIL": "pillow", "ruamel": "ruamel.yaml", "dotenv": "python-dotenv"}


@dataclass(frozen=True, slots=True)
class Wheel:
    """``files`` by their path in the archive; ``version`` ends in a mark of their content."""

    version: str
    files: Mapping[str, bytes]
    requires: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"avatar_core-{self.version}-py3-none-any.whl"

    def archive(self) -> bytes:
        """The wheel file. It is stored, not compressed: not every zlib packs alike, and all files
        together pack better."""
        memory = io.BytesIO()
        with zipfile.ZipFile(memory, "w") as archive:
            for name, content in self.files.items():
                info = zipfile.ZipInfo(name, _NO_DATE)
                info.create_system, info.external_attr = 3, 0o100644 << 16
                archive.writestr(info, content)
        return memory.getvalue()


def build_wheel() -> Wheel:
    """The wheel of the program that is running."""
    facts = project()
    found = closure_of(_roots(), DONE_WITHOUT)
    files = _code(found)
    requires = tuple(required(found.foreign, facts.requires))
    # A local version: the same release, and told apart by what is in it.
    version = f"{facts.version}+notebook.{_mark(files)}"
    files |= _about(version, requires, facts, found)
    files |= _record(files, f"avatar_core-{version}.dist-info")
    return Wheel(version, dict(sorted(files.items())), requires)


def required(foreign: Iterable[str], requires: Iterable[str]) -> list[str]:
    """Those of our requirements that provide a package which is imported.

    What is imported and is no requirement of ours is there or is not: `google.colab`, `torch`.
    """
    wanted = {_normal(_NOT_BY_RULE.get(name, name)) for name in foreign}
    return sorted(line for line in set(requires) if _normal(_distribution(line)) in wanted)


def _roots() -> list[str]:
    names = [name for package in ROOM for name in modules_below(package)]
    return [name for name in names if name.rpartition(".")[2] not in LEFT_OUT]


def _code(found: Closure) -> dict[str, bytes]:
    files = {}
    for name, file in found.modules.items():
        inside = file.relative_to(package_folder(name.partition(".")[0]).parent)
        files[inside.as_posix()] = file.read_bytes().replace(b"\r\n", b"\n")
    for package in PACKAGES:
        files[f"{package}/py.typed"] = b""
    return files


def _mark(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(hashlib.sha256(name.encode()).digest())
        digest.update(hashlib.sha256(files[name]).digest())
    return digest.hexdigest()[:8]


def _about(
    version: str, requires: Iterable[str], facts: Project, found: Closure
) -> dict[str, bytes]:
    folder = f"avatar_core-{version}.dist-info"
    metadata = [
        "Metadata-Version: 2.4", "Name: avatar-core", f"Version: {version}",
        f"Summary: What a notebook needs of {facts.name}: the server and the engine runner.",
        f"License-Expression: {facts.licence}", "License-File: LICENSE",
        f"Requires-Python: {facts.requires_python}",
        *(f"Requires-Dist: {line}" for line in requires),
    ]  # fmt: skip
    wheel = ["Wheel-Version: 1.0", "Generator: avatar notebook", "Root-Is-Purelib: true",
             "Tag: py3-none-any"]  # fmt: skip
    return {
        f"{folder}/METADATA": _lines(metadata),
        f"{folder}/WHEEL": _lines(wheel),
        f"{folder}/entry_points.txt": _entry_points(facts, found),
        f"{folder}/licenses/LICENSE": facts.licence_text.encode(),
    }


def _entry_points(facts: Project, found: Closure) -> bytes:
    """Those that lead to a module which is in the wheel."""
    lines: list[str] = []
    for group, points in sorted(facts.entry_points.items()):
        kept = {n: t for n, t in sorted(points.items()) if t.partition(":")[0] in found.modules}
        if kept:
            lines += [f"[{group}]", *(f"{name} = {target}" for name, target in kept.items()), ""]
    return _lines(lines)


def _record(files: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    lines = []
    for name in sorted(files):
        digest = base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest())
        lines.append(f"{name},sha256={digest.rstrip(b'=').decode()},{len(files[name])}")
    return {f"{folder}/RECORD": _lines([*lines, f"{folder}/RECORD,,"])}


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _distribution(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
