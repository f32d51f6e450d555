"""The page beside a film: everything that happened is on it, and nothing can break out of it."""

from __future__ import annotations

import base64
import hashlib
import re
import string
from dataclasses import replace
from decimal import Decimal
from urllib.parse import unquote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import SecretStr

from avatar_core.backend import CREDITS, Cost
from avatar_core.errors import Category
from avatar_core.secrets import MASK, remember
from renderer.report.bars import ticks
from renderer.report.facts import Ending, longest, rows_of
from renderer.report.markup import Markup, plain, tag
from renderer.report.page import Material, page, verdict
from renderer.report.reasons import reasons_of, totals_of
from renderer.report.words import lasting, listed, place, price
from renderer.speech.narration import SpeechAttempt
from support_report import (
    WRITTEN,
    Element,
    a_film,
    a_result,
    asked,
    entry,
    fallen,
    page_of,
    read_page,
    shape,
)

# Everything that Python holds in a text, with the halves of pairs that file names may bring.
ANY = st.text(st.characters(exclude_categories=()), min_size=1, max_size=30)
CLEAN = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=30)
NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></script></title><!--",
    "&lt;b&gt; &amp; &#0;",
    "javascript:alert(1)",
    "a\x00b\x1b[31m\x85",
    "\ud83d\udcff \udcff",
    "' onclick='alert(1)",
    "]]> <![CDATA[ --> <!DOCTYPE",
    "Phố cổ Hà Nội & trà sữa <ba> 100 %",
]


def page_with(text: str) -> str:
    """A page that holds ``text`` wherever a film, a backend or a service can put one."""
    first = entry(f"b{text}", Category.SERVER, text, 0.0, 1.0, "0.5", advice=text)
    trail = (first, entry("static", started=1.0))
    speech = (SpeechAttempt(f"e{text}", "timeout", text, text, 1.0), SpeechAttempt("z", None, ""))
    scene = fallen(text, trail=trail, speech_trail=speech, warnings=(text,))
    return page_of(scene, title=text, path=f"{plain(text).replace('/', '')}.mp4", warnings=(text,))


@given(ANY)
def test_no_text_can_change_the_structure_of_the_page(text: str) -> None:
    assert shape(read_page(page_with(text))) == shape(read_page(page_with("x")))


@pytest.mark.parametrize("text", NASTY)
def test_markup_in_a_text_stays_text(text: str) -> None:
    root = read_page(page_with(text))
    assert shape(root) == shape(read_page(page_with("x")))
    assert root.one("h1").text == plain(text)
    page_with(text).encode("utf-8")


@given(CLEAN)
def test_every_text_is_read_as_it_was_written(text: str) -> None:
    root = read_page(page_with(text))
    (scene,) = root.all("li", "scene")
    assert scene.one("h3").text.startswith(text)
    told = scene.one("details").text
    assert f"b{text} failed (server)" in told and f"e{text} failed (timeout)" in told
    voice, _, presenter, _ = (item.text for item in scene.one("details").all("li"))
    assert voice.endswith(f": {text}{text}") and presenter.endswith(f": {text}{text}")
    assert [one.text for one in root.all("p", "advice")] == [text, text]
    assert root.all("title")[0].text == f"Report: {text}"
    assert [item.text for item in root.all("li") if item.text == text] == [text, text], "warnings"


def test_every_entry_of_every_trail_is_on_the_page_as_a_bar_and_in_words() -> None:
    scenes = (fallen("a"), asked("b"), fallen("c", trail=()), asked("d", speech_trail=()))
    root = read_page(page_of(*scenes))
    for scene, shown in zip(scenes, root.all("li", "scene"), strict=True):
        names = [one.engine for one in scene.speech_trail] + [one.backend for one in scene.trail]
        words = [item.text for item in shown.one("details").all("li")]
        assert len(shown.all(class_="try")) == len(words) == len(names)
        assert all(f"{name} " in text for name, text in zip(names, words, strict=True))


