"""One try at one rung, with everything a backend may do wrong turned into an `AvatarError`."""

from __future__ import annotations

import contextlib
import logging
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from avatar_core.backend import AvatarBackend, AvatarClip, AvatarRequest, Cost, Job
from avatar_core.cancel import CancelToken
from avatar_core.clock import Clock, Overrun
from avatar_core.errors import (
    ADVICE,
    NO_ROOM,
    AvatarError,
    Cancelled,
    Category,
    DiskFull,
    EnvironmentFault,
    InputError,
)
from avatar_core.orders import Order
from avatar_core.secrets import scrub

log = logging.getLogger(__name__)

Validate = Callable[[AvatarClip, AvatarRequest], AvatarClip]
# A backend that keeps its deadline says better what it waited for than one that is left behind.
GRACE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Attempt:
    """How the backend of a rung is called: where it works, who listens, what its clip must be."""

    name: str
    backend: AvatarBackend
    work_dir: Path
    cancel: CancelToken
    on_progress: Callable[[float, str], None]
    validate: Validate
    clock: Clock

    def run(
        self,
        request: AvatarRequest,
        order: Order | None = None,
        seconds: float | None = None,
        on_clip: Callable[[AvatarClip], None] | None = None,
    ) -> AvatarClip:
        """Call once, for at most ``seconds``, and validate the clip; raises `AvatarError`.

        ``order`` is the remote job to go on with, or the place to note a new one; ``on_clip``
        hears of the clip before it is judged. Each call has its own folder.
        """
        self.cancel.check()
        folder = Path(tempfile.mkdtemp(prefix="a", dir=self.work_dir))
        job = self._job(folder, order, seconds)
        limit = None if seconds is None else seconds + GRACE_SECONDS
        try:
            try:
                clip = self.clock.call(lambda: self._generate(request, job), limit, self.cancel)
            except Overrun as failure:
                if seconds is None or failure.seconds != limit:
                    raise
                raise Overrun(seconds) from None
            finally:
                job.finish()
            if on_clip is not None:
                on_clip(clip)
            return self.validate(replace(clip, backend=self.name), request)
        except BaseException as failure:
            shutil.rmtree(folder, ignore_errors=True)
            if getattr(failure, "advice", None) == ADVICE[Category.TIMEOUT]:
                self._name_the_limits(failure)
            raise

    def _name_the_limits(self, failure: BaseException) -> None:
        limits = f"policies.{self.name}.attempt_seconds, deadline.attempt, deadline.scene"
        vars(failure)["advice"] = f"Allow it more time ({limits}) or shorten the scene."

    def _generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        with contained(self.name, self.cancel):
            return _as_clip(self.backend.generate(request, job))

    def _job(self, folder: Path, order: Order | None, seconds: float | None) -> Job:
        order = order or Order()
        reference = order.reference
        return Job(
            folder,
            deadline=None if seconds is None else self.clock() + seconds,
            cancel=self.cancel,
            on_progress=self.on_progress,
            on_remote_id=lambda name: order.named(name, reference),
            remote_id=order.remote_id,
            reference=reference,
            on_order=order.placed,
            clock=self.clock,
        )


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
        _tidy(failure)
        raise
    except InputError as failure:
        raise AvatarError(Category.INVALID_INPUT, scrub(str(failure))) from failure
    except BaseException as failure:
        if getattr(failure, "is_virtual_time", False):
            raise
        # A backend may say that its job was cancelled elsewhere: that stops the backend, and not
        # the user's render. The cancellation of asyncio is no `Exception`, so all are caught.
        if isinstance(failure, Cancelled) and cancel is not None and cancel.cancelled:
            raise
        if isinstance(failure, OSError) and failure.errno in NO_ROOM:
            raise DiskFull from failure
        log.debug("the backend %s failed with an exception of its own", name, exc_info=True)
        text = f"{type(failure).__name__}: {_words(failure)}".rstrip(": ")
        raise AvatarError(Category.BACKEND_BUG, scrub(text)) from failure


def _tidy(failure: AvatarError | EnvironmentFault) -> None:
    """Make what a backend raised fit for decisions and eyes: its author may have given an
    exception for a message or a text for a number, or not have called the constructor."""
    failure.message = scrub(_words(getattr(failure, "message", failure)))
    advice = getattr(failure, "advice", None)
    if isinstance(failure, AvatarError):
        known = {"status": None, "billed": False, "unanswered": False, **vars(failure)}
        vars(failure).update(known)
        failure.category = _category(known.get("category"))
        failure.retry_after = pause_asked(known.get("retry_after"))
        advice = advice or ADVICE[failure.category]
    failure.advice = advice and scrub(_words(advice))
    failure.args = (scrub(_words(failure)),)


def _category(value: object) -> Category:
    try:
        return Category(value)  # type: ignore[arg-type]
    except ValueError:
        return Category.BACKEND_BUG


def pause_asked(value: object) -> float | None:
    """Seconds that a service asked to be left alone for; None for what is no such number."""
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return None if math.isnan(seconds) else max(0.0, seconds)


def _words(value: object) -> str:
    try:
        return str(value)
    except Exception:
        return type(value).__name__


def _as_clip(result: object) -> AvatarClip:
    if not isinstance(result, AvatarClip):
        raise TypeError(f"generate returned {type(result).__name__} instead of AvatarClip")
    _require(result, "cost", Cost)
    _require(result, "warnings", tuple)
    if result.cost.amount < 0:
        raise ValueError(f"the clip's cost is {result.cost.amount}")
    # A clip that was made, and perhaps paid for, is not thrown away for a text in place of a path.
    return replace(
        result, path=Path(result.path), warnings=tuple(scrub(str(w)) for w in result.warnings)
    )


def _require(clip: AvatarClip, name: str, kind: type) -> None:
    value: object = getattr(clip, name)
    if not isinstance(value, kind):
        raise TypeError(f"the clip's {name} is {type(value).__name__} instead of {kind.__name__}")
