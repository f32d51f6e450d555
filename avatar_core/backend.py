"""The contract of an avatar backend: a portrait and a narration go in, a talking clip comes out."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict

from avatar_core.cancel import CancelToken
from avatar_core.clock import Clock, SystemClock
from avatar_core.errors import AvatarError, Cancelled, Category
from avatar_core.secrets import scrub

if TYPE_CHECKING:
    from avatar_core.speech import TimedPhoneme, TimedWord

API_VERSION = 1


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do and what using it means; read before anything is started.

    ``max_seconds`` is the longest narration, ``max_pixels`` the largest portrait, None means no
    limit. ``audio_formats`` are file endings. ``uploads`` says that faces and voices leave the
    machine. ``concurrency`` is how many jobs may run at once, None means any number. ``pace`` is
    how many seconds of work a second of narration usually takes, for `avatar plan`.
    ``reads_text`` says that a clip depends on what is said (``text`` and ``words``), not on its
    sound alone: then a corrected caption makes the clip anew. ``attempt_seconds`` is how long one
    call may take where the user does not say (``policies.NAME.attempt_seconds``,
    ``deadline.attempt``), None: as long as any other backend's. ``found_within`` is for how many
    seconds after an order `AvatarBackend.find` may not see its job yet: until then "there is none"
    is not believed where it would be paid for.
    """

    max_seconds: float | None = None
    max_pixels: int | None = None
    audio_formats: tuple[str, ...] = ("wav",)
    needs_network: bool = False
    needs_gpu: bool = False
    uploads: bool = False
    costs_money: bool = False
    alpha: bool = False
    animates: bool = True
    concurrency: int | None = None
    pace: float | None = None
    reads_text: bool = False
    attempt_seconds: float | None = None
    found_within: float | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a backend or engine can work here and now, in a sentence; details for `doctor`.

    ``category`` says of what kind the trouble is, such as ``auth`` for a bad key; without one it
    is ``connectivity`` for what needs the network and ``unsupported`` for the rest.
    """

    ok: bool
    message: str
    advice: str | None = None
    details: dict[str, str] = field(default_factory=dict)
    category: Category | None = None


# The currency of prices in a service's own credits, as long as nobody has said what one costs.
CREDITS = "CRD"


@dataclass(frozen=True, slots=True)
class Cost:
    """A price; costs add up within one currency only."""

    amount: Decimal = Decimal(0)
    currency: str = "USD"

    def __post_init__(self) -> None:
        # A price out of JSON is a float, and those do not add up with decimals.
        if not isinstance(self.amount, Decimal):
            object.__setattr__(self, "amount", Decimal(str(self.amount)))
        if not self.amount.is_finite():
            raise ValueError(f"{self.amount} is no price")

    def __add__(self, other: Cost) -> Cost:
        if not self.amount:
            return other
        if not other.amount:
            return self
        if self.currency != other.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Cost(self.amount + other.amount, self.currency)


FREE = Cost()


class NoOptions(BaseModel):
    """The options of a backend that has none."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class AvatarRequest:
    """One presenter clip to make.

    ``audio`` is a PCM WAV, ``duration`` its length in seconds. ``size`` is where the layout will
    show the clip: a backend may deliver another size, the renderer fits it. ``portrait`` may be
    None or unreadable: only a backend that can draw a stand-in accepts that. ``key`` is a hash of
    everything the clip depends on, the same in every process. ``words`` and ``phonemes`` are
    timed against ``audio`` and empty where unknown.
    """

    portrait: Path | None
    audio: Path
    duration: float
    size: Size
    fps: int
    speaker: str = ""
    text: str = ""
    language: str = "en-US"
    words: tuple[TimedWord, ...] = ()
    phonemes: tuple[TimedPhoneme, ...] = ()
    options: BaseModel = field(default_factory=NoOptions)
    key: str = ""


@dataclass(frozen=True, slots=True)
class AvatarClip:
    """A finished clip. ``still`` says that every frame is the same picture (then composing it
    costs next to nothing); ``warnings`` are sentences for the user."""

    path: Path
    size: Size
    fps: float
    duration: float
    backend: str
    has_alpha: bool = False
    still: bool = False
    cost: Cost = FREE
    warnings: tuple[str, ...] = ()


def _ignore_progress(fraction: float, message: str) -> None:
    del fraction, message


def _ignore_remote_id(remote_id: str | None) -> None:
    del remote_id


def _ignore_order() -> None:
    return None