def test_an_attempt_says_all_that_is_known_of_it() -> None:
    trail = (
        entry("did", Category.RATE_LIMIT, "Too many.", 1.25, 75.0, "0.5", attempt=2, step=1),
        entry("did", started=80.0, seconds=0.01, attempt=3, resumed=True),
    )
    words = [item.text for item in read_page(page_of(asked(trail=trail))).one("details").all("li")]
    assert words[1:] == [
        "F Presenter, from 1.2 s: did failed (rate limit), after 1 min 15 s, call 2, "
        "asked for less (step 1), cost 0.50 USD: Too many.Wait.",
        "R Presenter, from 80.0 s: did delivered by a job that was under way already, "
        "after under 0.1 s, call 3",
    ]


@pytest.mark.parametrize(
    ("more", "ending"),
    [
        ({}, Ending.DELIVERED),
        ({"cached": True}, Ending.CACHED),
        ({"resumed": True}, Ending.RESUMED),
        ({"skipped": True}, Ending.SKIPPED),
        ({"category": Category.TIMEOUT}, Ending.FAILED),
        ({"category": Category.TIMEOUT, "resumed": True}, Ending.FAILED),
        ({"category": Category.AUTH, "skipped": True}, Ending.SKIPPED),
    ],
)
def test_how_an_attempt_ended_is_told_by_class_letter_and_words(
    more: dict[str, object], ending: Ending
) -> None:
    scene = asked(trail=(entry("did", **more),), speech_trail=())  # type: ignore[arg-type]
    ((one,),) = (row.tries for row in rows_of(a_result(scene)))
    assert one.ending is ending
    shown = read_page(page_of(scene)).one("li", "scene")
    assert shown.one(class_="try").attributes["class"] == f"try {ending}"
    letters = [text.text for text in shown.all("text", "letter")]
    assert set(letters) == {ending.upper()[0]} and len(letters) == 2
    assert shown.one("svg", "bar").attributes["aria-label"]


moments = st.tuples(st.floats(0, 5000), st.floats(0, 5000), st.booleans())


@given(st.lists(st.lists(moments, max_size=8), min_size=1, max_size=4))
def test_bars_are_in_order_and_inside_the_scale_that_all_scenes_share(
    times: list[list[tuple[float, float, bool]]],
) -> None:
    scenes = [
        asked(f"s{i}", trail=tuple(entry(started=a, seconds=b, skipped=c) for a, b, c in trail))
        for i, trail in enumerate(times)
    ]
    rows = rows_of(a_result(*scenes))
    for row in rows:
        for before, after in zip(row.presenter_tries, row.presenter_tries[1:], strict=False):
            assert after.begin >= before.end
        assert all(one.end <= longest(rows) for one in row.tries)
    for svg in read_page(page_of(*scenes)).all("svg", "bar"):
        fills = [part for part in svg.all("rect", "fill") if "skipped" not in _class(part)]
        spans = [(_per_cent(part, "x"), _per_cent(part, "width")) for part in fills]
        assert all(x >= 0 and x + width <= 100.002 for x, width in spans)
        assert spans == sorted(spans, key=lambda span: span[0])
        assert all(0 <= _per_cent(mark, "x") <= 100 for mark in svg.all("svg", "skipped"))


def test_bars_are_as_long_as_the_attempts_on_one_scale() -> None:
    scenes = [
        asked("a", trail=(entry(started=2.0, seconds=4.0),), speech_trail=()),
        asked("b", trail=(entry(started=0.0, seconds=8.0),), speech_trail=()),
    ]
    first, second = (bar.one("rect", "fill") for bar in read_page(page_of(*scenes)).all(
        "svg", "bar"))  # fmt: skip
    assert (_per_cent(first, "x"), _per_cent(first, "width")) == (25.0, 50.0)
    assert (_per_cent(second, "x"), _per_cent(second, "width")) == (0.0, 100.0)


def test_what_was_left_out_at_one_moment_is_marked_side_by_side() -> None:
    trail = (*(entry(f"b{i}", started=1.0, seconds=0.0, skipped=True) for i in range(3)),
             entry("static", started=1.0))  # fmt: skip
    marks = read_page(page_of(fallen(trail=trail))).all("svg", "skipped")
    places = [mark.one("rect").attributes["x"] for mark in marks]
    assert len(set(places)) == len(places) == 3


