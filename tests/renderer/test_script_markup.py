"""The markup in a scene's text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_core.errors import InputError
from renderer.script.markup import (
    Break,
    Spoken,
    apply_pronunciations,
    has_words,
    parse_markup,
    written_text,
)


def same(text: str) -> Spoken:
    return Spoken(text, text)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Hello.", (same("Hello."),)),
        ("", ()),
        ('a<break time="0.5s"/>b', (same("a"), Break(0.5), same("b"))),
        ("<break time='500ms' />", (Break(0.5),)),
        ('<break time=".25s"/><break time="0s"/>', (Break(0.25), Break(0.0))),
        ('<sub alias="sequel">SQL</sub>!', (Spoken("SQL", "sequel"), same("!"))),
        ('<sub alias="a > b">x</sub>', (Spoken("x", "a > b"),)),
        ('<sub alias="A&amp;B">R&lt;D</sub >', (Spoken("R<D", "A&B"),)),
        ("3 < 5 and 7 > 2", (same("3 < 5 and 7 > 2"),)),
        ("I <3 you, if x <y", (same("I <3 you, if x <y"),)),
        ("R&D, &lt;b&gt; &copy;", (same("R&D, <b> &copy;"),)),
        ("Việt", (same("Việt"),)),
    ],
)
def test_markup_is_split_into_what_is_spoken_and_pauses(text: str, pieces: tuple[object]) -> None:
    assert parse_markup(text) == pieces


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('<brake time="1s"/>', 'Did you mean <break time="0.5s"/>?'),
        ("<b>bold</b>", "Unknown tag <b>"),
        ('<break time="1s">', "is not closed"),
        ("<break time=1s/>", "values stand in quotes"),
        ('<break time="1s"', "the tag must be closed"),
        ("<break/>", 'lacks "time"'),
        ('<break tiem="1s"/>', 'does not know "tiem"'),
        ('<break time="5 minutes"/>', "is not a pause"),
        ('<break time="-1s"/>', "is not a pause"),
        ('<break time="61s"/>', "up to 60 s"),
        ("</sub>", "closes nothing"),
        ('<sub alias="x">', "no word to stand for"),
        ('<sub alias="x"/>', "no word to stand for"),
        ('<sub alias="">x</sub>', "needs both"),
        ('<sub alias="x"> </sub>', "needs both"),
        ('<sub alias="x">a<break time="1s"/></sub>', "no other tag may stand"),
        ("<BREAK time='1s'/>", "Unknown tag"),
    ],
)
def test_malformed_markup_is_refused_with_the_right_form(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_markup(text)
    assert said in str(caught.value)
    assert caught.value.advice


def test_decomposed_letters_come_back_composed() -> None:
    assert parse_markup(unicodedata.normalize("NFD", "Trà")) == (same("Trà"),)


@pytest.mark.parametrize(
    ("text", "entries", "spoken"),
    [
        ("SQL, sql and SQLite", [("sql", "sequel")], "sequel, sequel and SQLite"),
        ("C++ is C", [("C++", "see plus plus"), ("C", "see")], "see plus plus is see"),
        ("New York", [("new", "x"), ("New York", "y")], "y"),
        ("Tiệm TRÀ Việt", [("trà", "cha")], "Tiệm cha Việt"),
        ("我爱北京", [("北京", "Beijing")], "我爱Beijing"),
        ("हिन्दी", [("हिन", "x")], "हिन्दी"),
        ("a.b", [("a.b", "dot"), ("", "never"), (" ", "never")], "dot"),
        ('<sub alias="kept">SQL</sub>', [("SQL", "sequel")], "kept"),
    ],
)
def test_pronunciations_change_whole_words_and_nothing_else(
    text: str, entries: list[tuple[str, str]], spoken: str
) -> None:
    pieces = apply_pronunciations(parse_markup(text), entries)
    assert "".join(p.spoken for p in pieces if isinstance(p, Spoken)) == spoken
    assert written_text(pieces) == written_text(parse_markup(text))


def test_every_pronounced_word_is_a_piece_of_its_own() -> None:
    pieces = apply_pronunciations(parse_markup("An SQL server"), [("SQL", "sequel")])
    assert pieces == (same("An "), Spoken("SQL", "sequel"), same(" server"))


@given(st.text())
def test_escaped_text_is_shown_as_it_was(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    assert written_text(parse_markup(escaped)) == unicodedata.normalize("NFC", text)


@given(st.text(alphabet="<>/\"'= abreksubtimelis0.5&;"))
def test_any_text_is_parsed_or_refused_with_advice(text: str) -> None:
    try:
        pieces = parse_markup(text)
    except InputError as mistake:
        assert mistake.advice
    else:
        assert all(isinstance(piece, Spoken | Break) for piece in pieces)


@given(st.text(), st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), max_size=4))
def test_pronunciations_never_change_what_is_written(
    text: str, entries: list[tuple[str, str]]
) -> None:
    pieces = (same(unicodedata.normalize("NFC", text)),)
    assert written_text(apply_pronunciations(pieces, entries)) == written_text(pieces)


@pytest.mark.parametrize(
    ("text", "answer"), [("a", True), ("7", True), ("茶", True), ("😀 …!", False), ("", False)]
)
def test_only_letters_and_digits_can_be_spoken(text: str, answer: bool) -> None:
    assert has_words(text) is answer
