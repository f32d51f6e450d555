"""What can go wrong, in ten categories, and what a person can do about each."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path


class Category(StrEnum):
    """The ten kinds of failure of an avatar backend; the policy decides by these alone."""

    AUTH = "auth"
    QUOTA = "quota"
    RATE_LIMIT = "rate_limit"
    INVALID_INPUT = "invalid_input"
    UNSUPPORTED = "unsupported"
    TIMEOUT = "timeout"
    CONNECTIVITY = "connectivity"
    SERVER = "server"
    BAD_OUTPUT = "bad_output"
    BACKEND_BUG = "backend_bug"


ADVICE: dict[Category, str] = {
    Category.AUTH: "Check the backend's key or token: it is missing, wrong or expired.",
    Category.QUOTA: "The account has no credit left: top it up or choose another backend.",
    Category.RATE_LIMIT: "The service asks for a pause: render again later or with fewer workers.",
    Category.INVALID_INPUT: "Change the portrait or the narration as the message says.",
    Category.UNSUPPORTED: "This backend cannot do what the scene asks: choose another backend.",
    Category.TIMEOUT: "The backend took too long: allow more time or shorten the scene.",
    Category.CONNECTIVITY: "The service cannot be reached: check its address and the network.",
    Category.SERVER: "The service failed on its side: render again later.",
    Category.BAD_OUTPUT: "The backend delivered an unusable clip: render again or choose another.",
    Category.BACKEND_BUG: "The backend itself is faulty: report it to its author.",
}


class AvatarError(Exception):
    """A backend's failure, told in a category that the policy understands.

    ``message`` says what happened, ``advice`` what to do next (by default the category's).
    ``retry_after`` is in seconds. ``status`` is the HTTP status or exit code where there was
    one. ``billed`` says that the failed attempt was paid for all the same. ``unanswered`` says
    that an order may have arrived although no answer came, so that the job may exist.
    """

    def __init__(
        self,
        category: Category,
        message: str,
        *,
        advice: str | None = None,
        retry_after: float | None = None,
        status: int | None = None,
        billed: bool = False,
        unanswered: bool = False,
    ) -> None:
        super().__init__(message)
        self.category = category
        self.message = message
        self.advice = advice or ADVICE[category]
        self.retry_after = retry_after
        self.status = status
        self.billed = billed
        self.unanswered = unanswered


class InputError(Exception):
    """A mistake in what the user gave: a script, a file, a setting, an argument.

    Shown as one sentence, never as a traceback; the command line ends with exit code 2.
    ``file`` and ``line`` (counted from 1) say where, ``key`` is the dotted path of the value,
    ``advice`` the next step.
    """

    def __init__(
        self,
        message: str,
        *,
        file: Path | str | None = None,
        line: int | None = None,
        key: str | None = None,
        advice: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        self.key = key
        self.advice = advice

    def __str__(self) -> str:
        where = str(self.file) if self.file is not None else ""
        if self.line is not None:
            where = f"{where}:{self.line}" if where else f"line {self.line}"
        parts = [part for part in (where, self.key) if part]
        text = ": ".join([*parts, self.message])
        return f"{text} {self.advice}" if self.advice else text


class InputErrors(InputError):
    """Several mistakes, told together: by file and line, then those without a place. The first is
    told where only one can be."""

    def __init__(self, mistakes: Iterable[InputError]) -> None:
        self.mistakes = tuple(sorted(mistakes, key=_place))
        first = self.mistakes[0]
        super().__init__(
            first.message, file=first.file, line=first.line, key=first.key, advice=first.advice
        )

    def __str__(self) -> str:
        return "\n".join(str(mistake) for mistake in self.mistakes)


def _place(mistake: InputError) -> tuple[bool, str, int]:
    return mistake.file is None, str(mistake.file or ""), mistake.line or 0


@contextlib.contextmanager
def noted(found: list[InputError]) -> Iterator[None]:
    """Put the mistakes that are raised inside among those ``found``, and go on."""
    try:
        yield
    except InputErrors as several:
        found.extend(several.mistakes)
    except InputError as mistake:
        found.append(mistake)


class EnvironmentFault(Exception):
    """The machine lacks something the work needs: a folder it can use, ffmpeg, room on a disk.

    Not the script's fault, so the command line ends with exit code 1; ``advice`` is the next
    step for the user.
    """

    def __init__(self, message: str, *, advice: str | None = None) -> None:
        super().__init__(f"{message} {advice}" if advice else message)
        self.message = message
        self.advice = advice


# What the system says when a disk, a quota or a file system has no room left.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DiskFull(EnvironmentFault):
    """No room is left on a disk. Nobody but the user can make some, so the command line ends with
    exit code 2, as for anything that must change before the same command can succeed."""

    def __init__(self, where: Path | str | None = None) -> None:
        place = f": there is no room left for {where}" if where is not None else ""
        super().__init__(
            f"The disk is full{place}.",
            advice="Free some space and render again; what is done is kept.",
        )


class Cancelled(Exception):
    """The work was cancelled by the user; what had finished is kept."""
