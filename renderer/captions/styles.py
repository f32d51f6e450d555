"""The four looks of burnt captions: lines, karaoke, one_word and box."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pysubs2

from avatar_core.backend import Size
from avatar_core.speech import TimedWord
from renderer.captions import ass, layout
from renderer.captions.cues import Cue
from renderer.captions.fonts import BUNDLED, ass_size
from renderer.captions.graphemes import columns, joined, needs_space
from renderer.captions.measure import Block, wrap
from renderer.captions.shapes import rounded_box
from renderer.script.models import Captions

# one_word shows letters this much larger, and lets them pop up for this long.
_BIG = 1.9
_POP_SECONDS = 0.14
_POP = r"{\fscx72\fscy72\t(0,80,\fscx107\fscy107)\t(80,140,\fscx100\fscy100)}"
_GLUED_COLUMNS = 8


@dataclass(frozen=True, slots=True)
class Moment:
    """A stretch (seconds) in which the captions stand still, once ``animated`` seconds are over.

    ``events`` are pairs of a style's name and ASS text, from the lowest layer up.
    """

    start: float
    end: float
    events: tuple[tuple[str, str], ...]
    animated: float = 0.0


class Painter:
    """Draws cues in one style at one place; ``margin`` is in px from the edge."""

    def __init__(self, size: Size, style: Captions, margin: float, font: str) -> None:
        heavy = font == BUNDLED and style.style in ("karaoke", "one_word")
        self._style = style
        self._family = font
        self._font = f"{BUNDLED} ExtraBold" if heavy else font
        self._weight = 800 if heavy else 700
        self._em = style.size * size.height * (_BIG if style.style == "one_word" else 1.0)
        self._room = layout.room(size) - (2 * self._pad if style.style == "box" else 0)
        self._spot = layout.spot(size, style.position, margin)
        self._color = ass.color(style.color, key="captions.color")
        self._active = ass.color(style.active_color, key="captions.active_color")

    @property
    def _pad(self) -> float:
        return self._em * 0.5

    def add_styles(self, document: ass.Document) -> None:
        """The styles that the moments' events name."""
        letters = ass.plain_style(self._font, ass_size(self._em, self._font))
        letters.primarycolor = self._color
        letters.outlinecolor = pysubs2.Color(0, 0, 0)
        letters.backcolor = pysubs2.Color(0, 0, 0, 112)
        if self._style.style != "box":
            letters.outline = round(self._em * 0.085, 2)
            letters.shadow = round(self._em * 0.045, 2)
        document.style("Caption", letters)
        box = ass.plain_style(BUNDLED, self._em)
        box.primarycolor = ass.color("#0B0F14", opacity=0.88)
        document.style("Box", box)

    def moments(self, cue: Cue) -> Iterator[Moment]:
        """What is drawn while ``cue`` is on."""
        if self._style.style == "karaoke":
            return self._karaoke(cue)
        if self._style.style == "one_word":
            return self._one_word(cue)
        return self._still(cue)

    def _still(self, cue: Cue) -> Iterator[Moment]:
        words = [word.text for word in cue.words]
        block = self._wrap(words)
        boxed = [("Box", self._box(block))] if self._style.style == "box" else []
        yield Moment(cue.start, cue.end, (*boxed, *self._lines(words, block)))

    def _karaoke(self, cue: Cue) -> Iterator[Moment]:
        words = [word.text for word in cue.words]
        block = self._wrap(words)
        for i, (start, end) in enumerate(_turns(cue, cue.words)):
            yield Moment(start, end, self._lines(words, block, active=i))

    def _one_word(self, cue: Cue) -> Iterator[Moment]:
        groups = _shown_together(cue.words)
        for word, (start, end) in zip(groups, _turns(cue, groups), strict=True):
            block = self._wrap([word.text])
            lines = self._lines([word.text], block, extra=_POP)
            yield Moment(start, end, lines, animated=_POP_SECONDS)

    def _wrap(self, words: Sequence[str]) -> Block:
        return wrap(words, self._room / self._em, self._family, self._weight)

    def _lines(
        self, words: Sequence[str], block: Block, *, active: int | None = None, extra: str = ""
    ) -> tuple[tuple[str, str], ...]:
        em = self._em * block.shrink
        scale = f"{{\\fs{ass_size(em, self._font):.2f}}}" if block.shrink < 1 else ""
        spots = self._spot.lines(len(block.lines), em)
        return tuple(
            ("Caption", place.tag + scale + extra + self._line(words, line, active))
            for line, place in zip(block.lines, spots, strict=True)
        )

    def _line(self, words: Sequence[str], line: Sequence[int], active: int | None) -> str:
        text = ""
        for i in line:
            word = ass.escaped(words[i])
            if active is not None:
                word = self._tinted(word, i, active)
            space = i != line[0] and _apart(words[i - 1], words[i])
            text += f" {word}" if space else word
        return text

    def _tinted(self, word: str, i: int, active: int) -> str:
        # libass sets neighbours of one look as one run and rounds each run's place: letters would
        # shift by a fraction of a pixel as the words take turns. The second colour is never
        # seen; alternating it makes every word a run of its own at every time.
        split = rf"{{\2c&H{i % 2:06X}&}}"
        return split + ass.color_tag(self._active if i == active else self._color) + word

    def _box(self, block: Block) -> str:
        em = self._em * block.shrink
        width = block.width * em
        height = len(block.lines) * em * layout.LINE_PITCH
        left, top = self._spot.corner(width, height)
        pad = self._pad * block.shrink
        return rounded_box(
            left - pad, top - pad * 0.4, width + 2 * pad, height + 0.8 * pad, pad * 0.8
        )


def _apart(before: str, after: str) -> bool:
    return before.endswith(" ") or needs_space(before, after)


def _turns(cue: Cue, words: Sequence[TimedWord]) -> Iterator[tuple[float, float]]:
    """When each word has its turn: from its start to the next one's, without a gap."""
    for i, word in enumerate(words):
        start = cue.start if i == 0 else min(max(word.start, cue.start), cue.end)
        last = i + 1 == len(words)
        end = cue.end if last else min(max(words[i + 1].start, cue.start), cue.end)
        yield start, end


def _shown_together(words: Sequence[TimedWord]) -> list[TimedWord]:
    """Join clusters of a script without spaces to something that can be read at once."""
    groups: list[TimedWord] = []
    for word in words:
        last = groups[-1] if groups else None
        glued = last is not None and not needs_space(last.text, word.text)
        if last is not None and glued and columns(last.text + word.text) <= _GLUED_COLUMNS:
            groups[-1] = TimedWord(joined([last.text, word.text]), last.start, word.end)
        else:
            groups.append(word)
    return groups
