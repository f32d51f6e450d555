"""Child processes: out of reach of the terminal's Ctrl-C, and never longer alive than we are."""

from __future__ import annotations

import errno
import functools
import os
import shutil
import subprocess
import sys
from typing import Any


def child_options() -> dict[str, Any]:
    """Options of `subprocess.Popen` that keep Ctrl-C from the child.

    Who started it ends it: a child that dies by itself would look like a failure of its own.
    """
    if os.name == "posix":
        return {"start_new_session": True}
    return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}


def reader_gone(failure: OSError, system: str = os.name) -> bool:
    """Whether a pipe could not be written because nobody reads it any more; Windows calls that an
    invalid argument."""
    return isinstance(failure, BrokenPipeError) or (
        system == "nt" and failure.errno == errno.EINVAL
    )


@functools.cache
def leash() -> tuple[str, ...]:
    """What to put before a command so that the kernel kills it when its parent is killed.

    Empty where the platform has no such thing: then the child finishes what it is doing.
    """
    # Setting it in a `preexec_fn` is not safe in a program with threads.
    found = shutil.which("setpriv") if sys.platform == "linux" else None
    if found is None:
        return ()
    tied = (found, "--pdeathsig", "KILL")
    try:
        subprocess.run([*tied, "true"], check=True, capture_output=True, timeout=5)
    except (OSError, subprocess.SubprocessError):
        # Before util-linux 2.33 it does not know the option.
        return ()
    return tied
