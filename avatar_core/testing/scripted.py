"""A backend that does as it is told and remembers what it was asked, in virtual or real time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from avatar_core.backend import (
    AvatarBackend,
    AvatarClip,
    AvatarRequest,
    Capabilities,
    Cost,
    Health,
    Job,
)
from avatar_core.clock import Clock, SystemClock
from avatar_core.errors import AvatarError
from avatar_core.testing.remote_jobs import RemoteJobs
from avatar_core.testing.steps import Step, Turn, deliver

Verb = Literal["check", "generate", "safer", "find", "cancel", "close"]
Answer = Health | BaseException | Callable[[], Health]
HEALTHY = Health(ok=True, message="ready")


class ScriptedOptions(BaseModel):
    """``ambition`` names a rung of the backend's ladder; empty means its first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ambition: str = ""


@dataclass(slots=True)
class Call:
    """One call of the backend: what, from when to when (readings of its clock), and with what.

    ``about`` is the remote id of a `cancel` and the reference of a `find`; ``resumed`` is the
    remote id that a `generate` started with. ``ended`` is None while the call goes on.
    """

    what: Verb
    at: float
    ended: float | None = None
    request: AvatarRequest | None = None
    job: Job | None = None
    about: str = ""
    resumed: str | None = None
    result: object = None
    failure: BaseException | None = None


class ScriptedBackend(AvatarBackend):
    """Takes one step a call (see `avatar_core.testing.steps`), the last one again and again.

    ``health`` is one answer or several, used up like steps; an exception is raised, a function
    called. ``price`` is what `estimate` says, by default what the contract's own would. ``ladder``
    names the steps of `safer`, the most ambitious first. ``service`` holds the jobs of `remote`
    steps; where it is given, `find` asks it. Without a ``clock``, steps wait by their job's.

    Under a name of its own in a registry it is a subclass whose constructor takes the options::

        class Colab(ScriptedBackend):
            def __init__(self, options=None):
                super().__init__("colab", deliver(seconds=30), options=options)
    """

    name: ClassVar[str] = "scripted"
    Options: ClassVar[type[BaseModel]] = ScriptedOptions

    def __init__(
        self,
        name: str = "scripted",
        *steps: Step,
        clock: Clock | None = None,
        capabilities: Capabilities | None = None,
        price: Cost | Callable[[AvatarRequest], Cost | None] | None = None,
        health: Answer | Sequence[Answer] = HEALTHY,
        ladder: Sequence[str] = (),
        service: RemoteJobs | None = None,
        cancel_fails: BaseException | None = None,
        options: BaseModel | None = None,
    ) -> None:
        super().__init__(options)
        self.name = name  # type: ignore[misc]
        self.capabilities = capabilities or type(self).capabilities  # type: ignore[misc]
        self.clock = clock or SystemClock()
        self.service = service or RemoteJobs()
        self.calls: list[Call] = []
        self._own_clock = clock
        self._finds = service is not None
        self._steps = steps or (deliver(),)
        self._price = price
        self._health = list(health) if isinstance(health, Sequence) else [health]
        self._ladder = tuple(ladder)
        self._cancel_fails = cancel_fails
        self._counts: Counter[Verb] = Counter()
        self._lock = threading.Lock()

    def check(self) -> Health:
        with self._noted(Call("check", self.clock())) as (call, number):
            answer = self._health[min(number, len(self._health)) - 1]
            if isinstance(answer, BaseException):
                raise answer
            health = answer if isinstance(answer, Health) else answer()
            call.result = health
            return health

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        clock = self._own_clock or job.clock
        started = Call("generate", clock(), request=request, job=job, resumed=job.remote_id)
        with self._noted(started, clock) as (call, number):
            step = self._steps[min(number, len(self._steps)) - 1]
            clip = step(Turn(self, request, job, clock, number))
            call.result = clip
            return clip

    def estimate(self, request: AvatarRequest) -> Cost | None:
        if self._price is None:
            return super().estimate(request)
        return self._price if isinstance(self._price, Cost) else self._price(request)

    def ambition(self, request: AvatarRequest) -> str:
        """The rung of the ladder on which ``request`` stands."""
        options = request.options
        asked = options.ambition if isinstance(options, ScriptedOptions) else ""
        return asked or (self._ladder[0] if self._ladder else "")

    def safer(self, request: AvatarRequest, error: AvatarError) -> AvatarRequest | None:
        with self._noted(Call("safer", self.clock(), request=request, failure=error)) as (call, _):
            here = self.ambition(request)
            below = self._ladder[self._ladder.index(here) + 1 :] if here in self._ladder else ()
            if not below:
                return None
            lower = replace(request, options=ScriptedOptions(ambition=below[0]))
            call.result = lower
            return lower

    def find(self, request: AvatarRequest, reference: str) -> str | None:
        started = Call("find", self.clock(), request=request, about=reference)
        with self._noted(started) as (call, _):
            if not self._finds:
                return super().find(request, reference)
            call.result = found = self.service.find(reference)
            return found

    def cancel(self, remote_id: str) -> None:
        with self._noted(Call("cancel", self.clock(), about=remote_id)):
            if self._cancel_fails is not None:
                raise self._cancel_fails
            self.service.cancel(remote_id)

    def close(self) -> None:
        with self._noted(Call("close", self.clock())):
            return

    def of(self, what: Verb) -> list[Call]:
        """The calls of one kind, in the order in which they began."""
        return [call for call in list(self.calls) if call.what == what]

    @property
    def requests(self) -> list[AvatarRequest]:
        """What `generate` was asked."""
        return [call.request for call in self.of("generate") if call.request is not None]

    @property
    def jobs(self) -> list[Job]:
        return [call.job for call in self.of("generate") if call.job is not None]

    @property
    def checks(self) -> int:
        return len(self.of("check"))

    @property
    def closes(self) -> int:
        return len(self.of("close"))

    @property
    def finds(self) -> list[str]:
        """The references that were looked for."""
        return [call.about for call in self.of("find")]

    @property
    def cancels(self) -> list[str]:
        """The remote ids that were asked to stop."""
        return [call.about for call in self.of("cancel")]

    @contextmanager
    def _noted(self, call: Call, clock: Clock | None = None) -> Iterator[tuple[Call, int]]:
        """The call, and its number among those of its kind, counted from 1."""
        with self._lock:
            self.calls.append(call)
            self._counts[call.what] += 1
            number = self._counts[call.what]
        try:
            yield call, number
        except BaseException as failure:
            call.failure = failure
            raise
        finally:
            call.ended = (clock or self.clock)()
