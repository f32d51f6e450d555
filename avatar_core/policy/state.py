"""What the chains of one film share: breakers, limits, money, time and what was found out."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from avatar_core.backend import FREE, AvatarBackend, Cost
from avatar_core.clock import Clock, SystemClock
from avatar_core.errors import AvatarError
from avatar_core.health import HealthChecks
from avatar_core.journal import Journal, MemoryJournal
from avatar_core.policy.affinity import Look
from avatar_core.policy.breaker import Breaker
from avatar_core.policy.budget import Budget
from avatar_core.policy.deadline import FilmDeadline, SceneDeadline
from avatar_core.policy.ladder import Ladder
from avatar_core.policy.limits import Limiter
from avatar_core.policy.retry import Backoff
from avatar_core.policy.settings import PolicySettings

T = TypeVar("T")


class Policy:
    """The state of one run; every part of it is safe to use from several threads.

    ``random`` is where jitter comes from; ``journal`` keeps remote jobs over processes. The
    film's time begins with its first scene.
    """

    def __init__(
        self,
        settings: PolicySettings | None = None,
        *,
        clock: Clock | None = None,
        source: random.Random | None = None,
        journal: Journal | None = None,
        health: HealthChecks | None = None,
    ) -> None:
        self.settings = settings or PolicySettings()
        self.clock = clock or SystemClock()
        self.source = source or random.SystemRandom()
        self.journal = journal if journal is not None else MemoryJournal()
        self.health = health or HealthChecks(limit=self.settings.deadline.check, clock=self.clock)
        self.backoff = Backoff(self.settings.retry, self.source)
        self.look = Look(self.settings.affinity)
        limits = {name: p.max_cost for name, p in self.settings.policies.items()}
        self.budget = Budget(
            self.settings.budget, {n: most for n, most in limits.items() if most is not None}
        )
        self._lock = threading.Lock()
        self._film: FilmDeadline | None = None
        self._breakers: dict[str, Breaker] = {}
        self._limiters: dict[str, Limiter] = {}
        self._ladders: dict[str, Ladder] = {}
        self._closed: dict[str, str] = {}
        self._billed: set[tuple[str, str]] = set()
        self._counted: dict[tuple[str, str], Cost] = {}
        self._foreseen: dict[tuple[str, str], Cost] = {}

    def scene(self) -> SceneDeadline:
        """The time of a scene whose turn is now."""
        with self._lock:
            if self._film is None:
                self._film = FilmDeadline(self.settings.deadline, self.clock)
            return self._film.scene()

    def attempts(self, rung: str) -> int:
        """How many calls with the same request a rung gets."""
        return self.settings.of(rung).attempts or self.settings.retry.attempts

    def attempt_seconds(self, rung: str, backend: AvatarBackend) -> float:
        """How long one call of a rung may take."""
        declared = backend.capabilities.attempt_seconds
        return self.settings.attempt_seconds(rung, declared)

    def breaker(self, rung: str) -> Breaker:
        def make() -> Breaker:
            slow = self.settings.of(rung).slow
            own = {} if slow is None else {"slow": slow}
            return Breaker(self.settings.breaker.model_copy(update=own), self.clock)

        return self._kept(self._breakers, rung, make)

    def limiter(self, rung: str, backend: AvatarBackend) -> Limiter:
        own, can = self.settings.of(rung), backend.capabilities
        allowed = [n for n in (own.concurrency, can.concurrency) if n is not None]
        # Whether a service is there, and the key is good, one scene finds out for all.
        is_remote = can.needs_network or can.costs_money
        breaker = self.breaker(rung)

        def make() -> Limiter:
            return Limiter(
                self.clock,
                # Less than one would be a turn that never comes.
                concurrency=max(1, min(allowed)) if allowed else None,
                per_minute=own.per_minute,
                alone=lambda: is_remote and breaker.unproven,
            )

        return self._kept(self._limiters, rung, make)

    def ladder(self, rung: str) -> Ladder:
        limit = self.settings.deadline.check
        return self._kept(self._ladders, rung, lambda: Ladder(self.clock, limit))

    def close(self, rung: str, failure: AvatarError) -> None:
        """No call of ``rung`` can succeed in this run any more."""
        with self._lock:
            self._closed.setdefault(rung, failure.message)

    def closed(self, rung: str) -> str | None:
        """Why ``rung`` is closed for the run, None where it is not."""
        with self._lock:
            why = self._closed.get(rung)
        return None if why is None else f"it is closed for this run: {why}"

    def bill(self, rung: str, request: str) -> None:
        """``rung`` has been paid for ``request`` (a key) and has not delivered."""
        with self._lock:
            self._billed.add((rung, request))

    def billed(self, rung: str, request: str) -> bool:
        with self._lock:
            return (rung, request) in self._billed

    def unbill(self, rung: str, request: str) -> None:
        """It may be ordered again: it has delivered, or was never ordered as it turns out."""
        with self._lock:
            self._billed.discard((rung, request))

    def not_yet_counted(self, rung: str, request: str, cost: Cost) -> Cost:
        """What of the ``cost`` of a request that has not delivered yet is new in this run: a job
        that was given up and paid, and is taken up again later, is paid once."""
        with self._lock:
            before = self._counted.get((rung, request), FREE)
            if before.amount and before.currency != cost.currency:
                return cost
            self._counted[rung, request] = max(before, cost, key=lambda c: c.amount)
            return Cost(max(Decimal(0), cost.amount - before.amount), cost.currency)

    def foresee(self, rung: str, request: str, cost: Cost) -> None:
        """A job of an earlier run waits to be fetched: its money is spent before this run begins,
        and what it cost is told when it is."""
        with self._lock:
            self._foreseen[rung, request] = cost
        self.budget.count(rung, cost)

    def keep_foreseen(self, rung: str, request: str) -> None:
        """What a job of an earlier run cost is spent for good: another one is ordered besides."""
        with self._lock:
            self._foreseen.pop((rung, request), None)

    def not_foreseen(self, rung: str, request: str, cost: Cost) -> Cost:
        """What of ``cost`` the budget does not hold already."""
        with self._lock:
            held = self._foreseen.get((rung, request), FREE)
            if not held.amount or held.currency != cost.currency:
                return cost
            used = min(held.amount, cost.amount)
            self._foreseen[rung, request] = Cost(held.amount - used, held.currency)
            return Cost(cost.amount - used, cost.currency)

    def uncount(self, rung: str, request: str) -> Cost:
        """Nothing of the request counts any more; returns what did."""
        with self._lock:
            counted = self._counted.pop((rung, request), FREE)
            foreseen = self._foreseen.pop((rung, request), FREE)
            same = not (counted.amount and foreseen.amount) or counted.currency == foreseen.currency
            return counted + foreseen if same else counted

    def delivered(self, rung: str, request: str) -> None:
        """The next order of the same request is another one, and paid again."""
        self.unbill(rung, request)
        self.uncount(rung, request)

    def _kept(self, parts: dict[str, T], name: str, make: Callable[[], T]) -> T:
        with self._lock:
            if name not in parts:
                parts[name] = make()
            return parts[name]
