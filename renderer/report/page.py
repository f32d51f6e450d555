"""The page: verdict first, then what to do, then every scene with all that was tried for it.

One file without anything from outside. Its own style and script are the only ones that its
content security policy (W3C CSP level 3) lets in, known by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from renderer.film import Film
from renderer.report.facts import Row, longest, rows_of
from renderer.report.markup import Markup, markup, tag
from renderer.report.pictures import Picture
from renderer.report.reasons import reasons_of, totals_of
from renderer.report.scenes import key, scene_rows
from renderer.report.tables import overcome, totals_table, what_fell_back
from renderer.report.words import count, lasting, price
from renderer.result import RenderResult

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Material:
    """What a page is made of. ``pictures`` are one a scene, ``captions`` is WebVTT."""

    result: RenderResult
    film: Film
    pictures: Sequence[Picture | None]
    written: datetime
    captions: bytes | None = None


def page(material: Material) -> str:
    """The whole HTML file as text."""
    rows = rows_of(material.result)
    style, script = _part("page.css"), _part("page.js")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"Report: {_title(material)}"),
        tag("link", rel="icon", href="data:,"),
        tag("style", style),
    )
    body = tag("body", _header(material, rows), _main(material, rows), tag("script", script))
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def verdict(rows: Sequence[Row], result: RenderResult) -> str:
    """The film in a sentence or two: what went as asked, how long it is, what it cost."""
    cost = f"This render cost {price(result.costs)}."
    return f"{_as_asked(rows)} The film lasts {lasting(result.seconds)}. {cost}"


def _as_asked(rows: Sequence[Row]) -> str:
    fell = sum(row.degraded for row in rows)
    if not fell:
        return (
            "The scene was made as asked." if len(rows) == 1 else _all(rows, "were made as asked")
        )
    if fell == len(rows):
        return "The scene fell back." if len(rows) == 1 else _all(rows, "fell back")
    asked = len(rows) - fell
    was = "was" if asked == 1 else "were"
    return f"Of {len(rows)} scenes, {asked} {was} made as asked and {fell} fell back."


def _all(rows: Sequence[Row], what: str) -> str:
    return f"All {len(rows)} scenes {what}."


def _header(material: Material, rows: Sequence[Row]) -> Markup:
    when = material.written.astimezone(UTC)
    written = tag("time", f"{when:%Y-%m-%d %H:%M} UTC", datetime=f"{when:%Y-%m-%dT%H:%MZ}")
    return tag(
        "header",
        tag("h1", tag("bdi", _title(material), lang=material.film.language)),
        tag("p", verdict(rows, material.result), class_="lead"),
        tag("p", _about(material, len(rows)), " · ", written, class_="soft"),
    )


def _about(material: Material, scenes: int) -> str:
    film, loudness = material.film, material.result.loudness
    heard = "silent" if loudness is None else f"{loudness:.1f} LUFS"
    return " · ".join([count(scenes, "scene"), str(film.size), f"{film.fps} frames/s", heard])


def _main(material: Material, rows: Sequence[Row]) -> Markup:
    reasons, address = reasons_of(rows), film_address(material.result.path)
    return tag(
        "main",
        _player(material, address),
        what_fell_back(reasons),
        _section("Warnings", _warnings(material.result)),
        tag("h2", "Scenes"),
        key(),
        scene_rows(rows, material.pictures, address, longest(rows)),
        overcome(reasons),
        _section("Who did what", totals_table(totals_of(rows))),
    )


def _player(material: Material, address: str) -> Markup:
    name = material.result.path.name
    return markup(
        [
            tag(
                "video",
                _track(material),
                src=address,
                controls=True,
                preload="metadata",
                playsinline=True,
                width=material.film.size.width,
                height=material.film.size.height,
                aria_label="The film",
            ),
            tag("p", "The film is ", tag("a", tag("bdi", name), href=address),
                "; the player finds it as long as both lie in one folder.",
                class_="soft only-screen"),
        ]
    )  # fmt: skip


def _track(material: Material) -> Markup | None:
    if material.captions is None:
        return None
    data = base64.b64encode(material.captions).decode("ascii")
    language = material.film.language
    # Inside the page, because browsers refuse a caption file beside a page that is a file.
    source = Markup(f"data:text/vtt;charset=utf-8;base64,{data}")
    return tag("track", kind="captions", srclang=language, label=language, src=source)


def _warnings(result: RenderResult) -> Markup | None:
    told = [tag("li", tag("bdi", text)) for text in dict.fromkeys(result.warnings)]
    return tag("ul", told) if told else None


def _section(title: str, content: Markup | None) -> Markup | None:
    return markup([tag("h2", title), content]) if content else None


def _title(material: Material) -> str:
    return material.film.title or material.result.path.stem


def film_address(film: Path) -> str:
    """The film as a link from the same folder. A colon is quoted too: it would end a scheme."""
    return quote(os.fsencode(film.name), safe="")


def _part(name: str) -> Markup:
    return Markup((_HERE / name).read_text(encoding="utf-8"))


def _policy(style: str, script: str) -> str:
    # A page opened from a disk has no origin, so that its film is not 'self' to every browser.
    allowed = {
        "default-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "img-src": "data:",
        "media-src": "'self' file: data:",
        "style-src": _hash(style),
        "script-src": _hash(script),
    }
    return "; ".join(f"{name} {value}" for name, value in allowed.items())


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
