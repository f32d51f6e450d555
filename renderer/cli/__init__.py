"""The command line `avatar`: what a person types, sees and reads in an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line with ``argv`` (default: the process's) and return the exit code.

    0 done, 1 failed, 2 wrong input, 3 done but degraded under ``--strict``, 130 cancelled.
    """
    try:
        from renderer.cli.app import run

        return run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        # Ctrl-C before the first command has started: nothing is begun, nothing is lost.
        return 130
