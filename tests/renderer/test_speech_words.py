"""Captions: which written word is heard when."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_core.speech import TimedWord
from renderer.script.markup import Spoken, apply_pronunciations, parse_markup
from renderer.speech.words import letters, place_words, settle, tokens


def heard(text: str, each: float = 0.3) -> list[TimedWord]:
    return [TimedWord(w, i * each, (i + 1) * each) for i, w in enumerate(text.split())]


def spoken(text: str, *pronunciations: tuple[str, str]) -> list[Spoken]:
    pieces = apply_pronunciations(parse_markup(text), pronunciations)
    return [piece for piece in pieces if isinstance(piece, Spoken)]


def placed(
    text: str, said: str, *pronunciations: tuple[str, str]
) -> dict[str, tuple[float, float]]:
    words = place_words(spoken(text, *pronunciations), heard(said), 10.0)
    return {word.text: (round(word.start, 2), round(word.end, 2)) for word in words}


def test_words_that_are_spoken_as_written_keep_their_exact_times() -> None:
    assert placed("Hello, big world!", "Hello big world") == {
        "Hello,": (0.0, 0.3),
        "big": (0.3, 0.6),
        "world!": (0.6, 0.9),
    }


def test_a_number_that_is_read_as_many_words_stays_one_caption_word() -> None:
    words = placed("chỉ 39.000đ thôi", "chỉ ba mươi chín nghìn đồng thôi")
    assert words["39.000đ"] == (0.3, 1.8)
    assert words["thôi"] == (1.8, 2.1)


def test_a_substituted_word_is_shown_as_written_and_timed_as_spoken() -> None:
    words = placed('giá <sub alias="Việt Nam đồng">VND</sub>, rẻ', "giá Việt Nam đồng rẻ")
    assert words == {"giá": (0.0, 0.3), "VND,": (0.3, 1.2), "rẻ": (1.2, 1.5)}


def test_a_pronounced_word_inside_brackets_keeps_its_brackets() -> None:
    words = placed("use (SQL) now", "use see quel now", ("SQL", "see quel"))
    assert words == {"use": (0.0, 0.3), "(SQL)": (0.3, 0.9), "now": (0.9, 1.2)}


def test_several_written_words_can_share_one_spoken_word() -> None:
    words = placed('the <sub alias="NATO">North Atlantic</sub> pact', "the NATO pact")
    assert words["North"][0] == 0.3
    assert 0.3 < words["North"][1] <= words["Atlantic"][0] < 0.6
    assert words["Atlantic"][1] == 0.6


def test_a_word_that_the_engine_left_out_still_gets_some_time() -> None:
    words = placed("one 你好 two", "one two")
    start, end = words["你好"]
    assert 0.3 <= start < end
    assert words["two"][1] == 0.6


def test_words_that_the_engine_added_disturb_nothing() -> None:
    assert placed("one two", "well one two")["two"] == (0.6, 0.9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hi — there", ["Hi —", "there"]),
        ("… and then", ["… and", "then"]),
        ("tea 🎉 time", ["tea 🎉", "time"]),
        ("  spaces \n lines  ", ["spaces", "lines"]),
        ("!?", []),
        ("", []),
        ("“quoted”, 5%", ["“quoted”,", "5%"]),
    ],
)
def test_marks_that_stand_alone_go_with_a_word(text: str, expected: list[str]) -> None:
    assert [token.text for token in tokens(text)] == expected


@pytest.mark.parametrize(
    ("short", "long"), [("a", "1"), ("5", "5%"), ("bread", "1250"), ("!", "a")]
)
def test_figures_and_signs_take_longer_than_letters(short: str, long: str) -> None:
    assert letters(short) < letters(long)


PIECES = st.lists(
    st.builds(Spoken, st.text("abc 1.,—đ🎉", min_size=1), st.text("abc 1.,—đ ", min_size=1)),
    min_size=1,
    max_size=8,
)
TIMES = st.floats(-1, 20, allow_nan=False)
HEARD = st.lists(
    st.builds(TimedWord, st.sampled_from(["a", "b", "abc", "1", "", "…"]), TIMES, TIMES),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(PIECES, HEARD, st.floats(0.05, 30))
def test_whatever_was_heard_every_written_word_has_time_in_order(
    pieces: list[Spoken], said: list[TimedWord], seconds: float
) -> None:
    words = place_words(pieces, said, seconds)
    written = "".join(piece.written for piece in pieces)
    assert [w.text for w in words] == [" ".join(t.text.split()) for t in tokens(written)]
    edges = [edge for word in words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert all(word.start < word.end for word in words)
    assert not words or (words[0].start >= 0 and words[-1].end <= seconds + 1e-4)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(TIMES, TIMES), max_size=30), st.floats(0.0005, 10))
def test_settled_spans_are_in_order_and_inside_the_sound(
    spans: list[tuple[float, float]], seconds: float
) -> None:
    settled = settle(spans, seconds)
    assert len(settled) == len(spans)
    assert all(start < end for start, end in settled)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(settled))


def test_spans_that_are_in_order_already_stay_as_they_are() -> None:
    spans = [(0.0, 0.5), (0.5, 0.75), (1.0, 1.5)]
    assert settle(spans, 2.0) == spans