def test_a_chain_that_is_gone_through_again_comes_after_its_first_time() -> None:
    trail = (entry(category=Category.TIMEOUT, seconds=5.0), entry(started=0.0, seconds=1.0))
    (row,) = rows_of(a_result(asked(trail=trail)))
    assert [one.begin for one in row.presenter_tries] == [0.0, 5.0]


@given(st.floats(0, 1e6))
def test_a_scale_has_few_round_marks_and_starts_at_zero(span: float) -> None:
    marks = ticks(span)
    assert marks[0] == 0 and marks == sorted(set(marks)) and len(marks) <= 5
    assert marks[-1] <= span * (1 + 1e-6)


trails = st.lists(
    st.builds(
        entry,
        st.sampled_from(["did", "colab", "static"]),
        st.sampled_from([None, *Category]),
        seconds=st.integers(0, 800).map(lambda eighths: eighths / 8),
        cost=st.sampled_from(["0", "0.10", "1.25"]),
        skipped=st.booleans(),
    ),
    max_size=6,
)


@given(st.lists(trails, min_size=1, max_size=4))
def test_times_and_prices_add_up(several: list[list[object]]) -> None:
    scenes = [asked(f"s{i}", trail=tuple(trail)) for i, trail in enumerate(several)]
    entries = [one for scene in scenes for one in scene.trail]
    totals = totals_of(rows_of(a_result(*scenes)))
    spoken = sum(one.seconds for scene in scenes for one in scene.speech_trail)
    assert sum(one.seconds for one in totals) == sum(one.seconds for one in entries) + spoken
    paid = sum((cost.amount for one in totals for cost in one.costs.values()), Decimal(0))
    assert paid == sum((one.cost.amount for one in entries), Decimal(0))
    counted = sum(sum(one.endings.values()) for one in totals)
    assert counted == len(entries) + sum(len(scene.speech_trail) for scene in scenes)
    for scene, shown in zip(scenes, read_page(page_of(*scenes)).all("li", "scene"), strict=True):
        seconds = sum(one.seconds for one in (*scene.speech_trail, *scene.trail))
        assert f" in {lasting(seconds)}" in shown.one("dl").text


def test_one_reason_is_told_once_for_all_scenes_that_share_it() -> None:
    late = [
        fallen(
            f"s{i}", trail=(entry("did", Category.TIMEOUT, f"No clip in {i} s."), entry("static"))
        )
        for i in range(6)
    ]
    root = read_page(page_of(*late, fallen("other")))
    told = [reason.one("h3").text for reason in root.all("li", "reason")]
    assert told == [
        "did: timeout presenter", "did: server presenter", "colab: left out presenter"
    ]  # fmt: skip
    first = root.all("li", "reason")[0]
    assert [link.text for link in first.all("a")] == [f"s{i}" for i in range(6)]
    assert "No clip in 2 s." in first.text and "and 3 messages more" in first.text
    anchors = {scene.attributes["id"] for scene in root.all("li", "scene")}
    assert {(link.attributes["href"] or "")[1:] for link in first.all("a")} <= anchors


def test_reasons_that_differ_in_their_numbers_alone_are_one() -> None:
    left_out = [
        fallen(f"s{i}", trail=(entry(message=f"it is asked again in {i}.5 s", skipped=True),))
        for i in (3, 12)
    ]
    (reason,) = reasons_of(rows_of(a_result(*left_out)))
    assert [row.id for row in reason.fell] == ["s3", "s12"]
    assert list(reason.messages) == [f"it is asked again in {i}.5 s" for i in (3, 12)]


def test_a_reason_brings_its_next_step_and_a_passing_one_says_to_render_again() -> None:
    server, left_out = read_page(page_of(fallen())).all("li", "reason")
    assert server.one("p", "advice").text == "Wait."
    assert left_out.one("p", "advice").text.startswith("Render again later")


def test_what_was_overcome_is_no_fallback() -> None:
    failed = entry("did", Category.SERVER, "It broke.", attempt=1, advice="Render again later.")
    root = read_page(page_of(asked(trail=(failed, entry("did", attempt=2)))))
    assert "Nothing fell back" in root.text
    told = root.one("section", "overcome")
    assert [reason.one("h3").text for reason in told.all("li", "reason")]
    # There is nothing left to do.
    assert told.all("p", "advice") == []


