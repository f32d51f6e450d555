"""One try at one rung, with everything a backend may do wrong turned into an `AvatarError`."""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from avatar_core.backend import AvatarBackend, AvatarClip, AvatarRequest, Cost, Job
from avatar_core.cancel import CancelToken
from avatar_core.errors import (
    NO_ROOM,
    AvatarError,
    Cancelled,
    Category,
    DiskFull,
    EnvironmentFault,
    InputError,
)
from avatar_core.secrets import scrub

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
        on_remote_id: Callable[[str | None], None] | None = None,
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
            try:
                with contained(self.name, self.cancel):
                    clip = _as_clip(self.backend.generate(asked, job))
            finally:
                job.finish()
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
def contained(name: str, cancel: CancelToken | None = None) -> Iterator[None]:
    """Around every call of backend ``name``: its bugs are its own failure, not the program's.

    What the backend means to say passes: `AvatarError`, `EnvironmentFault`, and `Cancelled` once
    ``cancel`` is. Bad input becomes the category of that name, and a full disk is told as what
    it is.
    """
    try:
        yield
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except (AvatarError, EnvironmentFault) as failure:
        failure.args = (scrub(str(failure)),)
        failure.message = scrub(failure.message)
        failure.advice = failure.advice and scrub(failure.advice)
        raise
    except InputError as failure:
        raise AvatarError(Category.INVALID_INPUT, scrub(str(failure))) from failure
    except BaseException as failure:
        # A backend may say that its job was cancelled elsewhere: that stops the backend, and not
        # the user's render. The cancellation of asyncio is no `Exception`, so all are caught.
        if isinstance(failure, Cancelled) and cancel is not None and cancel.cancelled:
            raise
        if isinstance(failure, OSError) and failure.errno in NO_ROOM:
            raise DiskFull from failure
        log.debug("the backend %s failed with an exception of its own", name, exc_info=True)
        raise AvatarError(
            Category.BACKEND_BUG, scrub(f"{type(failure).__name__}: {failure}".rstrip(": "))
        ) from failure


def _as_clip(result: object) -> AvatarClip:
    if not isinstance(result, AvatarClip):
        raise TypeError(f"generate returned {type(result).__name__} instead of AvatarClip")
    _require(result, "cost", Cost)
    _require(result, "warnings", tuple)
    # A clip that was made, and perhaps paid for, is not thrown away for a text in place of a path.
    return replace(
        result, path=Path(result.path), warnings=tuple(scrub(str(w)) for w in result.warnings)
    )


def _require(clip: AvatarClip, name: str, kind: type) -> None:
    value: object = getattr(clip, name)
    if not isinstance(value, kind):
        raise TypeError(f"the clip's {name} is {type(value).__name__} instead of {kind.__name__}")


def _forget(remote_id: str | None) -> None:
    del remote_id
