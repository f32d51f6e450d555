"""Finished films as values, and a reader that refuses HTML which is not well formed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

from avatar_core.backend import Cost, Size
from avatar_core.errors import Category
from avatar_core.trail import TrailEntry
from renderer.film import Film
from renderer.report.page import Material, page
from renderer.result import RenderResult, SceneResult
from renderer.speech.narration import SpeechAttempt

WRITTEN = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
_VOID = {"br", "img", "link", "meta", "track"}


@dataclass
class Element:
    name: str
    attributes: dict[str, str | None]
    text: str = ""
    parts: list[Element] = field(default_factory=list)

    def all(self, name: str = "", class_: str = "") -> list[Element]:
        """The elements inside with that name and class, in their order."""
        found = []
        for part in self.parts:
            classes = (part.attributes.get("class") or "").split()
            if name in ("", part.name) and (not class_ or class_ in classes):
                found.append(part)
            found += part.all(name, class_)
        return found

    def one(self, name: str = "", class_: str = "") -> Element:
        (found,) = self.all(name, class_)
        return found


class Reader(HTMLParser):
    """Builds the tree; every element must be closed, in the right order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} is given twice"
        element = Element(tag, dict(attrs))
        self._open[-1].parts.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().name == tag

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def close(self) -> None:
        super().close()
        assert self._open == [self.root], "an element is left open"


def read_page(text: str) -> Element:
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader.root


def shape(element: Element) -> tuple[object, ...]:
    """The tree without its texts: what markup in a text would change."""
    names = sorted(element.attributes)
    return element.name, tuple(names), tuple(shape(part) for part in element.parts)


def a_film(title: str = "Tea", language: str = "vi-VN") -> Film:
    return Film(
        title=title, description="", language=language, size=Size(1080, 1920), fps=30,
        quality="standard", loudness=-14.0, thumbnail=False, path=None, scenes=(),
    )  # fmt: skip


def entry(
    backend: str = "did", category: Category | None = None, message: str = "delivered",
    started: float = 0.0, seconds: float = 1.0, cost: str = "0", **more: object,
) -> TrailEntry:  # fmt: skip
    advice = more.pop("advice", "Wait." if category else None)
    return TrailEntry(
        backend, category, message, advice, started, seconds, Cost(Decimal(cost)), **more
    )  # type: ignore[arg-type]


def fallen(id: str = "hook", **more: object) -> SceneResult:
    """A scene whose first backend failed twice, whose second was left out, made by `static`."""
    values: dict[str, object] = {
        "backend": "static", "degraded": True, "cached": False, "seconds": 4.0,
        "costs": (Cost(Decimal("0.10")),),
        "trail": (
            entry("did", Category.SERVER, "It broke.", 0.0, 2.0, "0.10", attempt=1),
            entry("did", Category.SERVER, "It broke.", 3.5, 1.5, attempt=2),
            entry("colab", None, "it is asked again in 12 s", 5.0, 0.0, skipped=True, passing=True),
            entry("static", None, "delivered", 5.0, 0.5, attempt=1),
        ),
        "speech_trail": (SpeechAttempt("espeak", None, "spoken", seconds=0.25),),
    }  # fmt: skip
    return SceneResult(id, **{**values, **more})  # type: ignore[arg-type]


def asked(id: str = "body", **more: object) -> SceneResult:
    """A scene that was made as it was asked for."""
    values: dict[str, object] = {
        "backend": "did", "degraded": False, "cached": False, "seconds": 6.0, "start": 4.0,
        "trail": (entry("did", seconds=3.0, attempt=1),),
        "speech_trail": (SpeechAttempt("espeak", None, "spoken", seconds=0.5),),
    }  # fmt: skip
    return SceneResult(id, **{**values, **more})  # type: ignore[arg-type]


def a_result(*scenes: SceneResult, path: str = "tea.mp4", **more: object) -> RenderResult:
    seconds = sum(scene.seconds for scene in scenes)
    return RenderResult(Path("films") / path, seconds, scenes, **more)  # type: ignore[arg-type]


def page_of(*scenes: SceneResult, title: str = "Tea", **more: object) -> str:
    result = a_result(*scenes, **more)
    return page(Material(result, a_film(title), [None] * len(scenes), WRITTEN))
