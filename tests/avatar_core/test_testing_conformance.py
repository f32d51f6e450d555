"""The contract's tests pass what keeps it and fail what does not, by exactly one sentence each."""

from __future__ import annotations

import tempfile
import threading
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest
from PIL import Image
from pydantic import BaseModel, ConfigDict, SecretStr

from avatar_core.backend import (
    AvatarBackend,
    AvatarClip,
    AvatarRequest,
    Capabilities,
    Cost,
    Health,
    Job,
    NoOptions,
    Size,
)
from avatar_core.errors import AvatarError, Category
from avatar_core.testing import (
    AvatarBackendContract,
    RemoteJobs,
    ScriptedBackend,
    Turn,
    deliver,
    media,
    remote,
)
from support_contract import PatientContract

SENTENCES = sorted(name for name in dir(AvatarBackendContract) if name.startswith("test_"))
PRICE = Cost(Decimal("0.40"))
TOKEN = "t0ken-of-the-service"


class GoodOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    level: int = 0
    token: SecretStr = SecretStr(TOKEN)


class Good(AvatarBackend):
    """Keeps the contract; each broken one below changes one thing about it."""

    name: ClassVar[str] = "good"
    Options: ClassVar[type[BaseModel]] = GoodOptions
    kind: media.ClipKind = "moving"

    def check(self) -> Health:
        return Health(True, "ready")

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        job.progress(0.0, "looking at the files")
        self.look(request)
        path = media.clip(self.path(request, job), request.duration, request.size, 10, self.kind)
        job.progress(1.0, "drawn")
        return AvatarClip(path, request.size, 10.0, request.duration, self.name)

    def path(self, request: AvatarRequest, job: Job) -> Path:
        return job.work_dir / "clip.mp4"

    def look(self, request: AvatarRequest) -> None:
        if request.portrait is None:
            raise AvatarError(Category.INVALID_INPUT, "There is no portrait.")
        try:
            self.open_portrait(request.portrait)
            self.open_narration(request.audio)
        except (OSError, EOFError, wave.Error) as failure:
            raise AvatarError(Category.INVALID_INPUT, f"A file is unusable: {failure}") from failure

    def open_portrait(self, path: Path) -> None:
        with Image.open(path) as picture:
            picture.load()

    def open_narration(self, path: Path) -> None:
        with wave.open(str(path)):
            return

    def safer(self, request: AvatarRequest, error: AvatarError) -> AvatarRequest | None:
        level = getattr(request.options, "level", 2)
        lower = request.options.model_copy(update={"level": level + 1})
        return None if level >= 2 else replace(request, options=lower)


class Remote(ScriptedBackend):
    """Keeps the contract with jobs that are done elsewhere."""

    capabilities = Capabilities(needs_network=True, uploads=True, costs_money=True)
    step: Callable[[Turn], AvatarClip] = staticmethod(remote(0, every=0, cost=PRICE, real=True))

    def __init__(self, options: BaseModel | None = None) -> None:
        super().__init__("remote", type(self).step, service=RemoteJobs(), options=options)


@dataclass
class Contract(AvatarBackendContract):
    make: Callable[[], AvatarBackend]
    dead: Callable[[], AvatarBackend] | None = None
    limits: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        vars(self).update(self.limits)

    def make_backend(self) -> AvatarBackend:
        return self.make()

    def make_request(self, folder: Path, seconds: float = 1.0) -> AvatarRequest:
        return media.request(folder, seconds, size=Size(48, 64), fps=10)

    def unreachable_backend(self) -> AvatarBackend | None:
        return self.dead() if self.dead else None

    def orders_placed(self, backend: AvatarBackend) -> int | None:
        return len(backend.service.jobs) if isinstance(backend, Remote) else None


def outcome(contract: AvatarBackendContract, sentence: str, folder: Path) -> str:
    """How one of the contract's tests ends: passed, skipped, or why it failed."""
    test = getattr(contract, sentence)
    wants_folder = "tmp_path" in test.__code__.co_varnames[: test.__code__.co_argcount]
    (folder / sentence).mkdir()
    try:
        test(*([folder / sentence] if wants_folder else []))
    except (AssertionError, ValueError) as failure:
        return str(failure)
    except pytest.skip.Exception:
        return "skipped"
    return "passed"


def failing(contract: AvatarBackendContract, folder: Path) -> dict[str, str]:
    ends = {sentence: outcome(contract, sentence, folder) for sentence in SENTENCES}
    return {name: end for name, end in ends.items() if end not in ("passed", "skipped")}


def made_of(base: type[Any], **changes: Any) -> type[Any]:
    return type(f"Broken{base.__name__}", (base,), changes)


