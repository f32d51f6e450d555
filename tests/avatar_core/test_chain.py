"""The fallback chain: order, containment, the trail, the cache."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr

from avatar_core.backend import AvatarClip, AvatarRequest, Capabilities, Cost, Health, Job, Size
from avatar_core.cancel import CancelToken
from avatar_core.chain import ChainError, FallbackChain, Outcome, Rung, TrailEntry
from avatar_core.errors import AvatarError, Cancelled, Category, EnvironmentFault, InputError
from avatar_core.policy.settings import BreakerSettings, PolicySettings, RetrySettings
from avatar_core.policy.state import Policy
from avatar_core.speech import TimedWord
from avatar_core.testing import VirtualClock
from support_backends import (
    ScriptedBackend,
    clip_in,
    crash,
    deliver,
    fail,
)


def as_it_is(clip: AvatarClip, request: AvatarRequest) -> AvatarClip:
    del request
    return clip


def request_for(folder: Path, **changes: Any) -> AvatarRequest:
    whole = AvatarRequest(None, folder / "speech.wav", 1.0, Size(64, 64), 30, key="request-key")
    return replace(whole, **changes)


def one_call_each(clock: VirtualClock | None = None) -> Policy:
    """A policy that stays out of the way: what it does itself is tested elsewhere."""
    retry, breaker = RetrySettings(attempts=1), BreakerSettings(failures=1000)
    return Policy(PolicySettings(retry=retry, breaker=breaker), clock=clock or VirtualClock())


def chain_of(*backends: ScriptedBackend, **options: Any) -> FallbackChain:
    options.setdefault("validate", as_it_is)
    options.setdefault("policy", one_call_each())
    return FallbackChain([Rung.of(backend) for backend in backends], **options)


def run(chain: FallbackChain, folder: Path, **changes: Any) -> Outcome:
    return chain.run(request_for(folder, **changes), folder)


def static(*steps: Any) -> ScriptedBackend:
    return ScriptedBackend("static", *steps)


class MemoryCache:
    """Keeps clips as long as the test lasts."""

    def __init__(self) -> None:
        self.clips: dict[str, AvatarClip] = {}

    def find(self, key: str) -> AvatarClip | None:
        return self.clips.get(key)

    def keep(self, key: str, clip: AvatarClip) -> AvatarClip:
        self.clips[key] = clip
        return clip


def test_the_first_rung_that_delivers_is_the_outcome(tmp_path: Path) -> None:
    first, last = ScriptedBackend("colab"), static()
    outcome = run(chain_of(first, last), tmp_path)
    assert (outcome.clip.backend, outcome.degraded, outcome.cached) == ("colab", False, False)
    assert [e.backend for e in outcome.trail] == ["colab"]
    assert last.requests == []


@pytest.mark.parametrize("category", Category)
def test_a_failure_of_any_category_moves_on_and_is_told_in_the_trail(
    tmp_path: Path, category: Category
) -> None:
    outcome = run(chain_of(ScriptedBackend("colab", fail(category, "why")), static()), tmp_path)
    failed, delivered = outcome.trail
    assert (failed.backend, failed.category, failed.message) == ("colab", category, "why")
    assert failed.advice
    assert (delivered.backend, delivered.delivered) == ("static", True)
    assert (outcome.clip.backend, outcome.degraded) == ("static", True)


BUGS: list[BaseException] = [
    ValueError("a bug"),
    asyncio.CancelledError(),
    Cancelled("somebody cancelled the job on the service's page"),
    KeyError("k"),
    RecursionError(),
    MemoryError(),
    AssertionError(),
    SystemExit(2),
    OSError("odd"),
]


@pytest.mark.parametrize("bug", BUGS, ids=lambda b: type(b).__name__)
@pytest.mark.parametrize("where", ["open", "check", "generate"])
def test_a_bug_of_a_backend_is_its_own_failure(
    tmp_path: Path, bug: BaseException, where: str
) -> None:
    broken = ScriptedBackend(
        "broken", crash(bug), health=bug if where == "check" else Health(True, "ready")
    )

    def open_broken() -> ScriptedBackend:
        if where == "open":
            raise bug
        return broken

    chain = FallbackChain([Rung("broken", open_broken), Rung.of(static())], validate=as_it_is)
    outcome = run(chain, tmp_path)
    assert outcome.trail[0].category is Category.BACKEND_BUG
    assert type(bug).__name__ in outcome.trail[0].message
    assert outcome.clip.backend == "static"


@pytest.mark.parametrize("result", [None, "clip.mp4", 3])
def test_something_else_than_a_clip_is_a_bug_of_the_backend(tmp_path: Path, result: Any) -> None:
    outcome = run(chain_of(ScriptedBackend("odd", lambda r, j: result), static()), tmp_path)
    assert outcome.trail[0].category is Category.BACKEND_BUG
    assert type(result).__name__ in outcome.trail[0].message


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"cost": 0.5}, "cost is float instead of Cost"),
        ({"cost": None}, "cost is NoneType instead of Cost"),
        ({"warnings": "one sentence"}, "warnings is str instead of tuple"),
        ({"path": None}, "NoneType"),
    ],
)
def test_a_clip_with_values_of_another_kind_is_a_bug_of_the_backend(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    odd = ScriptedBackend("odd", lambda request, job: replace(clip_in(job), **change))
    outcome = run(chain_of(odd, static()), tmp_path)
    assert outcome.trail[0].category is Category.BACKEND_BUG
    assert told in outcome.trail[0].message


def test_a_path_given_as_text_is_a_path(tmp_path: Path) -> None:
    def text_for_a_path(request: AvatarRequest, job: Job) -> AvatarClip:
        clip = clip_in(job)
        return replace(clip, path=str(clip.path))  # type: ignore[arg-type]

    outcome = run(chain_of(ScriptedBackend("colab", text_for_a_path), static()), tmp_path)
    assert outcome.clip.backend == "colab"
    assert isinstance(outcome.clip.path, Path)


def test_capabilities_of_another_kind_are_a_bug_of_the_backend(tmp_path: Path) -> None:
    odd = ScriptedBackend("odd")
    odd.capabilities = {"max_seconds": 3}  # type: ignore[misc,assignment]
    outcome = run(chain_of(odd, static()), tmp_path)
    assert outcome.trail[0].category is Category.BACKEND_BUG
    assert "capabilities is dict" in outcome.trail[0].message


def test_an_estimate_that_is_no_cost_counts_as_unknown(tmp_path: Path) -> None:
    odd = ScriptedBackend("odd", fail(Category.SERVER, billed=True), price=0.5)  # type: ignore[arg-type]
    outcome = run(chain_of(odd, static()), tmp_path)
    assert (outcome.trail[0].category, outcome.costs) == (Category.SERVER, ())


def test_what_the_user_stops_is_stopped(tmp_path: Path) -> None:
    token, last = CancelToken(), static()

    def wait_and_notice(request: AvatarRequest, job: Job) -> AvatarClip:
        token.cancel()
        job.progress(0.5)
        raise AssertionError("it went on")

    with pytest.raises(Cancelled):
        chain = chain_of(ScriptedBackend("colab", wait_and_notice), last)
        chain.run(request_for(tmp_path), tmp_path, token)
    with pytest.raises(KeyboardInterrupt):
        run(chain_of(ScriptedBackend("colab", crash(KeyboardInterrupt())), last), tmp_path)
    assert last.requests == []


def test_a_cancelled_run_tries_nothing_more(tmp_path: Path) -> None:
    token, last = CancelToken(), static()

    def cancel_and_fail(request: AvatarRequest, job: Job) -> AvatarClip:
        token.cancel()
        raise AvatarError(Category.SERVER, "gone")

    chain = chain_of(ScriptedBackend("colab", cancel_and_fail), last)
    with pytest.raises(Cancelled):
        chain.run(request_for(tmp_path), tmp_path, token)
    assert last.requests == []


def test_a_bug_of_our_own_is_raised_and_not_taken_for_the_backends(tmp_path: Path) -> None:
    def broken_validation(clip: AvatarClip, request: AvatarRequest) -> AvatarClip:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(chain_of(ScriptedBackend("colab"), static(), validate=broken_validation), tmp_path)


def test_bad_input_met_by_a_backend_is_invalid_input(tmp_path: Path) -> None:
    bad = InputError("not a face", file=Path("lan.png"))
    outcome = run(chain_of(ScriptedBackend("puppet", crash(bad)), static()), tmp_path)
    assert outcome.trail[0].category is Category.INVALID_INPUT
    assert "lan.png: not a face" in outcome.trail[0].message


def test_what_the_machine_lacks_moves_on_but_is_raised_by_the_last_rung(tmp_path: Path) -> None:
    lacking = EnvironmentFault("no GPU", advice="Buy one.")
    outcome = run(chain_of(ScriptedBackend("local", crash(lacking)), static()), tmp_path)
    assert (outcome.trail[0].category, outcome.trail[0].advice) == (
        Category.UNSUPPORTED,
        "Buy one.",
    )
    with pytest.raises(EnvironmentFault):
        run(chain_of(static(crash(lacking))), tmp_path)


def test_a_full_disk_is_told_as_a_full_disk(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(EnvironmentFault, match="disk is full"):
        run(chain_of(ScriptedBackend("colab", crash(full)), static(crash(full))), tmp_path)


def test_when_nothing_delivers_every_reason_is_told(tmp_path: Path) -> None:
    backends = [
        ScriptedBackend("colab", fail(Category.TIMEOUT, "slow")),
        ScriptedBackend("puppet", crash(ValueError("a bug"))),
        static(fail(Category.SERVER, "impossible")),
    ]
    with pytest.raises(ChainError) as caught:
        run(chain_of(*backends), tmp_path)
    text = str(caught.value)
    assert "colab: slow" in text and "a bug" in text and "static: impossible" in text
    assert [entry.backend for entry in caught.value.trail] == ["colab", "puppet", "static"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], ["static"]),
        (["colab"], ["colab", "static"]),
        (["colab", "puppet"], ["colab", "puppet", "static"]),
        (["static"], ["static"]),
        (["static", "puppet"], ["static"]),
        (["colab", "colab", "puppet"], ["colab", "puppet", "static"]),
    ],
)
def test_a_chain_always_ends_at_static(names: list[str], expected: list[str]) -> None:
    rungs = [Rung.of(ScriptedBackend(name)) for name in names]
    chain = FallbackChain(rungs, last=Rung.of(static()))
    assert [rung.name for rung in chain.rungs] == expected


def test_the_same_rung_named_twice_is_tried_once(tmp_path: Path) -> None:
    twice = ScriptedBackend("colab", fail(Category.UNSUPPORTED))
    rung, last = Rung.of(twice), Rung.of(static())
    chain = FallbackChain([rung, rung, last, last], validate=as_it_is)
    assert [r.name for r in chain.rungs] == ["colab", "static"]
    assert [e.backend for e in run(chain, tmp_path).trail] == ["colab", "static"]


def test_a_chain_that_could_end_nowhere_is_a_mistake_of_the_programmer() -> None:
    with pytest.raises(ValueError, match="static"):
        FallbackChain([Rung.of(ScriptedBackend("colab"))])


@pytest.mark.parametrize(
    ("capabilities", "word"),
    [
        (Capabilities(max_seconds=0.5), "lasts 1.0 s"),
        (Capabilities(audio_formats=("mp3",)), "mp3"),
        (Capabilities(max_pixels=100), "pixels"),
    ],
)
def test_what_a_backend_cannot_do_is_known_before_it_is_asked(
    tmp_path: Path, capabilities: Capabilities, word: str
) -> None:
    from PIL import Image

    Image.new("RGB", (20, 20)).save(tmp_path / "lan.png")
    limited = ScriptedBackend("limited", capabilities=capabilities)
    outcome = run(chain_of(limited, static()), tmp_path, portrait=tmp_path / "lan.png")
    assert outcome.trail[0].category is Category.UNSUPPORTED
    assert word in outcome.trail[0].message
    assert (limited.checks, limited.requests) == (0, [])


def test_a_skipped_rung_is_not_touched_and_says_why(tmp_path: Path) -> None:
    paid = ScriptedBackend("did")
    chain = chain_of(
        paid, static(), skip=lambda rung, request: "too dear" if rung.name == "did" else None
    )
    outcome = run(chain, tmp_path)
    assert (outcome.trail[0].skipped, outcome.trail[0].message) == (True, "too dear")
    assert outcome.trail[0].category is None and not outcome.trail[0].delivered
    assert (paid.checks, paid.requests, outcome.degraded) == (0, [], True)


@pytest.mark.parametrize(
    ("network", "category"), [(True, Category.CONNECTIVITY), (False, Category.UNSUPPORTED)]
)
def test_an_unhealthy_backend_is_not_asked_to_work(
    tmp_path: Path, network: bool, category: Category
) -> None:
    ill = ScriptedBackend(
        "colab",
        health=Health(False, "the notebook is gone", advice="Start it again."),
        capabilities=Capabilities(needs_network=network),
    )
    outcome = run(chain_of(ill, static()), tmp_path)
    entry = outcome.trail[0]
    assert (entry.category, entry.message, entry.advice) == (
        category,
        "the notebook is gone",
        "Start it again.",
    )
    assert ill.requests == []


def test_a_clip_that_does_not_pass_the_checks_moves_on(tmp_path: Path) -> None:
    def strict(clip: AvatarClip, request: AvatarRequest) -> AvatarClip:
        if clip.backend == "colab":
            raise AvatarError(Category.BAD_OUTPUT, "all black")
        return clip

    outcome = run(chain_of(ScriptedBackend("colab"), static(), validate=strict), tmp_path)
    assert outcome.trail[0].category is Category.BAD_OUTPUT
    assert outcome.clip.backend == "static"


def test_each_rung_gets_its_own_options_and_a_folder_of_its_own(tmp_path: Path) -> None:
    class Special(BaseModel):
        steps: int = 3

    first, last = ScriptedBackend("colab", fail(Category.SERVER)), static()
    rungs = [Rung.of(first, Special(steps=9)), Rung.of(last)]
    run(FallbackChain(rungs, validate=as_it_is, policy=one_call_each()), tmp_path)
    assert first.requests[0].options == Special(steps=9)
    assert last.requests[0].options == last.options
    assert first.work_dirs != last.work_dirs
    assert not first.work_dirs[0].exists()


def test_a_made_clip_is_found_again_without_opening_the_backend(tmp_path: Path) -> None:
    cache, opened = MemoryCache(), []
    backend = ScriptedBackend("colab", lambda r, j: clip_in(j, cost=Cost(Decimal("0.5"))))

    def open_it() -> ScriptedBackend:
        opened.append(1)
        return backend

    rungs = [Rung("colab", open_it), Rung.of(static())]
    chain = FallbackChain(rungs, cache=cache, validate=as_it_is)
    first, again = run(chain, tmp_path), run(chain, tmp_path)
    assert (first.cached, again.cached, again.degraded) == (False, True, False)
    assert (len(opened), len(backend.requests)) == (1, 1)
    assert first.costs == (Cost(Decimal("0.5")),)
    assert again.costs == ()


def test_a_degraded_clip_is_kept_but_does_not_count_as_the_real_one(tmp_path: Path) -> None:
    colab, last = ScriptedBackend("colab", fail(Category.SERVER), deliver), static()
    chain = chain_of(colab, last, cache=MemoryCache())
    outcomes = [run(chain, tmp_path) for _ in range(2)]
    assert [(o.clip.backend, o.degraded) for o in outcomes] == [("static", True), ("colab", False)]


def test_a_kept_degraded_clip_saves_the_work_when_the_real_one_fails_again(tmp_path: Path) -> None:
    last = static()
    chain = chain_of(ScriptedBackend("colab", fail(Category.SERVER)), last, cache=MemoryCache())
    assert [run(chain, tmp_path).cached for _ in range(2)] == [False, True]
    assert len(last.requests) == 1


class Keyed(BaseModel):
    steps: int = 1
    token: SecretStr | None = None
    url: str = Field(default="", exclude=True)
    tags: set[int] = set()


def key(request: AvatarRequest, **changes: Any) -> str | None:
    rung = Rung("colab", lambda: ScriptedBackend(), Keyed(), "1")
    return replace(rung, **changes).key(request)


DIFFERENT: dict[str, Callable[[AvatarRequest], str | None]] = {
    "request": lambda r: key(replace(r, key="other")),
    "size": lambda r: key(replace(r, size=Size(32, 32))),
    "fps": lambda r: key(replace(r, fps=25)),
    "backend": lambda r: key(r, name="puppet"),
    "revision": lambda r: key(r, revision="2"),
    "options": lambda r: key(r, options=Keyed(steps=2)),
    "set": lambda r: key(r, options=Keyed(tags={1})),
    "reading": lambda r: key(r, reads_text=True),
}
SAME: dict[str, Callable[[AvatarRequest], str | None]] = {
    "paths": lambda r: key(replace(r, audio=Path("/elsewhere.wav"), portrait=Path("/p.png"))),
    "secret": lambda r: key(r, options=Keyed(token=SecretStr("tops3cret"))),
    "address": lambda r: key(r, options=Keyed(url="https://new.example")),
    "text": lambda r: key(replace(r, text="corrected")),
}


@pytest.mark.parametrize(
    "change", [{"text": "corrected"}, {"words": (TimedWord("corrected", 0.1, 0.2),)}]
)
def test_what_is_said_makes_another_clip_of_those_who_read_it(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    request = request_for(tmp_path)
    corrected = replace(request, **change)
    assert key(corrected, reads_text=True) != key(request, reads_text=True)


def test_a_set_of_options_has_one_key_in_whatever_order_it_comes(tmp_path: Path) -> None:
    request, one, other = request_for(tmp_path), Keyed(tags={0, 8}), Keyed(tags={8, 0})
    assert list(one.tags) != list(other.tags)
    assert key(request, options=one) == key(request, options=other)


@pytest.mark.parametrize("what", DIFFERENT)
def test_what_changes_the_clip_changes_its_key(tmp_path: Path, what: str) -> None:
    request = request_for(tmp_path)
    assert DIFFERENT[what](request) not in (key(request), None)


@pytest.mark.parametrize("what", SAME)
def test_what_does_not_change_the_clip_does_not_change_its_key(tmp_path: Path, what: str) -> None:
    request = request_for(tmp_path)
    assert SAME[what](request) == key(request)


def test_a_clip_that_cannot_be_kept_is_not_replaced_by_a_worse_one(tmp_path: Path) -> None:
    class Full(MemoryCache):
        def keep(self, key: str, clip: AvatarClip) -> AvatarClip:
            raise EnvironmentFault("The disk is full.")

    last = static()
    with pytest.raises(EnvironmentFault, match="disk is full"):
        run(chain_of(ScriptedBackend("colab"), last, cache=Full()), tmp_path)
    assert last.requests == []


def test_without_a_key_nothing_is_kept(tmp_path: Path) -> None:
    cache = MemoryCache()
    run(chain_of(static(), cache=cache), tmp_path, key="")
    assert cache.clips == {}


def test_the_trail_counts_seconds_from_the_start_of_the_chain(tmp_path: Path) -> None:
    clock = VirtualClock()

    def slow_failure(request: AvatarRequest, job: Job) -> AvatarClip:
        clock.advance(5)
        raise AvatarError(Category.TIMEOUT, "slow")

    def slow_delivery(request: AvatarRequest, job: Job) -> AvatarClip:
        clock.advance(2)
        return clip_in(job)

    colab = ScriptedBackend("colab", slow_failure)
    chain = chain_of(colab, static(slow_delivery), policy=one_call_each(clock))
    assert [(e.started, e.seconds) for e in run(chain, tmp_path).trail] == [(0, 5), (5, 2)]


def test_a_failed_attempt_that_was_billed_is_counted(tmp_path: Path) -> None:
    price = Cost(Decimal("0.3"))
    billed = ScriptedBackend("did", fail(Category.BAD_OUTPUT, billed=True), price=price)
    outcome = run(chain_of(billed, static()), tmp_path)
    assert outcome.costs == (price,)


def test_costs_of_two_currencies_stay_apart(tmp_path: Path) -> None:
    euro, dollar = Cost(Decimal(1), "EUR"), Cost(Decimal(2), "USD")
    billed = ScriptedBackend("did", fail(Category.BAD_OUTPUT, billed=True), price=euro)
    outcome = run(chain_of(billed, static(lambda r, j: clip_in(j, cost=dollar))), tmp_path)
    assert outcome.costs == (euro, dollar)


def test_every_rung_is_reported_as_soon_as_its_story_ends(tmp_path: Path) -> None:
    heard: list[TrailEntry] = []
    last = static(lambda r, j: clip_in(j) if len(heard) == 1 else pytest.fail("too late"))
    colab = ScriptedBackend("colab", fail(Category.SERVER))
    outcome = run(chain_of(colab, last, on_attempt=heard.append), tmp_path)
    assert tuple(heard) == outcome.trail


def test_progress_reaches_the_caller(tmp_path: Path) -> None:
    def work(request: AvatarRequest, job: Job) -> AvatarClip:
        job.progress(0.5, "half")
        return clip_in(job)

    heard: list[tuple[float, str]] = []
    chain_of(ScriptedBackend("colab", work), static()).run(
        request_for(tmp_path), tmp_path, on_progress=lambda f, m: heard.append((f, m))
    )
    assert heard == [(0.0, "asking colab"), (0.5, "half")]


_STEPS = st.sampled_from(
    ["deliver", *(c.value for c in Category), "ValueError", "SystemExit", "InputError"]
)


def test_what_an_attempt_leaves_behind_is_heard_no_more(tmp_path: Path) -> None:
    jobs: list[Job] = []
    heard: list[float] = []

    def keep_and_deliver(request: AvatarRequest, job: Job) -> AvatarClip:
        jobs.append(job)
        job.progress(0.5)
        return deliver(request, job)

    chain_of(ScriptedBackend("colab", keep_and_deliver), static()).run(
        request_for(tmp_path),
        tmp_path,
        on_progress=lambda fraction, message: heard.append(fraction),
    )
    with pytest.raises(Cancelled):
        jobs[0].progress(0.6)
    assert heard == [0.0, 0.5]
    assert jobs[0].cancelled


def _step(word: str) -> Any:
    kinds = {
        "ValueError": ValueError("x"),
        "SystemExit": SystemExit(1),
        "InputError": InputError("x"),
    }
    if word == "deliver":
        return deliver
    return crash(kinds[word]) if word in kinds else fail(Category(word))


@settings(deadline=None)
@given(words=st.lists(_STEPS, max_size=6))
def test_whatever_the_others_do_a_working_last_rung_delivers(
    tmp_path: Path, words: list[str]
) -> None:
    backends = [ScriptedBackend(f"b{n}", _step(word)) for n, word in enumerate(words)]
    outcome = run(chain_of(*backends, static()), tmp_path)
    first = words.index("deliver") if "deliver" in words else len(words)
    assert len(outcome.trail) == first + 1
    assert [entry.delivered for entry in outcome.trail] == [False] * first + [True]
    assert outcome.degraded == (first > 0)
    assert outcome.clip.path.exists()
