"""Words become cues: whole, in order, on frames, never overlapping, easy to read."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_core.speech import TimedWord
from renderer.captions.cues import Cue, split_cues
from renderer.captions.graphemes import columns, graphemes, pieces
from renderer.script.models import Captions
from support_burn import spoken

FPS = 30

texts = st.text(alphabet="abcđếÔ漢字かคำเ้가 .,!?…—-'\"{}\\<>&🙂👍🏽", min_size=1, max_size=24)


@st.composite
def narrations(draw: st.DrawFn) -> list[TimedWord]:
    """Words in order, some with pauses, some so quick that they share a frame."""
    clock, words = draw(st.floats(0, 1)), []
    for text in draw(st.lists(texts, max_size=25)):
        length = draw(st.floats(0, 1))
        words.append(TimedWord(text, clock, clock + length))
        clock += length + draw(st.sampled_from([0, 0, 0.02, 0.4, 3]))
    return words


def letters(words: object) -> str:
    return "".join("".join(word.text.split()) for word in words)  # type: ignore[attr-defined]


@given(narrations(), st.integers(1, 12), st.integers(4, 60), st.sampled_from([1, 24, 30, 59, 120]))
def test_cues_keep_every_word_on_frames_without_overlap(
    words: list[TimedWord], max_words: int, max_chars: int, fps: int
) -> None:
    cues = split_cues(words, Captions(max_words=max_words, max_chars=max_chars), fps=fps)
    assert letters(w for cue in cues for w in cue.words) == letters(words)
    for cue in cues:
        assert cue.start * fps == pytest.approx(round(cue.start * fps), abs=1e-6)
        assert cue.end * fps == pytest.approx(round(cue.end * fps), abs=1e-6)
        assert cue.end - cue.start > 0.9 / fps
    for cue, following in itertools.pairwise(cues):
        assert cue.end <= following.start + 1e-9


@given(narrations())
def test_every_cue_starts_within_a_frame_of_its_first_word(words: list[TimedWord]) -> None:
    cues = split_cues(words, Captions(), fps=FPS)
    for cue in cues[1:]:
        assert abs(cue.start - cue.words[0].start) <= 1 / FPS


@given(narrations(), st.integers(1, 8), st.integers(4, 42))
def test_the_limits_hold_except_for_one_long_word(
    words: list[TimedWord], max_words: int, max_chars: int
) -> None:
    # At a thousand frames a second hardly two cues fall onto one frame and are joined.
    cues = split_cues(words, Captions(max_words=max_words, max_chars=max_chars), fps=1000)
    starts = [round(word.start * 1000) for cue in cues for word in cue.words]
    if len(set(starts)) == len(starts):
        for cue in cues:
            assert len(cue.words) == 1 or columns(cue.text) <= max_chars


@pytest.mark.parametrize(("first", "start"), [(0.0, 0.0), (0.3, 0.0), (2.0, 2.0)])
def test_the_first_cue_starts_with_the_narration_unless_a_long_silence_does(
    first: float, start: float
) -> None:
    cues = split_cues([TimedWord("Hello", first, first + 0.5)], Captions(), fps=FPS)
    assert cues[0].start == start


def test_a_sentence_ends_a_cue_but_a_title_or_a_price_does_not() -> None:
    words = spoken("Dr. An pays 39.000đ. Really? Yes, e.g. today!")
    texts = [cue.text for cue in split_cues(words, Captions(), fps=FPS)]
    assert texts == ["Dr. An pays 39.000đ.", "Really?", "Yes, e.g. today!"]


def test_a_pause_ends_a_cue() -> None:
    words = [TimedWord("one", 0, 0.5), TimedWord("two", 1.5, 2)]
    assert [cue.text for cue in split_cues(words, Captions(), fps=FPS)] == ["one", "two"]


def test_cues_of_a_sentence_are_of_like_length_not_one_full_and_one_scrap() -> None:
    words = spoken("one two three four five six seven")
    cues = split_cues(words, Captions(max_words=6), fps=FPS)
    assert [len(cue.words) for cue in cues] in ([4, 3], [3, 4])


def test_a_comma_is_the_better_place_to_break() -> None:
    words = spoken("When it rains, we stay at home and drink tea")
    cues = split_cues(words, Captions(max_words=7), fps=FPS)
    assert cues[0].text == "When it rains,"


def test_a_short_gap_is_closed_and_a_long_one_is_not() -> None:
    words = [TimedWord("Hi.", 0, 1), TimedWord("You.", 1.2, 2.0), TimedWord("There.", 5, 6)]
    cues = split_cues(words, Captions(), fps=FPS)
    assert cues[0].end == cues[1].start
    assert 2.0 < cues[1].end < 2.5


def test_a_quick_word_stays_a_second_where_there_is_room() -> None:
    words = [TimedWord("Go!", 0, 0.2), TimedWord("Later.", 4, 4.2)]
    cues = split_cues(words, Captions(), fps=FPS, until=4.6)
    assert cues[0].end == pytest.approx(1.0)
    assert cues[1].end == pytest.approx(4.6)


def test_the_last_cue_ends_with_its_last_word_when_no_room_is_given() -> None:
    cues = split_cues([TimedWord("Bye", 0, 0.31)], Captions(), fps=FPS)
    assert cues[-1].end == math.ceil(0.31 * FPS) / FPS


def test_one_very_long_word_stands_alone_and_whole() -> None:
    long = "Donaudampfschifffahrtsgesellschaft"
    cues = split_cues(spoken(f"Die {long} kommt"), Captions(max_chars=10), fps=FPS)
    assert [cue.text for cue in cues] == ["Die", long, "kommt"]


@pytest.mark.parametrize(
    "text",
    [
        "今天天气真好我们去公园散步吧然后一起喝一杯热茶再回家看书睡觉明天见",
        "コーヒーを飲みながらゆっくり話しましょうそれから散歩に行きましょう",
        "วันนี้เราจะมาพูดคุยกันเกี่ยวกับเรื่องกาแฟเย็นที่อร่อยที่สุดในกรุงเทพ",
    ],
    ids=["Chinese", "Japanese", "Thai"],
)
def test_text_without_spaces_is_split_between_letters(text: str) -> None:
    cues = split_cues([TimedWord(text, 0, 12)], Captions(max_chars=20), fps=FPS)
    assert "".join(cue.text for cue in cues) == text
    assert len(cues) > 2
    assert all(columns(cue.text) <= 20 for cue in cues)
    assert cues[-1].words[-1].end == pytest.approx(12)


def test_spaces_between_thai_phrases_survive() -> None:
    text = "สวัสดี ครับ Avatar"
    assert split_cues(spoken(text), Captions(), fps=FPS)[0].text == text


@pytest.mark.parametrize(
    ("text", "clusters"),
    [
        ("Trà", ["T", "r", "à"]),
        ("e\u0301a", ["e\u0301", "a"]),
        ("👨‍👩‍👧👍🏽🇻🇳🇯🇵", ["👨‍👩‍👧", "👍🏽", "🇻🇳", "🇯🇵"]),
        ("「はい」。", ["「は", "い」。"]),
        ("เด็ก", ["เด็", "ก"]),
    ],
)
def test_what_a_reader_sees_as_one_letter_stays_together(text: str, clusters: list[str]) -> None:
    assert graphemes(text) == clusters


def test_latin_letters_within_chinese_stay_one_word() -> None:
    assert pieces("用iPhone拍") == ["用", "iPhone", "拍"]


@pytest.mark.parametrize("words", [[], [TimedWord("", 0, 1)], [TimedWord(" \n", 0, 1)]])
def test_no_words_no_cues(words: list[TimedWord]) -> None:
    assert split_cues(words, Captions(), fps=FPS) == ()


def test_words_out_of_order_are_put_up_with() -> None:
    words = [TimedWord("b", 2, 3), TimedWord("a", 1, 0.5)]
    cues = split_cues(words, Captions(), fps=FPS)
    assert cues[-1].words[-1].start >= cues[0].words[0].start


def test_a_shifted_cue_moves_with_its_words() -> None:
    moved = Cue(0, 1, (TimedWord("a", 0.2, 0.9),)).shifted(10)
    assert (moved.start, moved.end, moved.words[0].start) == (10, 11, 10.2)
