"""How long narrations, clips and films take, known or guessed before they are made."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_core.backend import AvatarClip, Cost, Size
from avatar_core.policy.settings import BackendPolicy, BudgetSettings, PolicySettings
from avatar_core.trail import Outcome, TrailEntry
from renderer.planning.narrations import ExpectedNarrations
from renderer.planning.paces import KEPT, Pace, Paces
from renderer.planning.plan import NO_TIME, Span
from renderer.planning.prices import add_up, most_of
from renderer.planning.times import Lane, Work, span_of, time_of_all
from renderer.script.markup import parse_markup
from renderer.speech.guess import guess_seconds
from renderer.speech.narration import Narrator
from renderer.speech.utterances import utterances
from renderer.store import FileHashes, Store
from support_speech import ScriptedEngine, Shelf, job, scene, scripted, tones

# What hibari and espeak really took, in seconds; nobody's voice is the measure of all.
SAID = [
    ("Hi! I'm Lan. One minute ago, I was only a text file.", 4.95),
    ("You write the scenes. I read them out loud, and the captions keep up with every word.", 5.3),
    ("Hello.", 0.85),
    ("Xin chào các bạn, hôm nay chúng ta cùng thử món trà sữa oolong mới.", 3.68),
    ("Chỉ 39.000đ một ly. Ghé quán ngay nhé!", 3.45),
    ("Guten Tag, heute sprechen wir über Geschwindigkeitsbegrenzungen auf der Autobahn.", 4.57),
    ("你好，今天我们来聊聊奶茶。这是一家新开的店，味道非常好。", 6.25),
]


def guessed(text: str, speed: float = 1.0) -> float:
    return guess_seconds(utterances(parse_markup(text)), speed)


@pytest.mark.parametrize(("text", "seconds"), SAID)
def test_a_guess_is_near_what_voices_take(text: str, seconds: float) -> None:
    assert guessed(text) == pytest.approx(seconds, rel=0.3)


def test_a_pause_counts_as_it_is_written_whatever_the_speed() -> None:
    alone, with_pause = guessed("One. Two.", 2.0), guessed('One. <break time="3s"/> Two.', 2.0)
    assert with_pause - alone == pytest.approx(3.0, abs=0.5)
    assert guessed("A long sentence about tea.", 2.0) < guessed("A long sentence about tea.")


@given(st.text(max_size=200).filter(lambda text: "<" not in text and "&" not in text))
def test_a_guess_is_never_negative_and_never_fails(text: str) -> None:
    assert guessed(text) >= 0


def expected(folder: Path, *engines: type[ScriptedEngine]) -> ExpectedNarrations:
    return ExpectedNarrations(Shelf(*engines), Store(folder / "store"), FileHashes())


def narrate(folder: Path, one: Any, *engines: type[ScriptedEngine]) -> None:
    Narrator(Shelf(*engines), Store(folder / "store"), FileHashes()).narrate(one, job(folder))


def test_what_was_spoken_is_known_exactly_and_nobody_is_asked(tmp_path: Path) -> None:
    engine = scripted("first")
    one = scene("Three words here", engines=["first"])
    before = expected(tmp_path, engine).of(one)
    assert (before.stored, before.exact, before.engine) == (False, False, "first")
    assert engine.requests == []
    narrate(tmp_path, one, engine)
    after = expected(tmp_path, engine).of(one)
    assert (after.stored, after.exact, after.engine) == (True, True, "first")
    assert after.narration.seconds == pytest.approx(0.6, abs=0.01)
    assert after.narration.path.is_file()


def test_a_replacements_sound_is_a_guess_for_the_voice_that_is_tried_again(tmp_path: Path) -> None:
    one = scene("Three words here", engines=["first", "second"])
    narrate(tmp_path, one, scripted("second"), scripted("first", languages=frozenset({"vi"})))
    found = expected(tmp_path, scripted("first"), scripted("second")).of(one)
    assert (found.stored, found.exact, found.engine) == (False, False, "first")
    assert found.narration.seconds == pytest.approx(0.6, abs=0.01)


def test_a_text_that_goes_to_a_service_is_told_until_it_is_spoken(tmp_path: Path) -> None:
    online = scripted("online", needs_network=True)
    one = scene("Three words here", engines=["online"])
    assert expected(tmp_path, online).of(one).online
    narrate(tmp_path, one, online)
    assert not expected(tmp_path, online).of(one).online


def test_a_language_that_nobody_speaks_is_told(tmp_path: Path) -> None:
    found = expected(tmp_path, scripted("first", languages=frozenset({"vi"}))).of(scene("Hello"))
    assert found.engine is None and found.narration.seconds > 0


def test_recordings_and_silence_are_exact_before_they_are_made(tmp_path: Path) -> None:
    there = expected(tmp_path)
    recorded = there.of(scene(audio=tones(tmp_path / "tone.wav", [(0.75, 0.25)])))
    assert (recorded.exact, recorded.stored) == (True, False)
    assert recorded.narration.seconds == pytest.approx(1.0, abs=0.001)
    silent = there.of(scene(duration=2.5))
    assert (silent.exact, silent.narration.seconds) == (True, 2.5)


def outcome(backend: str, seconds: float, **more: Any) -> Outcome:
    entry = TrailEntry(backend, None, "delivered", None, 0.0, seconds, **more)
    clip = AvatarClip(Path("clip.mp4"), Size(2, 2), 30.0, 1.0, backend)
    return Outcome(clip, (entry,), False, False)


def test_the_usual_pace_is_the_median_of_the_last_clips(tmp_path: Path) -> None:
    paces = Paces(Store(tmp_path))
    assert paces.of("colab") is None
    for seconds in (10.0, 20.0, 30.0):
        paces.note(outcome("colab", seconds), 10.0)
    assert paces.of("colab") == Pace(usual=2.0, quick=1.0, slow=3.0, measured=3)
    for _ in range(KEPT):
        paces.note(outcome("colab", 40.0), 10.0)
    assert paces.of("colab") == Pace(4.0, 4.0, 4.0, KEPT)


@pytest.mark.parametrize(
    "story",
    [
        outcome("colab", 5.0, cached=True),
        outcome("colab", 5.0, resumed=True),
        outcome("colab", 5.0, skipped=True),
        outcome("colab", 0.0),
        Outcome(outcome("colab", 1.0).clip, (), False, False),
    ],
)
def test_only_clips_that_were_made_just_now_are_counted(story: Outcome, tmp_path: Path) -> None:
    paces = Paces(Store(tmp_path))
    paces.note(story, 1.0)
    assert paces.of("colab") is None


@pytest.mark.parametrize("content", [
    "", "{", "[]", '{"colab": 3}', '{"colab": [null, "x", -1, 0, NaN, Infinity]}',
])  # fmt: skip
def test_a_file_of_paces_that_is_broken_counts_as_none_and_is_replaced(
    content: str, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    (store.root / "paces.json").write_text(content, encoding="utf-8")
    paces = Paces(store)
    assert paces.of("colab") is None
    paces.note(outcome("colab", 2.0), 1.0)
    assert paces.of("colab") == Pace(2.0, 2.0, 2.0, 1)


def test_paces_that_cannot_be_kept_harm_nobody(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.root / "paces.json").mkdir()
    Paces(store).note(outcome("colab", 2.0), 1.0)
    assert Paces(store).of("colab") is None


def test_many_at_once_lose_nothing_and_tear_nothing(tmp_path: Path) -> None:
    stores = [Store(tmp_path) for _ in range(4)]
    start = threading.Barrier(4)

    def work(number: int) -> None:
        start.wait()
        for _ in range(4):
            Paces(stores[number]).note(outcome(f"b{number}", 3.0), 1.0)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    content = json.loads((stores[0].root / "paces.json").read_text(encoding="utf-8"))
    assert content == {f"b{number}": [3.0] * 4 for number in range(4)}


def span(seconds: float) -> Span:
    return Span(seconds, seconds, seconds)


@pytest.mark.parametrize(
    ("workers", "lane", "seconds"),
    [
        (1, Lane(), 40.0),
        (2, Lane(), 20.0),
        (4, Lane(), 10.0),
        (9, Lane(concurrency=1), 40.0),
        (9, Lane(concurrency=2), 20.0),
        (9, Lane(proves=True), 20.0),
        (9, Lane(per_minute=1), 190.0),
        (9, Lane(per_minute=2), 70.0),
    ],
)
def test_clips_are_made_side_by_side_as_far_as_workers_and_limits_allow(
    workers: int, lane: Lane, seconds: float
) -> None:
    works = [Work("colab", span(10.0))] * 4
    assert time_of_all(works, workers, {"colab": lane}) == span(seconds)


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=12), st.integers(1, 6))
def test_side_by_side_is_never_slower_than_one_by_one_nor_faster_than_the_longest(
    lengths: list[float], workers: int
) -> None:
    works = [Work("colab", span(seconds)) for seconds in lengths]
    together = time_of_all(works, workers, {}).usual
    assert max(max(lengths), sum(lengths) / workers) - 1e-6 <= together <= sum(lengths) + 1e-6


def test_what_is_made_takes_no_time_and_what_waits_any_up_to_its_own() -> None:
    pace = Pace(2.0, 1.0, 4.0, 5)
    assert span_of("make", 10.0, pace) == Span(20.0, 10.0, 40.0)
    assert span_of("fetch", 10.0, pace) == Span(0.0, 0.0, 40.0)
    assert span_of("made", 10.0, None) == NO_TIME
    assert span_of("make", 10.0, None) is None


def cost(amount: str, currency: str = "USD") -> Cost:
    return Cost(Decimal(amount), currency)


LIMITED = PolicySettings(
    budget=BudgetSettings(max_cost=Decimal(5)), policies={"did": BackendPolicy(max_cost=Decimal(2))}
)


@pytest.mark.parametrize(
    ("quotes", "policy", "counted", "most"),
    [
        ([], PolicySettings(), {}, ()),
        ([("did", cost("1")), ("did", cost("3"))], PolicySettings(), {}, (cost("4"),)),
        ([("did", cost("3"))], LIMITED, {}, (cost("2"),)),
        ([("did", cost("3")), ("else", cost("4"))], LIMITED, {}, (cost("5"),)),
        ([("did", cost("3"))], LIMITED, {"did": Decimal("1.5")}, (cost("0.5"),)),
        ([("did", cost("3"))], LIMITED, {"else": Decimal(9)}, ()),
        ([("did", None)], PolicySettings(), {}, None),
        ([("did", None), ("else", cost("1"))], LIMITED, {}, (cost("1"),)),
        ([("did", cost("1", "EUR"))], PolicySettings(), {}, (cost("1", "EUR"),)),
        ([("did", cost("1", "EUR"))], LIMITED, {}, ()),
    ],
)
def test_the_most_that_a_film_could_cost(
    quotes: Any, policy: PolicySettings, counted: Any, most: Any
) -> None:
    assert most_of(quotes, policy, counted) == most


def test_sums_are_kept_apart_by_currency() -> None:
    assert add_up([cost("1"), cost("2", "EUR"), cost("3"), cost("0", "VND")]) == (
        cost("4"), cost("2", "EUR"),
    )  # fmt: skip