def test_a_voice_that_fell_back_is_no_fault_of_the_presenter() -> None:
    speech = (SpeechAttempt("edge", "timeout", "Nothing came."), SpeechAttempt("espeak", None, ""))
    trail = (entry("did", Category.SERVER, "It broke."), entry("did"))
    scene = asked(degraded=True, trail=trail, speech_trail=speech)
    fell = {reason.name for reason in reasons_of(rows_of(a_result(scene))) if reason.fell}
    assert fell == {"edge"}
    shown = read_page(page_of(scene)).one("dl").text
    assert "espeak instead of edge" in shown and "did instead" not in shown


@pytest.mark.parametrize(
    ("scenes", "said"),
    [
        ([asked()], "The scene was made as asked. The film lasts 6.0 s. This render cost nothing."),
        ([fallen()], "The scene fell back. The film lasts 4.0 s. This render cost 0.10 USD."),
        ([asked(), asked()], "All 2 scenes were made as asked. The film lasts 12.0 s."),
        ([fallen(), fallen()], "All 2 scenes fell back. The film lasts 8.0 s."),
        ([asked(), asked(), fallen()], "Of 3 scenes, 2 were made as asked and 1 fell back."),
        ([asked(), fallen()], "Of 2 scenes, 1 was made as asked and 1 fell back."),
    ],
)
def test_the_first_sentence_is_the_verdict(scenes: list[object], said: str) -> None:
    result = a_result(*scenes)  # type: ignore[arg-type]
    assert verdict(rows_of(result), result).startswith(said)
    assert said in read_page(page_of(*scenes)).one("p", "lead").text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "100% #1?",
        'it\'s "q"',
        "phim của tôi",
        "c:d",
        "-x",
        "a.b.c",
        "a&b;<i>",
        "x\udcff",
        "\\",
    ],
)
def test_the_player_and_the_links_find_a_film_of_any_name(name: str) -> None:
    root = read_page(page_of(fallen(), asked(), path=f"{name}.mp4"))
    address = root.one("video").attributes["src"] or ""
    assert unquote(address, errors="surrogateescape") == f"{name}.mp4"
    assert not set(address) - set(string.ascii_letters + string.digits + "%-._~")
    links = [link.attributes["href"] for link in root.all("a", "picture")]
    assert links == [f"{address}#t=0.000", f"{address}#t=4.000"]
    assert [link.attributes["data-start"] for link in root.all("a", "picture")] == [
        "0.000",
        "4.000",
    ]


def test_the_page_loads_nothing_from_anywhere() -> None:
    captions = b"WEBVTT\n\n00:00.000 --> 00:01.000\n<Hi>\n"
    material = Material(a_result(fallen(), asked()), a_film(), [None, None], WRITTEN, captions)
    text = page(material)
    root = read_page(text)
    addresses = [
        value for element in root.all() for name, value in element.attributes.items()
        if name in ("src", "href", "poster", "data", "action", "srcset")
    ]  # fmt: skip
    allowed = re.compile(r"data:|#[a-z]+-\d+$|tea\.mp4(#t=[\d.]+)?$")
    assert addresses and [one for one in addresses if not allowed.match(one or "")] == []
    assert re.findall(r"https?:|//\w|@import|url\((?!#)", text) == []
    assert [e.name for e in root.all() if any(n.startswith("on") for n in e.attributes)] == []
    assert [e.name for e in root.all() if "style" in e.attributes] == []
    track = root.one("track").attributes["src"] or ""
    assert base64.b64decode(track.partition(",")[2]) == captions


def test_only_its_own_style_and_script_are_let_in() -> None:
    root = read_page(page_of(fallen()))
    policy = next(e.attributes["content"] for e in root.all("meta") if "http-equiv" in e.attributes)
    rules = dict(rule.split(" ", 1) for rule in (policy or "").split("; "))
    assert rules["default-src"] == "'none'" and "unsafe" not in (policy or "")
    for name in ("style", "script"):
        digest = hashlib.sha256(root.one(name).text.encode()).digest()
        assert rules[f"{name}-src"] == f"'sha256-{base64.b64encode(digest).decode()}'"


