"""One try at one rung, with everything a backend may do wrong turned into an `AvatarError`."""

from __future__ import annotations

import contextlib
import errno
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from avatar_core.backend import AvatarBackend, AvatarClip, AvatarRequest, Job
from avatar_core.cancel import CancelToken
from avatar_core.errors import (
    AvatarError,
    Cancelled,
    Category,
    EnvironmentFault,
    InputError,
)

log = logging.getLogger(__name__)

Validate = Callable[[AvatarClip, AvatarRequest], AvatarClip]


@dataclass(slots=True)
class Attempt:
    """What an `AttemptRunner` gets: the rung's backend and request, and the way to try them."""

    name: str
    backend: AvatarBackend
    request: AvatarRequest
    work_dir: Path
    cancel: CancelToken
    on_progress: Callable[[float, str], None]
    validate: Validate
    clock: Callable[[], float] = time.monotonic
    resumed: bool = False

    def run(
        self,
        request: AvatarRequest | None = None,
        *,
        deadline: float | None = None,
        remote_id: str | None = None,
        on_remote_id: Callable[[str], None] | None = None,
    ) -> AvatarClip:
        """Try once and validate the clip; raises `AvatarError`. Each call has its own folder."""
        self.cancel.check()
        asked = request or self.request
        self.resumed = self.resumed or remote_id is not None
        folder = Path(tempfile.mkdtemp(prefix="a", dir=self.work_dir))
        try:
            job = Job(
                folder,
                deadline=deadline,
                cancel=self.cancel,
                on_progress=self.on_progress,
                on_remote_id=on_remote_id or _forget,
                remote_id=remote_id,
                clock=self.clock,
            )
            with contained(self.name):
                clip = _as_clip(self.backend.generate(asked, job))
            return self.validate(replace(clip, backend=self.name), asked)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


class AttemptRunner(Protocol):
    """How a rung is tried: once, or again and again under a policy."""

    def __call__(self, attempt: Attempt) -> AvatarClip:
        """The validated clip; raises `AvatarError`."""


def run_once(attempt: Attempt) -> AvatarClip:
    """Exactly one try."""
    return attempt.run()


@contextlib.contextmanager
def contained(name: str) -> Iterator[None]:
    """Around every call of backend ``name``: its bugs are its own failure, not the program's.

    What the backend means to say passes: `AvatarError`, `Cancelled`, `EnvironmentFault`. Bad
    input becomes the category of that name, and a full disk is told as what it is.
    """
    try:
        yield
    except (AvatarError, Cancelled, EnvironmentFault):
        raise
    except InputError as failure:
        raise AvatarError(Category.INVALID_INPUT, str(failure)) from failure
    except (Exception, SystemExit) as failure:
        if isinstance(failure, OSError) and failure.errno in (errno.ENOSPC, errno.EDQUOT):
            raise EnvironmentFault(
                "The disk is full.",
                advice="Free some space and render again; what is done is kept.",
            ) from failure
        log.debug("the backend %s failed with an exception of its own", name, exc_info=True)
        raise AvatarError(
            Category.BACKEND_BUG, f"{type(failure).__name__}: {failure}".rstrip(": ")
        ) from failure


def _as_clip(result: object) -> AvatarClip:
    if not isinstance(result, AvatarClip):
        raise TypeError(f"generate returned {type(result).__name__} instead of AvatarClip")
    return result


def _forget(remote_id: str) -> None:
    del remote_id
