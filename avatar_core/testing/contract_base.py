"""What every part of the contract's tests is written with: hooks, limits, a job that listens."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NoReturn, TypeVar

from avatar_core.backend import AvatarBackend, AvatarClip, AvatarRequest, Job
from avatar_core.cancel import CancelToken
from avatar_core.clock import Overrun, SystemClock
from avatar_core.errors import AvatarError
from avatar_core.testing import media

T = TypeVar("T")
Heard = Literal["progress", "ordered", "named", "dead", "waited"]


class _HeardClock(SystemClock):
    """The computer's clock, which tells that somebody waits by it."""

    def __init__(self, on_wait: Callable[[], None]) -> None:
        self._on_wait = on_wait

    def sleep(self, seconds: float, cancel: CancelToken | None = None) -> None:
        self._on_wait()
        super().sleep(seconds, cancel)


@dataclass(slots=True)
class Listener:
    """Notes what a backend tells its job. ``on_news`` is called with each piece of it.

    ``reference`` is new each time, as orders' are: a service may remember those of earlier runs.
    """

    events: list[tuple[Heard, str]] = field(default_factory=list)
    on_news: Callable[[], None] = lambda: None
    reference: str = field(default_factory=lambda: f"contract-{secrets.token_hex(8)}")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def job(
        self, work_dir: Path, *, cancel: CancelToken | None = None, remote_id: str | None = None
    ) -> Job:
        work_dir.mkdir(parents=True, exist_ok=True)
        return Job(
            work_dir,
            cancel=cancel,
            remote_id=remote_id,
            reference=self.reference,
            clock=_HeardClock(lambda: self._hear("waited", "")),
            on_progress=lambda fraction, message: self._hear("progress", message),
            on_order=lambda: self._hear("ordered", self.reference),
            on_remote_id=lambda name: self._hear("dead" if name is None else "named", str(name)),
        )

    def _hear(self, what: Heard, about: str) -> None:
        with self._lock:
            self.events.append((what, about))
        self.on_news()

    def heard(self, *kinds: Heard) -> list[str]:
        """What was said, of these kinds only, in order."""
        return [about for what, about in self.events if what in kinds]


class ContractBase:
    """The hooks that a subclass of `AvatarBackendContract` overrides, and its limits in seconds.

    Only `make_backend` must be. Point it at a double of your service: against a real one, the
    tests would cost what some twenty clips cost.
    """

    check_seconds = 5.0
    generate_seconds = 120.0
    cancel_seconds = 10.0

    def make_backend(self) -> AvatarBackend:
        """A new backend that can work, made as your plugin's users get it."""
        raise NotImplementedError(
            "Override make_backend() in your test class and return a backend that can work."
        )

    def make_request(self, folder: Path, seconds: float = 1.0) -> AvatarRequest:
        """A request that the backend can do, ``seconds`` long, its files in ``folder``.

        Options of another backend are replaced by those of the one from `make_backend`.
        """
        return media.request(folder, seconds)

    def unreachable_backend(self) -> AvatarBackend | None:
        """A backend whose service cannot be reached, such as at a port where nobody listens."""
        return None

    def orders_placed(self, backend: AvatarBackend) -> int | None:
        """How many jobs the double of the service was asked to create so far, in all."""
        del backend
        return None

    @contextlib.contextmanager
    def _opened(self, backend: AvatarBackend | None = None) -> Iterator[AvatarBackend]:
        """A backend that is closed at the end; what goes wrong there is another sentence's."""
        opened = backend if backend is not None else self.make_backend()
        try:
            yield opened
        finally:
            with contextlib.suppress(Exception):
                opened.close()

    def _request(self, backend: AvatarBackend, folder: Path, seconds: float = 1.0) -> AvatarRequest:
        folder.mkdir(parents=True, exist_ok=True)
        request = self.make_request(folder, seconds)
        if isinstance(request.options, backend.Options):
            return request
        return replace(request, options=backend.options)

    def _orders(self, backend: AvatarBackend) -> int:
        count = self.orders_placed(backend)
        if count is None and not backend.capabilities.needs_network:
            skip("This backend needs no network.")
        if count is None:
            skip("Override orders_placed() to say how many jobs your service's double created.")
        return count

    def _within(self, seconds: float, what: str, work: Callable[[], T]) -> T:
        try:
            return SystemClock().call(work, seconds)
        except Overrun:
            raise AssertionError(
                f"{what} did not come back within {seconds:g} s: give every wait in it a limit, "
                f"and look at job.cancelled in between."
            ) from None

    def _tried(
        self,
        backend: AvatarBackend,
        request: AvatarRequest,
        job: Job,
        seconds: float | None = None,
    ) -> AvatarClip | BaseException:
        """What `generate` returned or raised; fails where it took too long."""

        def work() -> AvatarClip | BaseException:
            try:
                return backend.generate(request, job)
            except BaseException as failure:
                return failure

        try:
            return self._within(seconds or self.generate_seconds, "generate()", work)
        finally:
            job.finish()

    def _made(self, backend: AvatarBackend, request: AvatarRequest, job: Job) -> AvatarClip:
        """The clip of a request that the backend can do."""
        result = self._tried(backend, request, job)
        if isinstance(result, AvatarError):
            raise AssertionError(
                f"generate() failed with {result.category}: {result.message} The request is one "
                "that should succeed: override make_request() if your backend needs another."
            ) from result
        if isinstance(result, BaseException):
            raise AssertionError(
                f"generate() let out {_named(result)}: raise AvatarError in its place."
            ) from result
        assert isinstance(result, AvatarClip), (
            f"generate() returned {type(result).__name__}: return an AvatarClip."
        )
        return result


def told(failure: BaseException, what: str) -> AvatarError:
    """``failure`` as an `AvatarError` that says what happened and what to do."""
    assert isinstance(failure, AvatarError), (
        f"{what} let out {_named(failure)}: catch it and raise AvatarError with one of the ten "
        "categories and a sentence for the user."
    )
    assert failure.message.strip() and failure.advice.strip(), (
        f"{what} raised AvatarError({failure.category}) without a message: say what happened."
    )
    return failure


def skip(reason: str) -> NoReturn:
    """Skip the test that runs: what it checks does not apply, or a hook for it is missing."""
    import pytest

    pytest.skip(reason)


def _named(failure: BaseException) -> str:
    return f"{type(failure).__name__} ({failure})" if str(failure) else type(failure).__name__