@pytest.mark.parametrize("secret", ["sk-verysecret-1", "a&b<c>\"d'e", "mật khẩu-рус"])
def test_no_secret_reaches_the_page(secret: str) -> None:
    remember(SecretStr(secret))
    text = page_with(f"The key {secret} was refused.")
    assert secret not in text and str(tag("p", secret))[3:-4] == MASK
    assert secret not in read_page(text).text
    assert MASK in text


def test_the_same_film_gives_the_same_page() -> None:
    assert page_of(fallen(), asked()) == page_of(fallen(), asked())
    assert "2026-03-04 05:06 UTC" in page_of(asked())


def test_those_who_hear_the_page_hear_how_each_attempt_ended() -> None:
    bars = read_page(page_of(fallen())).all("svg", "bar")
    assert [bar.attributes["role"] for bar in bars] == ["img", "img"]
    assert bars[1].attributes["aria-label"] == (
        "Presenter: did failed (server), after 2.0 s, cost 0.10 USD, did failed (server), "
        "after 1.5 s, call 2, colab left out and static delivered, after 0.5 s"
    )


def test_a_scene_without_voice_or_presenter_says_so() -> None:
    scene = asked(backend=None, trail=(), speech_trail=())
    shown = read_page(page_of(scene)).one("li", "scene")
    assert "nobody is seen" in shown.one("dl").text and "silent" in shown.one("dl").text
    assert shown.all("svg", "bar") == [] and shown.all("details") == []


def test_a_film_without_a_title_goes_by_its_files_name() -> None:
    assert read_page(page_of(asked(), title="")).one("h1").text == "tea"


def test_different_currencies_are_not_added() -> None:
    trail = (replace(entry(), cost=Cost(Decimal("1"), "EUR")), entry(cost="0.5"))
    (total, _) = totals_of(rows_of(a_result(asked(trail=trail))))
    assert price(list(total.costs.values())) == "1.00 EUR + 0.50 USD"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0.0 s"), (0.01, "under 0.1 s"), (0.05, "0.1 s"), (4.25, "4.2 s"), (59.94, "59.9 s"),
     (59.96, "1 min 00 s"), (65, "1 min 05 s"), (3599.7, "1 h 00 min"), (7380, "2 h 03 min")],
)  # fmt: skip
def test_lengths_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert lasting(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0:00"), (4.9, "0:04"), (65, "1:05"), (3723.5, "1:02:03")]
)
def test_places_are_said_as_players_say_them(seconds: float, said: str) -> None:
    assert place(seconds) == said


@pytest.mark.parametrize(
    ("amount", "said"),
    [("0", "nothing"), ("3", "3.00 USD"), ("0.5", "0.50 USD"), ("0.0004", "0.0004 USD"),
     ("1E+2", "100.00 USD"), ("0.10000", "0.10 USD"), ("0.037188", "0.0372 USD")],
)  # fmt: skip
def test_prices_are_told_to_the_hundredth_of_a_cent(amount: str, said: str) -> None:
    assert price([Cost(Decimal(amount))]) == said


@pytest.mark.parametrize(
    ("amount", "said"), [("1", "1 credit"), ("40", "40 credits"), ("0.279999", "0.28 credits")]
)
def test_prices_in_a_service_s_own_credits_are_said_as_such(amount: str, said: str) -> None:
    assert price([Cost(Decimal(amount), CREDITS)]) == said


def test_names_are_listed_as_in_a_sentence() -> None:
    assert [listed(list(names)) for names in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]


@given(ANY)
def test_an_attribute_can_not_be_left(text: str) -> None:
    assume(plain(text) == text)
    (element,) = read_page(tag("p", title=text, hidden=True, id=None, lang=False)).parts
    assert element.attributes == {"title": text, "hidden": None}


def test_what_is_markup_already_is_not_escaped_twice() -> None:
    assert tag("p", Markup("<b>x</b>"), "<") == "<p><b>x</b>&lt;</p>"
    assert tag("br", class_="x") == '<br class="x">'


def _class(element: Element) -> list[str]:
    return (element.attributes.get("class") or "").split()


def _per_cent(element: Element, name: str) -> float:
    value = element.attributes[name] or ""
    assert value.endswith("%")
    return float(value[:-1])
