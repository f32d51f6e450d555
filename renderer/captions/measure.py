"""How wide text is before libass draws it, and where its lines break."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from renderer.captions.fonts import BUNDLED, font_file
from renderer.captions.graphemes import joined, needs_space, pieces

if TYPE_CHECKING:
    from PIL import ImageFont

_UNITS = 200
_MAX_LINES = 4
# Other fonts than the bundled one are not read: allow for wider letters.
_FOREIGN = 1.12


@functools.cache
def _font(weight: int) -> ImageFont.FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.truetype(str(font_file(weight)), _UNITS)


def _has_glyph(character: str) -> bool:
    code = ord(character)
    return code < 0x250 or 0x1E00 <= code < 0x1F00 or 0x2000 <= code < 0x2070 or code == 0x20AB


@functools.lru_cache(maxsize=16384)
def text_width(text: str, font: str = BUNDLED, weight: int = 700) -> float:
    """The width of one line of ``text`` in ems."""
    known = "".join(filter(_has_glyph, text))
    width = _font(weight).getlength(known) / _UNITS if known else 0.0
    for character in text:
        if not _has_glyph(character) and not unicodedata.combining(character):
            width += 1.0 if unicodedata.east_asian_width(character) in "WF" else 0.65
    return width if font == BUNDLED else width * _FOREIGN


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of words (as indices into the words given), the widest line in ems, and the factor
    by which the letters must shrink for it to fit."""

    lines: tuple[tuple[int, ...], ...]
    width: float
    shrink: float


def wrap(words: Sequence[str], room: float, font: str = BUNDLED, weight: int = 700) -> Block:
    """Break ``words`` into as few lines of like width as fit into ``room`` (ems).

    Beyond four lines, or for a word wider than ``room``, the letters shrink instead.
    """
    best: Block | None = None
    for count in range(1, min(_MAX_LINES, len(words)) + 1):
        lines = _even_lines(words, count, font, weight)
        width = max(text_width(joined([words[i] for i in line]), font, weight) for line in lines)
        block = Block(lines, width, min(1.0, room / width) if width else 1.0)
        if best is None or block.shrink > best.shrink + 0.01:
            best = block
        if block.shrink == 1.0:
            break
    return best or Block((), 0.0, 1.0)


def _even_lines(
    words: Sequence[str], count: int, font: str, weight: int
) -> tuple[tuple[int, ...], ...]:
    """The split into ``count`` lines whose widest line is narrowest."""
    if count == 1:
        return (tuple(range(len(words))),)
    widths = [text_width(text, font, weight) for text in _with_spaces(words)]
    low, high = max(widths), sum(widths)
    for _ in range(24):
        middle = (low + high) / 2
        if len(_greedy(widths, middle)) <= count:
            high = middle
        else:
            low = middle
    return tuple(tuple(line) for line in _greedy(widths, high))


def _with_spaces(words: Sequence[str]) -> list[str]:
    following = [*words[1:], ""]
    return [
        f"{word} " if needs_space(word, after) else word
        for word, after in zip(words, following, strict=True)
    ]


def _greedy(widths: Sequence[float], room: float) -> list[list[int]]:
    lines: list[list[int]] = [[]]
    used = 0.0
    for i, width in enumerate(widths):
        if lines[-1] and used + width > room:
            lines.append([])
            used = 0.0
        lines[-1].append(i)
        used += width
    return lines


def wrapped_text(text: str, room: float, font: str = BUNDLED, weight: int = 700) -> list[str]:
    """Free text as lines that fit into ``room`` (ems); its own line breaks are kept."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        words = [piece for word in paragraph.split() for piece in pieces(word)]
        block = wrap(words, room, font, weight)
        lines += [joined([words[i] for i in line]) for line in block.lines]
    return lines