# ---- what is broken, one thing at a time -------------------------------------------------------


class LaxOptions(GoodOptions):
    model_config = ConfigDict(extra="ignore")


class LooseOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    level: int = 0


class PlainToken(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    token: str = TOKEN


class TwoArguments(Good):
    def __init__(self, options: BaseModel, session: object) -> None:
        super().__init__(options)


class Fickle(Good):
    asked = 0

    def check(self) -> Health:
        self.asked += 1
        return Health(self.asked == 1, "it depends")


class ClosedOnce(Good):
    closed = False

    def close(self) -> None:
        if self.closed:
            raise ValueError("closed already")
        self.closed = True


class Mixes(Good):
    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        self.request = request
        job.progress(0.0, "noted")
        return super().generate(self.request, job)


class ChangesOptions(Good):
    Options = LooseOptions

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        request.options.level = 7  # type: ignore[attr-defined]
        return super().generate(request, job)


class ChangesPortrait(Good):
    def open_portrait(self, path: Path) -> None:
        super().open_portrait(path)
        Image.new("RGB", (8, 8)).save(path)


class Deaf(Good):
    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        return super().generate(request, Job(job.work_dir))


class HardOfHearing(Good):
    """Goes on until its class is told that the test is over."""

    over = threading.Event()

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        job.progress(0.0, "this takes a while")
        self.over.wait(60)
        return super().generate(request, Job(job.work_dir))


class TellsCancellationAsFailure(Good):
    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        try:
            return super().generate(request, job)
        except AvatarError:
            raise
        except Exception as failure:
            raise AvatarError(Category.SERVER, "It broke.") from failure


class LeavesTemporaryFiles(Good):
    def look(self, request: AvatarRequest) -> None:
        super().look(request)
        with tempfile.NamedTemporaryFile(delete=False) as left:
            left.write(b"left")


class WritesHere(Good):
    def look(self, request: AvatarRequest) -> None:
        super().look(request)
        Path("debug.log").write_text("written where the user stands", encoding="utf-8")


class TellsTokenInFailures(Good):
    def look(self, request: AvatarRequest) -> None:
        try:
            super().look(request)
        except AvatarError as failure:
            raise AvatarError(failure.category, f"Refused for {TOKEN}.") from failure


class TellsTokenInProgress(Good):
    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        job.progress(0.5, f"sending to http://127.0.0.1/?key={TOKEN}")
        return super().generate(request, job)


class Unreachable(Good):
    """A service that is not there, told as it should be."""

    category = Category.CONNECTIVITY

    def check(self) -> Health:
        raise AvatarError(self.category, "Nobody listens.")

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        raise AvatarError(self.category, "Nobody listens.")


class UnreachableCrash(Unreachable):
    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        raise ConnectionRefusedError("errno 111")


def raises(failure: BaseException) -> Callable[..., Any]:
    def method(*args: object) -> Any:
        raise failure

    return method


def endless(self: Good, request: AvatarRequest, error: AvatarError) -> AvatarRequest:
    level = request.options.level  # type: ignore[attr-defined]
    return replace(request, options=GoodOptions(level=level + 1))


def shorter(self: Good, request: AvatarRequest, error: AvatarError) -> AvatarRequest:
    return replace(request, duration=request.duration / 2)


def clip_with(**changes: Any) -> Callable[..., AvatarClip]:
    def generate(self: Good, request: AvatarRequest, job: Job) -> AvatarClip:
        return replace(Good.generate(self, request, job), **changes)

    return generate


def ordered(turn: Turn, *, order: bool = True, times: int = 1) -> str:
    reference = turn.job.order() if order else "contract-1"
    names = [
        turn.backend.service.create(turn.request, reference, turn.clock, 0.0, PRICE)
        for _ in range(times)
    ]
    return names[0]


def delivered(turn: Turn) -> AvatarClip:
    return deliver(real=True)(turn)


def never_ordered(turn: Turn) -> AvatarClip:
    if turn.job.remote_id is None:
        turn.job.progress(0.0)
        turn.job.remote_id = ordered(turn, order=False)
    return resumed(turn)


def never_named(turn: Turn) -> AvatarClip:
    ordered(turn)
    return delivered(turn)


def named_late(turn: Turn) -> AvatarClip:
    if turn.job.remote_id is None:
        name = ordered(turn)
        turn.job.wait(0.0)
        turn.job.remote_id = name
    return resumed(turn)


def told_before_it_is_named(turn: Turn) -> AvatarClip:
    if turn.job.remote_id is None:
        name = ordered(turn)
        turn.job.progress(0.5, "waiting in a way of its own")
        turn.job.remote_id = name
    return resumed(turn)


def uploads_with_the_order(turn: Turn) -> AvatarClip:
    if turn.job.remote_id is None:
        reference = turn.job.order()
        turn.job.progress(0.1, "sending")
        turn.job.remote_id = turn.backend.service.create(
            turn.request, reference, turn.clock, 0.0, PRICE
        )
    return resumed(turn)


def ordered_late(turn: Turn) -> AvatarClip:
    if turn.job.remote_id is None:
        turn.job.progress(0.0)
        turn.job.remote_id = ordered(turn, order=False)
        turn.job.order()
    return resumed(turn)


def ordered_twice_in_one_go(turn: Turn) -> AvatarClip:
    if turn.job.remote_id is None:
        turn.job.remote_id = ordered(turn, times=2)
    return resumed(turn)


def orders_again(turn: Turn) -> AvatarClip:
    if turn.job.remote_id is not None and turn.backend.service.get(turn.job.remote_id) is None:
        return resumed(turn)
    turn.job.remote_id = ordered(turn)
    return resumed(turn)


def keeps_the_dead(turn: Turn) -> AvatarClip:
    if turn.job.remote_id is None:
        turn.job.remote_id = ordered(turn)
    if turn.backend.service.get(turn.job.remote_id) is None:
        raise AvatarError(Category.SERVER, "There is no such job.")
    return delivered(turn)


def resumed(turn: Turn) -> AvatarClip:
    return Remote.step(turn)


def pays_to_check(self: Remote) -> Health:
    self.service.create(media.request(Path()), "x", self.clock, 0, PRICE)
    return Health(True, "ready")


def able(**values: Any) -> type[Any]:
    return made_of(Good, capabilities=Capabilities(**values))


def healthy(ok: bool, message: str) -> type[Any]:
    return made_of(Good, check=lambda s: Health(ok, message))


DECLARED: dict[str, tuple[str, type[Any]]] = {
    "a name with capitals": ("name_can_be_registered", made_of(Good, name="My-Backend")),
    "another version": ("written_for_this_version", made_of(Good, api_version=0)),
    "a numbered revision": ("written_for_this_version", made_of(Good, revision=2)),
    "no job at a time": (
        "capabilities_are",
        able(concurrency=0),
    ),
    "uploads into nowhere": (
        "capabilities_are",
        able(uploads=True),
    ),
    "sound it never gets": (
        "capabilities_are",
        able(audio_formats=("mp3",)),
    ),
    "options that ignore a typo": (
        "options_refuse",
        made_of(Good, Options=LaxOptions),
    ),
    "a constructor of two": ("constructor_takes", TwoArguments),
    "a check that says no": (
        "check_answers_soon",
        healthy(False, "no"),
    ),
    "a check without a word": (
        "check_answers_soon",
        healthy(True, " "),
    ),
    "a check that says yes": ("check_answers_soon", made_of(Good, check=lambda s: True)),
    "a check that crashes": ("check_answers_soon", made_of(Good, check=raises(KeyError("x")))),
    "a check that depends": ("same_kind_of_answer", Fickle),
    "a price as a number": ("price_is", made_of(Good, estimate=lambda s, r: 0.4)),
    "a price for what is free": ("price_is", made_of(Good, estimate=lambda s, r: PRICE)),
    "a price below nothing": (
        "price_is",
        made_of(Remote, estimate=lambda s, r: Cost(Decimal(-1))),
    ),
    "a check that is paid": ("asking_for_health_and_price", made_of(Remote, check=pays_to_check)),
    "endless steps": ("steps_down", made_of(Good, safer=endless)),
    "a step on the spot": ("steps_down", made_of(Good, safer=lambda s, r, e: r)),
    "a shorter narration": ("steps_down", made_of(Good, safer=shorter)),
    "another's options": (
        "steps_down",
        made_of(Good, safer=lambda s, r, e: replace(r, options=NoOptions())),
    ),
    "closing only once": ("closing_twice", ClosedOnce),
}
CLIPS: dict[str, tuple[str, type[Any]]] = {
    **{
        f"a clip that is {kind}": ("clip_is_sound", made_of(Good, kind=kind))
        for kind in media.KINDS
        if kind != "moving"
    },
    "another's name": ("clip_says_what", made_of(Good, generate=clip_with(backend="b"))),
    "a hidden bill": ("clip_says_what", made_of(Good, generate=clip_with(cost=PRICE))),
    "a clip beside the narration": (
        "nowhere_else",
        made_of(Good, path=lambda s, request, job: request.audio.with_suffix(".mp4")),
    ),
    "temporary files": ("nowhere_else", LeavesTemporaryFiles),
    "files where the user stands": ("nowhere_else", WritesHere),
    "changed options": ("leaves_the_request", ChangesOptions),
    "a changed portrait": ("leaves_the_request", ChangesPortrait),
    "a request on the backend": ("do_not_mix", Mixes),
    "deafness": ("is_not_begun", Deaf),
}
FAILURES: dict[str, tuple[str, type[Any]]] = {
    "a crash without a portrait": (
        "without_a_portrait",
        made_of(Good, look=lambda s, r: Good.look(s, replace(r, portrait=Path(r.portrait)))),
    ),
    "a crash of the decoder": (
        "no_picture",
        made_of(Good, look=lambda s, r: _crash_unless(r.portrait, s.open_portrait, s, r)),
    ),
    "a bad portrait told as a fault of the service": (
        "no_picture",
        made_of(Good, look=lambda s, r: _blame(r.portrait, s.open_portrait, s, r)),
    ),
    "a narration that crashes": (
        "no_sound",
        made_of(Good, look=lambda s, r: _crash_unless(r.audio, s.open_narration, s, r)),
    ),
    "a plain token": ("no_secret", made_of(Good, Options=PlainToken)),
    "a token in a failure": ("no_secret", TellsTokenInFailures),
    "a token in the progress": ("no_secret", TellsTokenInProgress),
    "a token in repr": ("no_secret", made_of(Good, __repr__=lambda s: f"Good({TOKEN})")),
}
REMOTE: dict[str, tuple[str, type[Any]]] = {
    "no order": ("ordered_and_named", made_of(Remote, step=staticmethod(never_ordered))),
    "no name": ("ordered_and_named", made_of(Remote, step=staticmethod(never_named))),
    "a late name": ("ordered_and_named", made_of(Remote, step=staticmethod(named_late))),
    "a late name after waiting in secret": (
        "ordered_and_named",
        made_of(Remote, step=staticmethod(told_before_it_is_named)),
    ),
    "a late order": ("ordered_and_named", made_of(Remote, step=staticmethod(ordered_late))),
    "a paid job that is not ordered": (
        "ordered_and_named",
        able(costs_money=True),
    ),
    "two jobs for one": (
        "ordered_once",
        made_of(Remote, step=staticmethod(ordered_twice_in_one_go)),
    ),
    "another order on resuming": (
        "not_ordered_again",
        made_of(Remote, step=staticmethod(orders_again)),
    ),
    "a dead job kept": ("said_to_be_dead", made_of(Remote, step=staticmethod(keeps_the_dead))),
    "an invented job": ("found_by_its_reference", made_of(Remote, find=lambda s, r, ref: "job-1")),
    "a crash on looking": ("found_by_its_reference", made_of(Remote, find=raises(KeyError("x")))),
    "a crash on cancelling": ("unknown_job", made_of(Remote, cancel=raises(KeyError("x")))),
}
BROKEN = {**DECLARED, **CLIPS, **FAILURES, **REMOTE}


def _crash_unless(path: Path | None, check: Callable[[Path], None], s: Good, r: Any) -> None:
    if path is not None and path.exists():
        check(path)
    Good.look(s, r)


def _blame(path: Path | None, check: Callable[[Path], None], s: Good, r: Any) -> None:
    try:
        _crash_unless(path, check, s, r)
    except OSError as failure:
        raise AvatarError(Category.SERVER, "The service did not like it.") from failure


@pytest.fixture(autouse=True)
def contained(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """What broken backends leave lying about disappears with the test."""
    folder = tmp_path_factory.mktemp("litter")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield


def new(kind: type[Any]) -> AvatarBackend:
    backend = kind(kind.Options(), None) if kind is TwoArguments else kind(kind.Options())
    assert isinstance(backend, AvatarBackend)
    return backend


class TestGood(PatientContract):
    def make_backend(self) -> Good:
        return Good(GoodOptions())

    def unreachable_backend(self) -> Unreachable:
        return Unreachable()


class TestScripted(PatientContract):
    def make_backend(self) -> Remote:
        return Remote()

    def orders_placed(self, backend: AvatarBackend) -> int:
        assert isinstance(backend, Remote)
        return len(backend.service.jobs)


class TestUploading(TestScripted):
    """Progress that is told while the order itself is being sent is no fault."""

    def make_backend(self) -> Remote:
        backend = made_of(Remote, step=staticmethod(uploads_with_the_order))()
        assert isinstance(backend, Remote)
        return backend


class TestScriptedHere(PatientContract):
    """Without a remote service."""

    def make_backend(self) -> AvatarBackend:
        class Local(ScriptedBackend):
            def __init__(self, options: BaseModel | None = None) -> None:
                steps = (deliver(real=True),)
                super().__init__("local", *steps, ladder=("full", "crop"), options=options)

        return Local()


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_backend_fails_exactly_the_sentence_it_should(fault: str, tmp_path: Path) -> None:
    sentence, kind = BROKEN[fault]
    failed = failing(Contract(lambda: new(kind)), tmp_path)
    assert [name for name in failed if sentence not in name] == [], failed
    assert len(failed) == 1, fault


@pytest.mark.parametrize(
    "dead", [made_of(Unreachable, category=Category.SERVER), UnreachableCrash, Good]
)
def test_a_dead_service_that_is_told_as_anything_else_is_caught(
    dead: type[Any], tmp_path: Path
) -> None:
    failed = failing(Contract(Good, dead=dead), tmp_path)
    assert list(failed) == ["test_a_service_that_cannot_be_reached_is_told_as_connectivity"]


def test_a_service_may_remember_the_jobs_of_earlier_runs(tmp_path: Path) -> None:
    service = RemoteJobs()

    def make() -> Remote:
        backend = Remote()
        backend.service = service
        return backend

    name = "test_an_order_is_found_by_its_reference_or_the_service_cannot_be_asked"
    for run in ("first", "second"):
        getattr(Contract(make), name)(tmp_path / run)
    assert len({job.reference for job in service.jobs}) == len(service.jobs) == 2


def test_a_cancellation_told_as_a_failure_is_caught_both_times(tmp_path: Path) -> None:
    failed = failing(Contract(TellsCancellationAsFailure), tmp_path)
    assert list(failed) == [
        "test_a_job_that_is_cancelled_ends_soon",
        "test_a_job_that_was_cancelled_is_not_begun",
    ]


def test_a_job_that_goes_on_after_its_cancellation_is_caught(tmp_path: Path) -> None:
    contract = Contract(HardOfHearing, limits={"cancel_seconds": 0.4})
    end = outcome(contract, "test_a_job_that_is_cancelled_ends_soon", tmp_path)
    HardOfHearing.over.set()
    assert "did not come back within 0.4 s" in end


def test_a_check_that_hangs_is_caught(tmp_path: Path) -> None:
    until = threading.Event()
    slow = made_of(Good, check=lambda s: until.wait(60) and Health(True, "ready"))
    contract = Contract(slow, limits={"check_seconds": 0.1})
    end = outcome(contract, "test_its_check_answers_soon_and_in_a_sentence", tmp_path)
    until.set()
    assert "check() did not come back within 0.1 s" in end


def test_a_clip_that_never_comes_is_caught(tmp_path: Path) -> None:
    def hang(self: Good, request: AvatarRequest, job: Job) -> AvatarClip:
        while not job.cancelled:
            job.cancel.wait(0.01)
        raise AvatarError(Category.TIMEOUT, "over")

    contract = Contract(made_of(Good, generate=hang), limits={"generate_seconds": 0.1})
    end = outcome(contract, "test_its_clip_is_sound_and_as_long_as_the_narration", tmp_path)
    assert "generate() did not come back within 0.1 s" in end


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (ZeroDivisionError("by zero"), "let out ZeroDivisionError (by zero): raise AvatarError"),
        (AvatarError(Category.SERVER, "It broke."), "failed with server: It broke."),
    ],
)
def test_a_clip_that_cannot_be_made_is_told_with_its_reason(
    failure: Exception, words: str, tmp_path: Path
) -> None:
    contract = Contract(made_of(Good, generate=raises(failure)))
    end = outcome(contract, "test_its_clip_is_sound_and_as_long_as_the_narration", tmp_path)
    assert words in end


@pytest.mark.parametrize("result", [None, "clip.mp4", Path("clip.mp4")], ids=repr)
def test_what_is_no_clip_is_told_by_its_type(result: object, tmp_path: Path) -> None:
    contract = Contract(made_of(Good, generate=lambda *_: result))
    end = outcome(contract, "test_its_clip_is_sound_and_as_long_as_the_narration", tmp_path)
    assert "return an AvatarClip" in end


def test_a_subclass_without_a_backend_is_told_what_to_override(tmp_path: Path) -> None:
    with pytest.raises(NotImplementedError, match="Override make_backend"):
        outcome(AvatarBackendContract(), SENTENCES[0], tmp_path)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_sentence_is_proved_to_catch_something(sentence: str) -> None:
    caught = [*(name for name, _ in BROKEN.values()), "cannot_be_reached", "cancelled_ends_soon"]
    assert any(name in sentence for name in caught)
