"""The markup in a scene's text: pauses, and words that are spoken otherwise than written."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from avatar_core.errors import InputError

MAX_BREAK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Spoken:
    """A stretch of text: ``written`` is what captions show, ``spoken`` what the voice says."""

    written: str
    spoken: str


@dataclass(frozen=True, slots=True)
class Break:
    """A pause of ``seconds`` between two stretches of text."""

    seconds: float


Piece = Spoken | Break

_KNOWN_TAGS = {"break": '<break time="0.5s"/>', "sub": '<sub alias="spoken">written</sub>'}
_ATTRIBUTES = r"""(?:\s+[A-Za-z_][\w-]*\s*=\s*(?:"[^"]*"|'[^']*'))*"""
_TAG = re.compile(rf"<(/?)([A-Za-z][\w-]*)({_ATTRIBUTES})\s*(/?)>")
_ATTRIBUTE = re.compile(r"""([A-Za-z_][\w-]*)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_TAG_START = re.compile(r"</?([A-Za-z][\w-]*)")
_CLOSES = re.compile(r"[^<]*>")
_TIME = re.compile(r"(\d{1,6}(?:\.\d{1,6})?|\.\d{1,6})\s*(s|ms)")
_ENTITY = re.compile(r"&(lt|gt|amp|quot|apos);")
_ENTITIES = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
# These scripts write no spaces, so a word in them has no edge that could be looked for.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


def parse_markup(text: str) -> tuple[Piece, ...]:
    """Split ``text`` into what is spoken and the pauses between; the text comes back in NFC.

    ``<break time="0.5s"/>`` (or ``500ms``) pauses, ``<sub alias="spoken">written</sub>`` speaks
    something else than is shown. ``&lt;`` and ``&amp;`` stand for ``<`` and ``&``; a ``<`` that
    begins no tag ("3 < 5") is literal. Raises `InputError` for a malformed or unknown tag.
    """
    return tuple(_pieces(unicodedata.normalize("NFC", text)))


def apply_pronunciations(
    pieces: Sequence[Piece], pronunciations: Sequence[tuple[str, str]]
) -> tuple[Piece, ...]:
    """Give the words in ``pronunciations`` (written, spoken) their spoken form.

    Whole words only, whatever their case; the longest entry wins. A stretch is split so that
    every such word is a piece of its own; a ``<sub>`` in the text wins over the list.
    """
    spoken_forms = {
        _folded(written): spoken for written, spoken in pronunciations if written.strip()
    }
    if not spoken_forms:
        return tuple(pieces)
    words = re.compile("|".join(map(_word, sorted(spoken_forms, key=len, reverse=True))), re.I)
    result: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, Spoken) and piece.written == piece.spoken:
            result.extend(_pronounced(piece.written, words, spoken_forms))
        else:
            result.append(piece)
    return tuple(result)


def written_text(pieces: Sequence[Piece]) -> str:
    """What captions show: the text without its markup."""
    return "".join(piece.written for piece in pieces if isinstance(piece, Spoken))


def has_words(text: str) -> bool:
    """Whether there is a letter or a digit in ``text``, something a voice can say."""
    return any(char.isalnum() for char in text)


def _pieces(text: str) -> Iterator[Piece]:
    at = 0
    for start, tag in _tags(text):
        if start < at:
            continue
        if tag is None:
            raise _malformed(text, start)
        yield from _plain(text[at:start])
        piece, at = _read_tag(text, tag)
        yield piece
    yield from _plain(text[at:])


def _tags(text: str) -> Iterator[tuple[int, re.Match[str] | None]]:
    """Where a tag begins, with the tag, or with None where it is malformed."""
    for begin in _TAG_START.finditer(text):
        tag = _TAG.match(text, begin.start())
        if tag or _meant_as_tag(text, begin):
            yield begin.start(), tag


def _meant_as_tag(text: str, begin: re.Match[str]) -> bool:
    # "if x <y" is text, "<break time=0.5s" a slip: only what closes or has a tag's name counts.
    closes = _CLOSES.match(text, begin.end())
    return bool(closes) or begin.group(1).lower() in _KNOWN_TAGS


def _read_tag(text: str, tag: re.Match[str]) -> tuple[Piece, int]:
    closing, name, attributes, empty = tag.groups()
    if name not in _KNOWN_TAGS:
        raise _unknown(tag.group(), name)
    if closing:
        raise InputError(
            f"{tag.group()} closes nothing.", advice=f"Write {_KNOWN_TAGS[name]}, or leave it out."
        )
    values = _attributes(name, attributes)
    if name == "break":
        if not empty:
            raise InputError(
                f"{tag.group()} is not closed.", advice=f"Write {_KNOWN_TAGS['break']}."
            )
        return Break(_seconds(values["time"])), tag.end()
    return _substitute(text, tag, values["alias"])


def _substitute(text: str, tag: re.Match[str], alias: str) -> tuple[Spoken, int]:
    close = re.compile(r"</sub\s*>").search(text, tag.end())
    if tag.group(4) or not close:
        raise InputError(
            f"{tag.group()} has no word to stand for.", advice=f"Write {_KNOWN_TAGS['sub']}."
        )
    written = text[tag.end() : close.start()]
    inner = next(_tags(written), None)
    if inner is not None:
        raise InputError(
            f"Inside {tag.group()} no other tag may stand.",
            advice="Close it with </sub> before the next tag.",
        )
    if not written.strip() or not alias.strip():
        raise InputError(
            f"{tag.group()} needs both a spoken and a written form.",
            advice=f"Write {_KNOWN_TAGS['sub']}.",
        )
    return Spoken(_unescaped(written), _unescaped(alias)), close.end()


def _attributes(name: str, text: str) -> dict[str, str]:
    wanted = "time" if name == "break" else "alias"
    values = {key: double or single for key, double, single in _ATTRIBUTE.findall(text)}
    for key in values:
        if key != wanted:
            raise InputError(
                f'<{name}> does not know "{key}", only "{wanted}".',
                advice=f"Write {_KNOWN_TAGS[name]}.",
            )
    if wanted not in values:
        raise InputError(f'<{name}> lacks "{wanted}".', advice=f"Write {_KNOWN_TAGS[name]}.")
    return values


def _seconds(time: str) -> float:
    found = _TIME.fullmatch(time.strip())
    seconds = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else -1.0
    if not 0 <= seconds <= MAX_BREAK_SECONDS:
        raise InputError(
            f'"{time[:40]}" is not a pause.',
            advice=f'Write seconds or milliseconds up to {MAX_BREAK_SECONDS:.0f} s, such as "0.5s" '
            'or "500ms".',
        )
    return seconds


def _plain(text: str) -> Iterator[Spoken]:
    if text:
        literal = _unescaped(text)
        yield Spoken(literal, literal)


def _unescaped(text: str) -> str:
    return _ENTITY.sub(lambda entity: _ENTITIES[entity[1]], text)


def _unknown(tag: str, name: str) -> InputError:
    near = difflib.get_close_matches(name.lower(), _KNOWN_TAGS, n=1)
    advice = f"Did you mean {_KNOWN_TAGS[near[0]]}?" if near else "Known tags: <break>, <sub>."
    return InputError(
        f"Unknown tag {tag[:60]}.", advice=f"{advice} For the sign itself write &lt;."
    )


def _malformed(text: str, start: int) -> InputError:
    begin = _TAG_START.match(text, start)
    name = begin[1].lower() if begin else ""
    end = text.find(">", start)
    shown = text[start : end + 1 if 0 <= end < start + 60 else start + 60]
    if name not in _KNOWN_TAGS:
        return _unknown(shown, name)
    return InputError(
        f"Malformed tag {shown}: values stand in quotes and the tag must be closed.",
        advice=f"Write {_KNOWN_TAGS[name]}.",
    )


def _folded(word: str) -> str:
    return unicodedata.normalize("NFC", word).strip().lower()


def _word(word: str) -> str:
    before = r"(?<!\w)" if word[:1].isalnum() and not _UNSPACED.match(word[0]) else ""
    after = r"(?!\w)" if word[-1:].isalnum() and not _UNSPACED.match(word[-1]) else ""
    return f"{before}{re.escape(word)}{after}"


def _pronounced(
    text: str, words: re.Pattern[str], spoken_forms: dict[str, str]
) -> Iterator[Spoken]:
    at = 0
    for found in words.finditer(text):
        follows = text[found.end() : found.end() + 1]
        spoken = spoken_forms.get(found[0].lower())
        # A combining mark belongs to the letter before it, but is no \w.
        if spoken is None or (follows and unicodedata.combining(follows)):
            continue
        if found.start() > at:
            yield Spoken(text[at : found.start()], text[at : found.start()])
        yield Spoken(found[0], spoken)
        at = found.end()
    if at < len(text):
        yield Spoken(text[at:], text[at:])
