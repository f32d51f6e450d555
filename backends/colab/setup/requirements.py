"""The packages that this program needs and that the notebook's Python lacks.

It runs before any of them is there, so it uses nothing but the standard library and `packaging`,
which every Jupyter brings.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, PathDistribution, version
from pathlib import Path


def install_requirements(program: Path) -> None:
    """Install what the program unpacked in ``program`` asks for and is not there; what is there
    stays as it is. Raises `SystemExit` with a sentence when pip fails."""
    (about,) = program.glob("*.dist-info")
    missing = lacking(PathDistribution(about).requires or [])
    if not missing:
        return
    print("Installing", ", ".join(missing), "...")
    command = [sys.executable, "-m", "pip", "install", "--quiet", *missing]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        raise SystemExit(
            f"pip could not install {', '.join(missing)}. It said:\n{done.stderr[-1500:]}\n"
            "What to do: check the network and run this cell again."
        )


def lacking(requirements: Iterable[str]) -> list[str]:
    """Those that no installed package fulfils."""
    return [line for line in requirements if not _is_met(line)]


def _is_met(line: str) -> bool:
    from packaging.requirements import Requirement

    requirement = Requirement(line)
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return False
    return requirement.specifier.contains(found, prereleases=True)
