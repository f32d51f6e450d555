"""What of an engine is not installed, in words: its folder, its Python, packages, weights."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from avatar_core.children import child_options
from avatar_core.errors import Category
from backends.sadtalker.engine import Engine, Fault, Weight

# Finding modules reads folders only; on a network drive that takes a while.
_PROBE_SECONDS = 60
_PROBE = (
    "import sys, json, importlib.util as u;"
    "print(json.dumps([n for n in sys.argv[1:] if u.find_spec(n) is None]))"
)
_SET_UP = "Run the set-up again: it installs and fetches only what is missing."


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that is missing: ``code`` is that of the failure of a job that needs it."""

    code: str
    says: str


def fault_of(engine: Engine, lacks: Sequence[Lack]) -> Fault:
    """The failure of a job that cannot start because of ``lacks``."""
    says = " ".join(lack.says for lack in lacks[:3])
    more = f" {len(lacks) - 3} more things are missing." if len(lacks) > 3 else ""
    return Fault(lacks[0].code, "", Category.UNSUPPORTED, f"{engine.title}: {says}{more}", _SET_UP)


def lacking_files(engine: Engine, root: Path) -> list[Lack]:
    """The folder of the engine, and the files in it that came with its source."""
    if not root.is_dir():
        return [Lack("not_installed", f"Its folder {root} does not exist.")]
    missing = [
        Lack("not_installed", f"{name} is missing in its folder.")
        for name in engine.files
        if not (root / name).is_file()
    ]
    if engine.scratch and not os.access(root, os.W_OK):
        says = f"Its folder {root} is not ours to write to, and it keeps its scratch files there."
        missing.append(Lack("not_installed", says))
    return missing


def lacking_weights(engine: Engine, root: Path, options: BaseModel | None) -> list[Lack]:
    """Weights that are not there or have another size than they must. Without ``options``, all
    that the engine can make use of are looked for."""
    there = (weight for weight in engine.fetched if (root / weight.path).exists())
    wanted = (w for w in (*engine.weights, *there) if options is None or w.needed(options))
    return [lack for weight in wanted if (lack := _lacking(weight, root)) is not None]


def located(python: str) -> str:
    """``python`` as it is found from any folder; the engine's is another than ours. Links stay, as
    an environment is known by the one to its interpreter."""
    told = str(Path(python).expanduser()) if python.startswith("~") else python
    found = shutil.which(told)
    return str(Path(found).absolute()) if found is not None else told


def lacking_python(python: str) -> list[Lack]:
    if shutil.which(python) is None:
        return [Lack("not_installed", f"Its Python {python} is not a program.")]
    return []


def lacking_modules(
    modules: Iterable[str], python: str, root: Path, environment: Mapping[str, str]
) -> list[Lack]:
    """Packages that its Python does not find; none of them is loaded, which would take long."""
    try:
        done = subprocess.run(
            [python, "-c", _PROBE, *modules],
            cwd=root,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=True,
            **child_options(),
        )
        absent = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return [Lack("not_installed", f"Its Python {python} does not start.")]
    if not absent:
        return []
    names = ", ".join(absent)
    return [Lack("environment_broken", f"Its Python lacks the packages {names}.")]


def _lacking(weight: Weight, root: Path) -> Lack | None:
    path = root / weight.path
    if not path.is_file():
        return Lack("weights_missing", f"{weight.path} is missing.")
    size = path.stat().st_size
    wanted = weight.bytes
    if size == wanted:
        return None
    if wanted is None:
        fault = _fault_in(path)
        return Lack("weights_damaged", f"{weight.path} {fault}.") if fault else None
    if size < wanted:
        return Lack(
            "weights_damaged", f"{weight.path} was cut off: it has {size:,} of {wanted:,} bytes."
        )
    return Lack("weights_damaged", f"{weight.path} has {size:,} bytes instead of {wanted:,}.")


def _fault_in(path: Path) -> str | None:
    """What is wrong with a file whose size nobody knows, as far as its form tells."""
    with path.open("rb") as stream:
        head = stream.read(64).lstrip()
    if not head:
        return "was cut off: it has 0 bytes"
    if head.startswith(b"<"):
        return "is a web page: the download was refused"
    if head.startswith(b"version https://git-lfs"):
        return "is only a pointer of Git LFS"
    # torch saves an archive, whose table of contents comes last.
    if head.startswith(b"PK") and not zipfile.is_zipfile(path):
        return "was cut off: its end is missing"
    return None
