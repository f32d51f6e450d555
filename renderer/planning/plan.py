"""What a plan says, as values; see `renderer.planning.planner` for how they are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from avatar_core.backend import FREE, Cost

# "make": it would be asked; "made": its clip is there; "fetch": a job of an earlier run is fetched;
# "skip": it would be passed over.
State = Literal["make", "made", "fetch", "skip"]


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds: the ``usual``, and what they lie between nearly always."""

    usual: float
    least: float
    most: float

    def __add__(self, other: Span) -> Span:
        return Span(self.usual + other.usual, self.least + other.least, self.most + other.most)


NO_TIME = Span(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class RungPlan:
    """One backend of a scene's chain, in its place.

    ``chosen``: it is expected to deliver; those after it are asked only when it fails.
    ``reason`` is a sentence, or the end of one: why it is skipped, which job waits. ``price`` is
    for a new clip now (None: not known beforehand; free where it is made or fetched), ``paid``
    was paid by an earlier run. ``seconds`` None: nobody knows. ``limit`` is how many one call may
    take by the backend's own word.
    """

    backend: str
    state: State
    chosen: bool = False
    reason: str = ""
    advice: str | None = None
    price: Cost | None = FREE
    paid: Cost = FREE
    seconds: Span | None = None
    uploads: bool = False
    needs_network: bool = False
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class ScenePlan:
    """One scene. Lengths are in seconds: ``seconds`` in the film, ``narration`` of what is heard;
    ``exact`` False: they are guessed.

    ``voice`` is the engine that is asked first; ``speaks`` False: the narration is there already.
    ``rungs`` is empty where nobody is seen. ``costs`` is expected to be paid now, one sum for
    each currency; ``unpriced``: a price that is not known comes on top. ``remade``: its clip is
    made twice, so that the film keeps one look. ``failure``: why no backend would deliver.
    """

    id: str
    line: int | None
    seconds: float
    narration: float
    exact: bool
    voice: str | None
    speaks: bool
    presenter: str | None
    rungs: tuple[RungPlan, ...] = ()
    costs: tuple[Cost, ...] = ()
    unpriced: bool = False
    remade: bool = False
    failure: str | None = None

    @property
    def chosen(self) -> RungPlan | None:
        """The rung that is expected to deliver; None where nobody is seen, or nobody delivers."""
        return next((rung for rung in self.rungs if rung.chosen), None)

    @property
    def backend(self) -> str | None:
        return self.chosen.backend if self.chosen else None

    @property
    def degraded(self) -> bool:
        """Whether another backend than the first is expected to deliver."""
        return bool(self.rungs) and not self.rungs[0].chosen


@dataclass(frozen=True, slots=True)
class Sending:
    """What leaves the machine: ``what`` goes to ``to``, for these scenes; ``fallback``: only if
    another backend fails."""

    to: str
    what: str
    scenes: tuple[str, ...]
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class SettingOrigin:
    """A setting that counts here, its value (secrets masked) and where it came from. ``scenes``
    are those that it holds for; empty: all."""

    key: str
    value: str
    origin: str
    scenes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a render of the film would do now.

    ``seconds`` is the film's length. ``costs`` is expected to be paid; ``unpriced`` scenes come on
    top; ``fetched`` was paid by earlier runs for jobs that are fetched now. ``most`` is what all
    could cost if every paid backend were billed for every scene, within the budget; None: nothing
    limits it, as a price is not known. ``budget`` is the film's limit, ``counted`` what clips of
    earlier renders have used of it. ``time`` is for the presenters alone, by ``workers`` side by
    side; the backends ``untimed`` come on top, and those ``declared`` were never measured here.
    """

    title: str
    scenes: tuple[ScenePlan, ...]
    seconds: float
    costs: tuple[Cost, ...]
    fetched: tuple[Cost, ...]
    most: tuple[Cost, ...] | None
    budget: Cost | None
    counted: Cost
    time: Span
    untimed: tuple[str, ...]
    declared: tuple[str, ...]
    workers: int
    sendings: tuple[Sending, ...]
    settings: tuple[SettingOrigin, ...]
    warnings: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Whether every length is known."""
        return all(scene.exact for scene in self.scenes)

    @property
    def presented(self) -> tuple[ScenePlan, ...]:
        """The scenes in which somebody is seen."""
        return tuple(scene for scene in self.scenes if scene.rungs)

    @property
    def longest_chain(self) -> int:
        """The most backends that a scene may come to."""
        return max((len(scene.rungs) for scene in self.scenes), default=0)

    @property
    def to_make(self) -> tuple[ScenePlan, ...]:
        """The scenes whose presenter is still to be made, or to be fetched."""
        return tuple(s for s in self.presented if s.chosen is None or s.chosen.state != "made")

    @property
    def unpriced(self) -> tuple[str, ...]:
        """The scenes whose price is not known beforehand."""
        return tuple(scene.id for scene in self.scenes if scene.unpriced)

    @property
    def degraded(self) -> tuple[str, ...]:
        """The scenes that are expected to fall back."""
        return tuple(scene.id for scene in self.scenes if scene.degraded)


@dataclass(frozen=True, slots=True)
class Alternative:
    """What the film would take with one backend alone (`--backend NAME`).

    ``makes`` of the film's ``presenters`` would be by it, those that are made already included;
    ``reason`` says why not all. ``costs`` None: not known beforehand. ``time`` None: nobody knows.
    ``uploads`` and ``needs_network`` are None where the backend cannot be loaded.
    """

    backend: str
    makes: int
    presenters: int
    costs: tuple[Cost, ...] | None
    time: Span | None
    uploads: bool | None
    needs_network: bool | None
    reason: str = ""

    @property
    def alone(self) -> bool:
        """Whether it could do the whole film."""
        return self.makes == self.presenters


@dataclass(frozen=True, slots=True)
class Estimate:
    """The plan in short, and every loaded backend beside it."""

    plan: Plan
    alternatives: tuple[Alternative, ...]
