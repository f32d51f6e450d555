"""Caption files beside the film: SubRip, WebVTT and ASS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from avatar_core.backend import Size
from avatar_core.errors import NO_ROOM, DiskFull, InputError
from renderer.captions.cues import Cue
from renderer.captions.graphemes import columns, joined
from renderer.script.models import Captions
from renderer.whole_file import write_whole

_LINE_COLUMNS = 42


def write_sidecars(
    film: Path,
    cues: Sequence[Cue],
    kinds: Sequence[str],
    *,
    size: Size | None = None,
    style: Captions | None = None,
) -> tuple[Path, ...]:
    """Write ``cues`` (film time) beside ``film`` under its name, one file for each of ``kinds``.

    Kinds are ``srt``, ``vtt`` and ``ass``; ``size`` and ``style`` say how the ASS file looks.
    Files appear whole or not at all, UTF-8 without a byte-order mark. Raises `InputError` when
    the folder cannot be written, `DiskFull`.
    """
    shown = [cue for cue in cues if cue.text]
    written = []
    for kind in dict.fromkeys(kinds):
        target = film.with_suffix(f".{kind}")
        _write_whole(target, _text(kind, shown, size or Size(1920, 1080), style or Captions()))
        written.append(target)
    return tuple(written)


def _text(kind: str, cues: Sequence[Cue], size: Size, style: Captions) -> str:
    writers: dict[str, Callable[[], str]] = {
        "srt": lambda: srt_text(cues),
        "vtt": lambda: vtt_text(cues),
        "ass": lambda: ass_text(cues, size, style),
    }
    return writers[kind]()


def srt_text(cues: Sequence[Cue]) -> str:
    """SubRip: numbered cues, times with a comma."""
    blocks = [
        f"{number}\n{_stamp(cue.start, ',')} --> {_stamp(cue.end, ',')}\n{_lines(cue)}\n"
        for number, cue in enumerate(cues, start=1)
    ]
    return "\n".join(blocks)


def vtt_text(cues: Sequence[Cue]) -> str:
    """WebVTT (W3C): what looks like markup is escaped, so that it is shown as it was written."""
    blocks = ["WEBVTT\n"]
    for cue in cues:
        text = _lines(cue).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{_stamp(cue.start, '.')} --> {_stamp(cue.end, '.')}\n{text}\n")
    return "\n".join(blocks)


def ass_text(cues: Sequence[Cue], size: Size, style: Captions) -> str:
    """ASS in the look of the burnt captions, for players that draw it themselves."""
    from renderer.captions.ass import Document
    from renderer.captions.layout import Shelves, caption_margin
    from renderer.captions.styles import Painter

    document = Document(*size)
    painter = Painter(size, style, caption_margin(size, style, Shelves(size)), style.font)
    painter.add_styles(document)
    for cue in cues:
        for moment in painter.moments(cue):
            for layer, (name, text) in enumerate(moment.events):
                document.event(name, _ms(moment.start), _ms(moment.end), text, layer)
    return document.text()


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _stamp(seconds: float, comma: str) -> str:
    whole, ms = divmod(_ms(seconds), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{comma}{ms:03d}"


def _lines(cue: Cue) -> str:
    """One line, or two of like length where one would be long."""
    words = [" ".join(word.text.split()) for word in cue.words]
    text = joined([word.text for word in cue.words])
    if columns(text) <= _LINE_COLUMNS or len(words) < 2:
        return text
    pairs = ((joined(words[:i]), joined(words[i:])) for i in range(1, len(words)))
    return "\n".join(min(pairs, key=lambda pair: max(map(columns, pair))))


def _write_whole(target: Path, text: str) -> None:
    try:
        write_whole(target, text)
    except OSError as failure:
        raise _as_told(failure, target) from failure


def _as_told(failure: OSError, target: Path) -> Exception:
    if failure.errno in NO_ROOM:
        return DiskFull(target)
    return InputError(
        f"The captions cannot be written: {failure.strerror or failure}.",
        file=target,
        advice="Choose another place for the film with -o.",
    )
