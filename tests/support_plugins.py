"""Third-party plugins as installed distributions: a package and its metadata in a folder."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path


def install(site: Path, distribution: str, source: str, *, plugin: str | None = None) -> str:
    """Install a distribution with one module and one entry point; returns the module's name.

    ``site`` stands for a site-packages folder; ``plugin`` is the entry point's name.
    """
    module = distribution.replace("-", "_")
    (site / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
    info = site / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n", encoding="utf-8"
    )
    (info / "entry_points.txt").write_text(
        f"[avatar_core]\n{plugin or module} = {module}\n", encoding="utf-8"
    )
    return module


def entry_points_of(*sites: Path) -> list[EntryPoint]:
    """The entry points of everything installed in ``sites``."""
    found: list[Distribution] = list(distributions(path=[str(site) for site in sites]))
    return [point for dist in found for point in dist.entry_points.select(group="avatar_core")]


def python(source: str, *sites: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run ``source`` in a fresh interpreter that has ``sites`` among its packages."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("AVATAR_")}
    variables |= {"PYTHONPATH": os.pathsep.join(map(str, sites)), **env}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        capture_output=True,
        text=True,
        env=variables,
        timeout=300,
        check=False,
    )
