"""The calls of one backend for one scene: again, with less ambition, or no more."""

from __future__ import annotations

from dataclasses import replace

from avatar_core.attempt import Attempt, contained
from avatar_core.backend import FREE, AvatarBackend, AvatarClip, AvatarRequest, Cost
from avatar_core.errors import AvatarError, Category, EnvironmentFault
from avatar_core.orders import Order
from avatar_core.policy.budget import BudgetRefusal, Reservation
from avatar_core.policy.state import Policy
from avatar_core.policy.table import TABLE
from avatar_core.remote_jobs import look_up, stop, stop_job
from avatar_core.scene_run import SceneRun
from avatar_core.trail import TrailEntry
from avatar_core.turns import PassedOver, Turn

# After these nobody knows whether an order that was sent has arrived.
_UNKNOWN = (Category.TIMEOUT, Category.BACKEND_BUG)


class Tries:
    """Used once. ``key`` is the rung's for the request, None where nothing is kept."""

    def __init__(
        self,
        policy: Policy,
        scene: SceneRun,
        attempt: Attempt,
        request: AvatarRequest,
        key: str | None,
    ) -> None:
        self._policy = policy
        self._scene = scene
        self._attempt = attempt
        self._backend = attempt.backend
        self._rung = attempt.name
        self._clock = policy.clock
        self._key = key or ""
        self._asked = request
        self._request, self._step = policy.ladder(self._rung).lowered(self._backend, request)
        self._calls = self._same_calls = 0
        self._resumed = False
        self._money: Reservation | None = None
        self._said: list[str] = []
        self._why_less = ""
        self._order = Order(
            policy.journal,
            key,
            backend=self._rung,
            scene=scene.name,
            clock=self._clock,
            source=policy.source,
            on_late=lambda remote_id: _stop_late(self._backend, remote_id, policy),
        )

    def run(self) -> AvatarClip | None:
        """A validated clip, or None when the calls are used up.

        Raises `PassedOver` and, for a failed health check, `AvatarError`.
        """
        try:
            while True:
                clip, pause = self._call()
                if clip is not None or pause is None:
                    return clip
                self._pause(pause)
        except BaseException:
            self._leave(None)
            raise
        finally:
            self._order.close()

    def delivered(self, clip: AvatarClip) -> None:
        """The clip is kept: its job is over, and its cost is what was spent."""
        self._order.forget()
        if self._money is not None:
            self._money.settle(clip.cost)
        else:
            self._policy.budget.count(self._rung, clip.cost)

    def _pause(self, seconds: float) -> None:
        if seconds >= 1:
            text = f"{self._rung} failed and is asked again in {seconds:.0f} s"
            self._scene.on_progress(0.0, text)
        self._clock.sleep(seconds, self._scene.cancel)

    def _call(self) -> tuple[AvatarClip | None, float | None]:
        """A clip, or the pause before the next call, or neither."""
        scene = self._scene
        began = self._clock()
        with Turn(self._policy, self._rung, self._backend, scene.deadline, scene.cancel) as turn:
            turn.admit()
            self._reserve()
            turn.require_health()
            began = self._clock()
            self._scene.on_progress(0.0, f"asking {self._rung}")
            self._calls += 1
            self._same_calls += 1
            self._resumed = self._order.exists
            try:
                clip = self._generate()
            except AvatarError as failure:
                turn.failed(failure)
                failed = failure
            else:
                turn.succeeded()
                return self._told(clip, began), None
        return None, self._after(failed, began)

    def _generate(self) -> AvatarClip:
        reorder = self._policy.settings.budget.reorder_lost
        said = look_up(self._order, self._backend, self._request, self._clock, reorder=reorder)
        self._said += [said] if said else []
        self._resumed = self._order.exists
        if not self._order.exists:
            # The job that was reserved nothing for is gone; a new one is ordered, and paid.
            self._reserve()
        seconds = min(self._policy.attempt_seconds(self._rung), self._scene.deadline.left)
        return self._attempt.run(self._request, self._order, seconds)

    def _told(self, clip: AvatarClip, began: float) -> AvatarClip:
        lowered = _what_was_lowered(self._asked, self._request)
        if lowered:
            why = f": {self._why_less}" if self._why_less else ""
            self._said.append(f"Made by {self._rung} with {lowered}{why}")
        self._note(None, "delivered", began, cost=clip.cost)
        return replace(clip, warnings=(*clip.warnings, *self._said))

    def _after(self, failure: AvatarError, began: float) -> float | None:
        if failure.category not in _UNKNOWN and not failure.unanswered:
            self._order.refused()
        pause = self._plan(failure)
        cost, said = (FREE, None) if pause is not None else self._leave(failure)
        message = f"{failure.message} {said}" if said else failure.message
        self._note(failure, message, began, cost=cost)
        return pause

    def _plan(self, failure: AvatarError) -> float | None:
        """Seconds until the next call, None where the next rung's turn has come."""
        decision = TABLE[failure.category]
        if decision.closes:
            return None
        if failure.billed and not self._order.exists:
            # What was paid once for this scene is not paid again.
            self._policy.bill(self._rung, self._key)
            return None
        attempts = self._policy.attempts(self._rung)
        if decision.step_down and not self._order.exists and self._lower(failure, attempts):
            return 0.0
        if not decision.retry or self._same_calls >= attempts:
            self._give_up(failure)
            return None
        pause = failure.retry_after
        if pause is None:
            pause = self._policy.backoff.pause(self._same_calls)
        if pause >= self._scene.deadline.left:
            self._give_up(failure)
            return None
        if failure.retry_after is not None:
            self._policy.limiter(self._rung, self._backend).hold(pause)
        return pause

    def _lower(self, failure: AvatarError, attempts: int) -> bool:
        """Take one step down, if there is one. One attempt is one call: then the step is only
        remembered, for the scenes to come."""
        lower = self._policy.ladder(self._rung).step(
            self._backend, self._request, self._step, failure
        )
        if lower is None or attempts == 1:
            return False
        self._request, self._step = lower
        self._same_calls, self._why_less = 0, failure.message
        if self._money is not None:
            self._money.release()
            self._money = None
        return True

    def _give_up(self, failure: AvatarError) -> None:
        if failure.retry_after is not None:
            why = f"it asked for a pause of {failure.retry_after:g} s"
            self._policy.breaker(self._rung).open_for(failure.retry_after, why)

    def _leave(self, failure: AvatarError | None) -> tuple[Cost, str | None]:
        """Nobody waits for this backend any more: what that cost, and what else to say."""
        billed = bool(failure and failure.billed) or (
            self._order.exists and self._backend.capabilities.costs_money
        )
        cost = FREE
        if self._money is not None and billed:
            cost = self._order.expected
            self._money.settle(cost)
        elif self._money is not None:
            self._money.release()
        said = None
        # Where nothing was called, a job of an earlier process is left as it is.
        if self._calls and not _is_done_badly(failure):
            said = stop(self._order, self._backend, self._clock)
        elif self._calls and not self._backend.capabilities.costs_money:
            self._order.forget()
        return cost, said

    def _reserve(self) -> None:
        if self._money is not None or self._order.exists:
            return
        price = self._price()
        try:
            self._money = self._policy.budget.reserve(self._rung, price)
        except BudgetRefusal as refusal:
            raise PassedOver(str(refusal)) from None
        self._order.begin(price or FREE)

    def _price(self) -> Cost | None:
        """None where it is not known beforehand."""
        limit = self._policy.settings.deadline.check
        try:
            with contained(self._rung):
                price: object = self._clock.call(
                    lambda: self._backend.estimate(self._request), limit
                )
                if price is not None and not isinstance(price, Cost):
                    raise TypeError(f"estimate returned {type(price).__name__} instead of Cost")
                return price
        except (AvatarError, EnvironmentFault):
            return None if self._backend.capabilities.costs_money else FREE

    def _note(
        self,
        failure: AvatarError | None,
        message: str,
        began: float,
        cost: Cost,
    ) -> None:
        self._scene.note(
            TrailEntry(
                backend=self._rung,
                category=failure.category if failure else None,
                message=message,
                advice=failure.advice if failure else None,
                started=began - self._scene.began,
                seconds=self._clock() - began,
                cost=cost,
                resumed=self._resumed,
                attempt=self._calls,
                step=self._step,
                passing=failure is not None and TABLE[failure.category].passing,
            )
        )


def _is_done_badly(failure: AvatarError | None) -> bool:
    """The job has ended, and what it made is no good: there is nothing to stop."""
    return failure is not None and failure.category is Category.BAD_OUTPUT


def _stop_late(backend: AvatarBackend, remote_id: str, policy: Policy) -> None:
    stop_job(backend, remote_id, policy.clock)


def _what_was_lowered(asked: AvatarRequest, request: AvatarRequest) -> str:
    """The options that differ, as ``name=value``."""
    before, after = asked.options.model_dump(), request.options.model_dump()
    return ", ".join(f"{k}={v}" for k, v in after.items() if before.get(k) != v)