class Job:
    """What a running attempt sees of the world.

    ``work_dir`` is private to the attempt and removed after it. ``deadline`` is a reading of
    ``clock`` (seconds, monotonic) or None.

    A backend whose work is done elsewhere keeps to three steps, so that a new process goes on
    where a dead one stopped and nothing is ordered, or paid, twice::

        if job.remote_id is None:                       # else: a job that runs already
            reference = job.order()                     # on disk before anything is sent
            job.remote_id = create(..., reference)      # on disk before it is waited for
        while not is_done(job.remote_id):
            job.wait(3.0)

    ``job.remote_id = None`` says that the remote job has failed for good or is no longer there.
    """

    def __init__(
        self,
        work_dir: Path,
        *,
        deadline: float | None = None,
        cancel: CancelToken | None = None,
        on_progress: Callable[[float, str], None] = _ignore_progress,
        on_remote_id: Callable[[str | None], None] = _ignore_remote_id,
        remote_id: str | None = None,
        reference: str = "",
        on_order: Callable[[], None] = _ignore_order,
        clock: Clock | None = None,
    ) -> None:
        self.work_dir = work_dir
        self.deadline = deadline
        self.cancel = cancel or CancelToken()
        self.clock = clock or SystemClock()
        self._on_progress = on_progress
        self._on_remote_id = on_remote_id
        self._remote_id = remote_id
        self._reference = reference
        self._on_order = on_order
        self._over = False
        self._lock = threading.Lock()

    def finish(self) -> None:
        """The attempt is over: a thread that it left behind is heard no more, and stopped."""
        with self._lock:
            self._over = True

    def progress(self, fraction: float, message: str = "") -> None:
        """Report how far the attempt is (0-1) and stop here if the work was cancelled."""
        self._check()
        self._on_progress(min(1.0, max(0.0, fraction)), scrub(message))

    def _check(self) -> None:
        self.cancel.check()
        if self._over:
            raise Cancelled("the attempt is over")

    @property
    def cancelled(self) -> bool:
        return self._over or self.cancel.cancelled

    @property
    def remaining(self) -> float | None:
        """Seconds left before the deadline (never negative), None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - self.clock())

    def wait(self, seconds: float) -> None:
        """Pause, between two looks at a remote job for example; stops if the user cancelled.

        Raises `AvatarError` (timeout) as soon as the deadline has come.
        """
        left = self.remaining
        self._check()
        if left is not None and left <= seconds:
            self.clock.sleep(left, self.cancel)
            raise AvatarError(Category.TIMEOUT, "It was not ready in the time it had.")
        self.clock.sleep(seconds, self.cancel)
        self._check()

    def order(self) -> str:
        """Note that a remote job is about to be created; call it right before the request is sent.

        Returns the reference to send along (letters, digits and a hyphen, at most 40), by which
        `AvatarBackend.find` can look the job up when its answer gets lost. Raises `AvatarError`
        where the job that this attempt went on with, or ordered, had to be paid: a second one is
        the next attempt's, which is weighed against the budget again.
        """
        # Not while `finish` runs: an order is either known to it or not made at all.
        with self._lock:
            self._check()
            self._on_order()
        return self._reference

    @property
    def remote_id(self) -> str | None:
        return self._remote_id

    @remote_id.setter
    def remote_id(self, value: str | None) -> None:
        # Kept even after the attempt is over: an answer that comes late names a job that runs.
        # That one is dead is not: by then the next attempt may have ordered another.
        if not self._over or value is not None:
            self._on_remote_id(value)
            self._remote_id = value
        if self._over:
            raise Cancelled("the attempt is over")


class AvatarBackend(ABC):
    """One way to make a presenter speak; subclasses are registered by name through a plugin.

    The constructor takes one argument, an instance of the class's ``Options`` (what the
    configuration says); it starts nothing and asks nobody. ``request.options`` is another
    instance, with the scene's own values merged over it. ``revision`` enters the cache key:
    change it when the same request would give another clip. Every failure is raised as
    `AvatarError`; anything else that escapes counts as `backend_bug`.
    """

    name: ClassVar[str]
    api_version: ClassVar[int] = API_VERSION
    revision: ClassVar[str] = "1"
    capabilities: ClassVar[Capabilities] = Capabilities()
    Options: ClassVar[type[BaseModel]] = NoOptions

    def __init__(self, options: BaseModel | None = None) -> None:
        self.options = options if options is not None else self.Options()

    @abstractmethod
    def check(self) -> Health:
        """Say whether the backend can work now; free, quick (seconds), never billed."""

    @abstractmethod
    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        """Make the clip in ``job.work_dir``; raises `AvatarError`."""

    def estimate(self, request: AvatarRequest) -> Cost | None:
        """The price of ``request``, None where it cannot be known beforehand.

        Offline and quick; ``request.audio`` may not be there yet.
        """
        del request
        return None if self.capabilities.costs_money else FREE

    def cheaper_together(self, requests: Sequence[AvatarRequest], joined: AvatarRequest) -> bool:
        """Whether ``requests`` may be made as one job, ``joined``, because that costs less.

        ``joined`` has their narrations one after the other, with a pause between them; its clip is
        cut again. For services that bill by blocks of time. Offline and quick, like `estimate`.
        """
        del requests, joined
        return False

    def safer(self, request: AvatarRequest, error: AvatarError) -> AvatarRequest | None:
        """The same request one step less ambitious, or None when there is no such step."""
        del request, error
        return None

    def find(self, request: AvatarRequest, reference: str) -> str | None:
        """The id of the remote job that was created with ``reference``, None if there is none.

        Asked after an order whose answer was lost. Raises `AvatarError` (unsupported) where the
        service cannot be asked, which is the default.
        """
        del request, reference
        raise AvatarError(Category.UNSUPPORTED, "It cannot be asked for jobs by their reference.")

    def cancel(self, remote_id: str) -> None:
        """Stop a remote job; the default has none to stop. Called at most once a job."""
        del remote_id

    def close(self) -> None:
        """Release what the backend holds; safe to call twice."""
        return None
