"""The calls of one backend for one scene: again, with less ambition, or no more."""

from __future__ import annotations

from dataclasses import dataclass, replace

from avatar_core.attempt import Attempt
from avatar_core.backend import FREE, AvatarClip, AvatarRequest, Cost
from avatar_core.errors import AvatarError, Category, EnvironmentFault
from avatar_core.orders import Order
from avatar_core.payment import Payment
from avatar_core.policy.state import Policy
from avatar_core.policy.table import TABLE
from avatar_core.remote_jobs import FIND_SECONDS, SPOILT_ADVICE, look_up, settle_spoilt, stop
from avatar_core.scene_run import SceneRun
from avatar_core.trail import TrailEntry
from avatar_core.turns import PassedOver, Turn

# After these nobody knows whether an order that was sent has arrived.
_UNKNOWN = (Category.TIMEOUT, Category.BACKEND_BUG)


@dataclass(frozen=True, slots=True)
class Ending:
    """What the calls before an exception have left: their cost, what is still at the service (in
    sentences), and how many they were."""

    cost: Cost = FREE
    left_there: str | None = None
    calls: int = 0


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
        self._ladder = policy.ladder(self._rung)
        self._request, self._step = self._ladder.lowered(self._backend, request, scene.cancel)
        self._calls = self._same_calls = 0
        self._resumed = False
        self._said: list[str] = []
        self._why_less = ""
        self._not_stopped: str | None = None
        self._paid_for: str | None = None
        self._order = Order(
            policy.journal,
            key,
            backend=self._rung,
            scene=scene.name,
            clock=self._clock,
            source=policy.source,
            paid=self._backend.capabilities.costs_money,
            on_late=self._stop,
        )
        self._payment = Payment(
            policy, self._rung, self._backend, self._order, self._key, scene.cancel
        )
        self.ending = Ending()

    def run(self) -> AvatarClip | None:
        """A validated clip, or None when the calls are used up.

        Raises `PassedOver` and, for a failed health check, `AvatarError`; then `ending` says
        what the calls before it have left.
        """
        try:
            self._settle_spoilt()
            while True:
                clip, pause = self._call()
                if clip is not None or pause is None:
                    return clip
                self._pause(pause)
        except (PassedOver, AvatarError, EnvironmentFault):
            self.ending = Ending(self._leave(None), self._take_left_there(), self._calls)
            raise
        except BaseException:
            self._leave(None, telling=False)
            raise
        finally:
            self._order.close()

    def delivered(self) -> None:
        """The clip is kept: its job is over."""
        self._order.forget()
        self._payment.delivered()

    def _settle_spoilt(self) -> None:
        # Before its turn: nobody queues for what is not asked for.
        wanted = self._policy.settings.budget.reorder_bad
        said = settle_spoilt(self._order, reorder=wanted and not self._payment.was_in_vain)
        if said:
            self._payment.pay_again()
            self._said.append(said)

    def _tell_wait(self, seconds: float) -> None:
        what = f"another {seconds:.0f} s for" if seconds >= 1 else "for its turn at"
        self._scene.on_progress(0.0, f"waiting {what} {self._rung}")

    def _pause(self, seconds: float) -> None:
        if seconds >= 1:
            text = f"{self._rung} failed and is asked again in {seconds:.0f} s"
            self._scene.on_progress(0.0, text)
        self._clock.sleep(seconds, self._scene.cancel)

    def _call(self) -> tuple[AvatarClip | None, float | None]:
        """A clip, or the pause before the next call, or neither."""
        scene = self._scene
        with Turn(self._policy, self._rung, self._backend, scene.deadline, scene.cancel) as turn:
            # Nobody queues for what cannot be paid.
            self._payment.reserve(self._request)
            turn.wait(self._tell_wait)
            turn.admit()
            self._learn_from_others()
            self._payment.reserve(self._request)
            turn.require_health()
            began = self._clock()
            scene.on_progress(0.0, f"asking {self._rung}")
            self._same_calls += 1
            try:
                clip = self._generate(turn)
            except AvatarError as failure:
                failure.billed = failure.billed or self._payment.was_charged
                # All of it before the next scene's turn, which must heed what is found out here.
                turn.failed(failure)
                return None, self._after(failure, began)
            turn.succeeded()
            return self._told(clip, began), None

    def _generate(self, turn: Turn) -> AvatarClip:
        self._resumed = self._order.exists
        said = look_up(
            self._order,
            self._backend,
            self._request,
            self._clock,
            reorder=self._policy.settings.budget.reorder_lost,
            seconds=min(FIND_SECONDS, turn.time_left()),
            cancel=self._scene.cancel,
        )
        self._said += [said] if said else []
        if self._resumed and not self._order.exists:
            self._payment.forgive(unpaid=said is None)
        self._resumed = self._order.exists
        # The job that was reserved nothing for may be gone; a new one is ordered, and paid.
        self._payment.reserve(self._request)
        seconds = min(self._policy.attempt_seconds(self._rung, self._backend), turn.time_left())
        self._calls += 1
        return self._attempt.run(self._request, self._order, seconds, self._payment.charge)

    def _learn_from_others(self) -> None:
        """Another scene may have stepped down while this one waited for its turn."""
        if not self._order.exists and self._ladder.depth > self._step:
            cancel = self._scene.cancel
            self._request, self._step = self._ladder.lowered(self._backend, self._asked, cancel)
            self._payment.release()

    def _told(self, clip: AvatarClip, began: float) -> AvatarClip:
        lowered = _what_was_lowered(self._asked, self._request)
        if lowered:
            why = self._why_less or "more than that failed in another scene"
            self._said.append(f"Made by {self._rung} with {lowered}: {why}")
        # What the backend has to say of the clip belongs to its story.
        message = ". ".join(["delivered", *clip.warnings])
        self._note(None, message, began, self._payment.settle(clip.cost), self._step)
        return replace(clip, warnings=(*clip.warnings, *self._said))

    def _after(self, failure: AvatarError, began: float) -> float | None:
        if failure.category not in _UNKNOWN and not failure.unanswered:
            self._order.refused()
        step = self._step
        pause = self._plan(failure)
        cost = FREE if pause is not None else self._leave(failure)
        # What failed twice for one reason is told that once.
        said = (self._take_left_there() or "").replace(f": {failure.message}", ".")
        message = f"{failure.message} {said}" if said else failure.message
        self._note(failure, message, began, cost, step)
        return pause

    def _plan(self, failure: AvatarError) -> float | None:
        """Seconds until the next call, None where the next rung's turn has come."""
        decision = TABLE[failure.category]
        if decision.closes:
            return None
        if failure.billed and not self._order.exists:
            return None
        attempts = self._policy.attempts(self._rung)
        if self._may_step_down(failure, attempts) and self._lower(failure, attempts):
            return 0.0
        if not decision.retry or self._same_calls >= attempts:
            self._give_up(failure)
            return None
        pause = failure.retry_after
        if pause is None:
            pause = self._policy.backoff.pause(self._same_calls)
        # Nor is waited for a breaker that would still be open by then.
        in_vain = pause < self._policy.breaker(self._rung).opens_in
        if in_vain or pause >= self._scene.deadline.left:
            self._give_up(failure)
            return None
        if failure.retry_after is not None:
            self._policy.limiter(self._rung, self._backend).hold(pause)
        return pause

    def _may_step_down(self, failure: AvatarError, attempts: int) -> bool:
        """Asking for less is a new order: a job that is under way, and may be paid, goes first,
        and a pause that is asked for says that the load was too much and not the ambition."""
        if not TABLE[failure.category].step_down or failure.retry_after is not None:
            return False
        if not self._order.exists:
            return True
        if self._backend.capabilities.costs_money:
            return False
        if failure.category is Category.BAD_OUTPUT:
            # Perhaps only half of it arrived: it is fetched once more before it is given up.
            return self._same_calls >= attempts
        return failure.category is Category.TIMEOUT

    def _lower(self, failure: AvatarError, attempts: int) -> bool:
        """Take one step down, if there is one. One attempt is one call: then the step is only
        remembered, for the scenes to come."""
        lower = self._ladder.step(
            self._backend, self._request, self._step, failure, self._scene.cancel
        )
        if lower is None or attempts == 1:
            return False
        if not _is_done_badly(failure):
            self._stop()
        self._order.forget()
        self._request, self._step = lower
        self._same_calls, self._why_less = 0, failure.message
        self._payment.release()
        return True

    def _give_up(self, failure: AvatarError) -> None:
        if failure.retry_after is not None:
            why = f"it asked for a pause of {failure.retry_after:g} s"
            self._policy.breaker(self._rung).open_for(failure.retry_after, why)

    def _leave(self, failure: AvatarError | None, *, telling: bool = True) -> Cost:
        """Nobody waits for this backend any more: what that cost. Not ``telling``: no trail will
        ever say so."""
        # First of all: an answer that comes from now on is stopped by whoever hears it.
        self._order.close()
        billed = failure is not None and failure.billed
        cost = self._payment.leave(called=self._calls > 0, billed=billed)
        if telling and cost.amount:
            self._order.told()
        self._note_a_spoilt_clip(failure)
        if self._calls and self._backend.capabilities.costs_money:
            self._paid_for = _what_was_paid(self._order, failure, cost)
        # Where nothing was called, a job of an earlier process is left as it is.
        if self._calls and not _is_done_badly(failure):
            self._stop()
        elif self._calls and not self._backend.capabilities.costs_money:
            self._order.forget()
        return cost

    def _note_a_spoilt_clip(self, failure: AvatarError | None) -> None:
        """What is paid for and no good is fetched in one more render, and then no more. An answer
        in its place, such as a gateway's page, says nothing of it."""
        if failure is None or failure.status is not None:
            return
        if not (_is_done_badly(failure) or failure.billed):
            return
        if self._order.remote_id is None or not self._backend.capabilities.costs_money:
            return
        self._order.spoilt(failure.message)
        if self._order.flaw is not None:
            failure.advice = SPOILT_ADVICE

    def _stop(self, remote_id: str | None = None) -> None:
        said = stop(self._order, self._backend, self._clock, remote_id)
        self._not_stopped = said or self._not_stopped

    def _take_left_there(self) -> str | None:
        said = [sentence for sentence in (self._paid_for, self._not_stopped) if sentence]
        self._paid_for = self._not_stopped = None
        return " ".join(said) or None

    def _note(
        self,
        failure: AvatarError | None,
        message: str,
        began: float,
        cost: Cost,
        step: int,
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
                step=step,
                passing=failure is not None and _may_pass(failure),
            )
        )


def _is_done_badly(failure: AvatarError | None) -> bool:
    """The job has ended, and what it made is no good: there is nothing to stop."""
    return failure is not None and failure.category is Category.BAD_OUTPUT


def _what_was_paid(order: Order, failure: AvatarError | None, cost: Cost) -> str | None:
    if not order.exists:
        return "It is paid for all the same." if cost.amount else None
    if order.is_unanswered:
        return "It may have been paid for: the order is looked for when it is asked again."
    if failure is not None and failure.billed and not _is_done_badly(failure):
        return "It is paid for all the same, and is not ordered again."
    if _is_done_badly(failure):
        if order.flaw is not None:
            return "It is paid for, and was no better when it was fetched again: it is let be."
        return "It is paid for: the next render fetches it once more, and orders no other."
    return "It is paid for: what it makes is fetched when it is asked again."


def _may_pass(failure: AvatarError) -> bool:
    return TABLE[failure.category].passing and not failure.billed


def _what_was_lowered(asked: AvatarRequest, request: AvatarRequest) -> str:
    """The options that differ, as ``name=value``."""
    before, after = asked.options.model_dump(), request.options.model_dump()
    return ", ".join(f"{k}={v}" for k, v in after.items() if before.get(k) != v)
