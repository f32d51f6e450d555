"""The one place where what a program on this machine did becomes an `AvatarError`.

A program ends with an exit code, or is ended by a signal, and says more on its error stream.
The tables are shown in docs/http.md.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence

from avatar_core.errors import ADVICE, AvatarError, Category
from avatar_core.http_tables import Hint, Meaning
from avatar_core.http_text import shown

# What a program says last decides; what it warned of on the way may have nothing to do with it.
_TAIL_CHARACTERS = 4000
_SHELL_SIGNAL = 128
_LAST_SIGNAL = 64

_INSTALL = "Install it again, and check that its folder is complete."
_MEMORY = (
    "Close other programs, use a smaller picture or easier options, or choose another backend."
)
_GPU = "Switch to a machine with a GPU, or choose another backend."
_FREE_SPACE = "Free some space on the disk and render again."

SIGNALS: dict[str, Meaning] = {
    "SIGKILL": Meaning(
        Category.SERVER, "was killed, probably because the memory was full", _MEMORY
    ),
    "SIGTERM": Meaning(Category.SERVER, "was ended from outside", "Render again."),
    "SIGINT": Meaning(Category.SERVER, "was interrupted from outside", "Render again."),
    "SIGHUP": Meaning(Category.SERVER, "was ended from outside", "Render again."),
    "SIGXCPU": Meaning(Category.TIMEOUT, "used up the computing time it is allowed"),
    "SIGXFSZ": Meaning(Category.SERVER, "wrote more than a file may hold", _FREE_SPACE),
}
CRASHED = Meaning(Category.SERVER, "crashed", "Render again; if it stays so, use easier options.")

CODES: dict[int, Meaning] = {
    2: Meaning(
        Category.UNSUPPORTED,
        "does not know the options it was called with",
        "Install the version that this backend was made for.",
    ),
    126: Meaning(Category.UNSUPPORTED, "may not be run", "Make the file executable."),
    127: Meaning(Category.UNSUPPORTED, "was not found", _INSTALL),
}
FAILED = Meaning(Category.SERVER, "failed")

# In the order in which they are looked for.
PROCESS_HINTS: tuple[Hint, ...] = (
    Hint(
        "GPU memory",
        r"cuda(error)?\b.{0,40}out of memory|OutOfMemoryError|cudaErrorMemoryAlloc",
        Category.SERVER,
        "ran out of GPU memory",
        _MEMORY,
    ),
    Hint(
        "memory",
        r"\bMemoryError\b|cannot allocate memory|DefaultCPUAllocator",
        Category.SERVER,
        "ran out of memory",
        _MEMORY,
    ),
    Hint(
        "disk",
        r"no space left on device|disk quota exceeded|errno 28\b",
        Category.SERVER,
        "found no room on the disk",
        _FREE_SPACE,
    ),
    Hint(
        "GPU",
        r"no cuda gpus are available|found no nvidia driver|no cuda-capable device|"
        r"no kernel image is available",
        Category.UNSUPPORTED,
        "found no GPU that it can use",
        _GPU,
    ),
    Hint(
        "library",
        r"ModuleNotFoundError|ImportError|no module named|"
        r"error while loading shared libraries|library not loaded",
        Category.UNSUPPORTED,
        "is not completely installed",
        _INSTALL,
    ),
    Hint(
        "options",
        r"unrecognized arguments|invalid choice:|no such option|unknown option",
        Category.UNSUPPORTED,
        CODES[2].says,
        CODES[2].advice,
    ),
    Hint(
        "network",
        r"connection refused|name or service not known|could not resolve host|"
        r"temporary failure in name resolution|network is unreachable",
        Category.CONNECTIVITY,
        "needed the network and did not reach it",
        "Check the network.",
    ),
    Hint(
        "permission",
        r"permission denied",
        Category.UNSUPPORTED,
        "may not use a file that it needs",
        "Check who owns its folder.",
    ),
    Hint(
        "file",
        r"command not found|no such file or directory",
        Category.UNSUPPORTED,
        "misses a file that it needs",
        _INSTALL,
    ),
)


def process_error(
    program: str, returncode: int, stderr: str | bytes = "", *, hints: Sequence[Hint] = ()
) -> AvatarError:
    """Why ``program`` ended with ``returncode`` (negative: by that signal, as `subprocess` says).

    ``hints`` are a backend's own; they see the exit code as their status and come before the
    common ones. Both look at the end of ``stderr`` only. The common ones are not asked about a
    program that was killed: whatever it had said, it did not end by that.
    """
    text = stderr.decode("utf-8", "replace") if isinstance(stderr, bytes) else stderr
    tail = text[-_TAIL_CHARACTERS:]
    meaning, code = _meaning(returncode)
    common = () if meaning is CRASHED or code in SIGNALS else PROCESS_HINTS
    hint = next((one for one in (*hints, *common) if one.fits(returncode, tail)), None)
    if hint is not None:
        meaning = Meaning(hint.category, hint.says or meaning.says, hint.advice)
    return _error(program, meaning, code, _last_line(tail), returncode)


def start_error(program: str, failure: OSError | subprocess.TimeoutExpired) -> AvatarError:
    """Why ``program`` could not be started, or was still running when its time was over."""
    if isinstance(failure, subprocess.TimeoutExpired):
        seconds = f"{failure.timeout:g} s"
        return _error(
            program, Meaning(Category.TIMEOUT, f"was still running after {seconds}"), "", ""
        )
    if isinstance(failure, FileNotFoundError):
        return _error(program, CODES[127], "", "")
    if isinstance(failure, PermissionError):
        return _error(program, CODES[126], "", "")
    meaning = Meaning(Category.SERVER, "could not be started", _MEMORY)
    return _error(program, meaning, "", shown(failure.strerror or type(failure).__name__))


def _meaning(returncode: int) -> tuple[Meaning, str]:
    number = -returncode if returncode < 0 else returncode - _SHELL_SIGNAL
    if 0 < number <= _LAST_SIGNAL:
        name = _signal_name(number)
        return SIGNALS.get(name, CRASHED), name
    # Windows gives the code of the exception, such as 0xC0000005.
    if returncode >= 0x80000000:
        return CRASHED, f"0x{returncode:08X}"
    return CODES.get(returncode, FAILED), f"exit code {returncode}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_line(text: str) -> str:
    lines = [line for line in text.replace("\r", "\n").splitlines() if line.strip()]
    return shown(lines[-1]).rstrip(".") if lines else ""


def _error(program: str, meaning: Meaning, code: str, message: str, status: int = 0) -> AvatarError:
    told = f"{program} {meaning.says}"
    told += f" ({code})" if code else ""
    told += f": {message}" if message else ""
    advice = meaning.advice or ADVICE[meaning.category]
    return AvatarError(meaning.category, f"{told}.", advice=advice, status=status or None)
