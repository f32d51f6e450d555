"""A row for each scene: its picture, who made it, time bars, and every attempt in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from renderer.report.bars import MEANING, axis, bar, patterns, said, swatch
from renderer.report.facts import Ending, Kind, Row, Try
from renderer.report.markup import Markup, markup, tag
from renderer.report.pictures import Picture
from renderer.report.words import count, lasting, place, price
from renderer.speech.engines import RECORDINGS


def scene_rows(
    rows: Sequence[Row], pictures: Sequence[Picture | None], film: str, span: float
) -> Markup:
    """All scenes. ``film`` is the film's address, ``span`` the seconds that all bars share."""
    shown = [_row(row, picture, film, span) for row, picture in zip(rows, pictures, strict=True)]
    return markup([patterns(), tag("ol", shown, class_="scenes")])


def key() -> Markup:
    """What the colours, patterns and letters mean."""
    meanings = [tag("li", swatch(ending), f" {MEANING[ending]}") for ending in Ending]
    note = tag("p", "Bars show the seconds that each attempt took, all on one scale.",
               class_="soft")  # fmt: skip
    return markup([tag("ul", meanings, class_="key"), note])


def anchor(row: Row) -> str:
    """Where a link within the page finds the scene: ids of scenes may hold anything."""
    return f"scene-{row.number}"


def _row(row: Row, picture: Picture | None, film: str, span: float) -> Markup:
    return tag(
        "li",
        _picture(row, picture, film),
        tag("div", tag("h3", tag("bdi", row.id), " ", _badge(row)), _facts(row)),
        _tracks(row, span),
        _warnings(row),
        _attempts(row),
        class_="scene",
        id=anchor(row),
    )


def _picture(row: Row, picture: Picture | None, film: str) -> Markup:
    start = f"{row.start:.3f}"
    shown = (
        tag("img", src=picture.address, width=picture.width, height=picture.height, alt="")
        if picture
        else None
    )
    return tag(
        "a",
        shown,
        tag("span", f"Play from {place(row.start)}", class_="place"),
        class_="picture",
        href=f"{film}#t={start}",
        data_start=start,
    )


def _badge(row: Row) -> Markup:
    if row.degraded:
        return tag("span", "fell back", class_="badge fell")
    return tag("span", "as asked, unchanged" if row.cached else "as asked", class_="badge")


def _facts(row: Row) -> Markup:
    facts = {
        "Presenter": _who(row, "presenter") or "nobody is seen",
        "Voice": _who(row, "voice") or "silent",
        "Length": f"{lasting(row.seconds)}, from {place(row.start)}",
        "Attempts": _sum(row),
        "Cost": price(row.costs),
    }
    return tag("dl", [[tag("dt", name), tag("dd", tag("bdi", told))]
                      for name, told in facts.items()])  # fmt: skip


def _who(row: Row, kind: Kind) -> str | None:
    made = row.voice if kind == "voice" else row.presenter
    asked = row.instead_of(kind)
    if kind == "voice" and made == RECORDINGS:
        return "a recording"
    return f"{made} instead of {asked}" if asked else made


def _sum(row: Row) -> str:
    left_out = sum(one.ending is Ending.SKIPPED for one in row.tries)
    took = f"{len(row.tries) - left_out} in {lasting(sum(one.seconds for one in row.tries))}"
    return f"{took}, {left_out} left out" if left_out else took


def _tracks(row: Row, span: float) -> Markup | None:
    tracks = {"Voice": row.voice_tries, "Presenter": row.presenter_tries}
    shown = [[tag("span", name), bar(tries, span, name)] for name, tries in tracks.items() if tries]
    return tag("div", shown, axis(span), class_="tracks wide") if shown else None


def _warnings(row: Row) -> Markup | None:
    told = [tag("li", tag("bdi", text)) for text in row.warnings]
    return tag("ul", told, class_="wide") if told else None


def _attempts(row: Row) -> Markup | None:
    if not row.tries:
        return None
    told = [tag("li", _attempt(one)) for one in row.tries]
    title = tag("summary", f"{count(len(row.tries), 'attempt')} in words")
    return tag("details", title, tag("ol", told), class_="wide", open=row.degraded)


def _attempt(one: Try) -> Iterator[Markup | str]:
    yield swatch(one.ending)
    yield f" {one.kind.capitalize()}, from {one.begin:.1f} s: "
    yield tag("bdi", said(one))
    if one.left_behind:
        yield ": "
        yield tag("bdi", one.message)
    if one.advice:
        yield tag("bdi", one.advice, class_="next")
