"""A rung's turn for one call: the gates it must pass, and the verdict that each call leaves."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from avatar_core.backend import AvatarBackend
from avatar_core.cancel import CancelToken
from avatar_core.errors import AvatarError
from avatar_core.policy.deadline import SceneDeadline
from avatar_core.policy.state import Policy
from avatar_core.policy.table import TABLE


class PassedOver(Exception):
    """A rung that is not called; its text says why, as the end of a sentence. ``passing`` says
    that it may be called later in the same run, ``advice`` what to do about it."""

    def __init__(self, reason: str, *, passing: bool = False, advice: str | None = None) -> None:
        super().__init__(reason)
        self.passing = passing
        self.advice = advice


class Turn:
    """``with Turn(...)``, then `wait` for the backend's limits, `admit` and `require_health`.

    A call must end with `succeeded` or `failed`; anything else says nothing of the backend.
    """

    def __init__(
        self,
        policy: Policy,
        rung: str,
        backend: AvatarBackend,
        deadline: SceneDeadline,
        cancel: CancelToken,
    ) -> None:
        self._policy = policy
        self._rung = rung
        self._backend = backend
        self._deadline = deadline
        self._cancel = cancel
        self._breaker = policy.breaker(rung)
        self._limiter = policy.limiter(rung, backend)
        self._began: float | None = None
        self._probe = self._has_turn = False

    def __enter__(self) -> Self:
        # Nobody queues for a backend that would not be called anyway.
        _pass_over(self._policy.closed(self._rung))
        _pass_over_for_now(self._breaker.refusal())
        self.time_left()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._has_turn:
            self._limiter.release()
        if self._began is not None:
            self._breaker.released(probe=self._probe)

    def wait(self, on_wait: Callable[[float], None] = lambda seconds: None) -> None:
        """Wait for the backend's limits; raises `PassedOver` where that takes too long.

        ``on_wait`` is as in `Limiter.acquire`.
        """
        until = self._policy.clock() + self.time_left()
        _pass_over_for_now(self._limiter.acquire(until, self._cancel, on_wait))
        self._has_turn = True

    def admit(self) -> None:
        """Pass the breaker; raises `PassedOver`. Another scene may have learnt something while
        this one waited."""
        _pass_over(self._policy.closed(self._rung))
        self.time_left()
        admission = self._breaker.admit()
        _pass_over_for_now(admission.refusal)
        self._probe = admission.probe
        self._began = self._policy.clock()

    def require_health(self) -> None:
        """Raise `AvatarError` where the backend says that it cannot work now."""
        failure, asked = self._policy.health.ask(
            self._rung, self._backend, anew=self._probe, cancel=self._cancel
        )
        if failure is not None:
            # One answer counts once, however many scenes are told of it.
            if asked:
                self.failed(failure, called=False)
            raise failure
        # While that was asked, another scene may have found out more.
        _pass_over(self._policy.closed(self._rung))
        if not self._probe:
            _pass_over_for_now(self._breaker.refusal())
        self.time_left()
        self._began = self._policy.clock()

    def succeeded(self) -> None:
        """The call delivered a sound clip."""
        if self._began is not None:
            self._breaker.succeeded(self._policy.clock() - self._began, probe=self._probe)
        self._began = None

    def failed(self, failure: AvatarError, *, called: bool = True) -> None:
        """The call failed."""
        decision = TABLE[failure.category]
        if decision.closes:
            self._policy.close(self._rung, failure)
        if decision.counts:
            if called:
                self._policy.health.forget(self._backend)
            self._breaker.failed(failure.message, probe=self._probe, called=called)
        else:
            self._breaker.answered(probe=self._probe)
        if not called and failure.retry_after is not None:
            self._breaker.open_for(failure.retry_after, failure.message)
        self._began = None

    def time_left(self) -> float:
        """Seconds that the scene has left, more than none; else it raises `PassedOver`."""
        left = self._deadline.left
        if left <= 0:
            why = "its time is used up (deadline.scene, or deadline.film for all scenes)"
            raise PassedOver(why, passing=True)
        return left


def _pass_over(reason: str | None) -> None:
    if reason is not None:
        raise PassedOver(reason)


def _pass_over_for_now(reason: str | None) -> None:
    if reason is not None:
        raise PassedOver(reason, passing=True)
