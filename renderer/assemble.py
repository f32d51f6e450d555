"""Segments and sound become the film: every packet is copied, nothing is encoded again."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from avatar_core.backend import Size
from avatar_core.cancel import CancelToken
from avatar_core.errors import NO_ROOM, DiskFull, InputError
from renderer.aac import SAMPLE_RATE, require_length, sound_packets
from renderer.compose.packets import Packets, Restamper, SegmentFault

if TYPE_CHECKING:
    import av
    import numpy as np
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_ABANDONED_SECONDS = 3600
_DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
_DEVICES |= {f"{port}{number}" for port in ("COM", "LPT") for number in range(1, 10)}
_MUXER = {"movflags": "+faststart", "fflags": "bitexact"}


@dataclass(frozen=True, slots=True)
class Part:
    """``frames`` frames of a segment from its frame ``first`` (a key frame) on."""

    path: Path
    first: int
    frames: int


def _ignore(fraction: float) -> None:
    del fraction


def _accept(film: Path) -> None:
    del film


def assemble(
    parts: Sequence[Part],
    sound: Path,
    target: Path,
    *,
    size: Size,
    fps: int,
    metadata: Mapping[str, str] | None = None,
    cancel: CancelToken | None = None,
    on_progress: Callable[[float], None] = _ignore,
    check: Callable[[Path], object] = _accept,
    mark: str | None = None,
) -> None:
    """Write the film; it appears at ``target`` complete or not at all.

    ``sound`` is the sound of the whole film as AAC. ``check`` sees the film before it takes the
    place of an older one; what it raises keeps that from happening. Raises `InputError` for a
    target that cannot be used, `DiskFull`, `Cancelled`; `SegmentFault` for
    segments that do not belong together. ``mark`` names the unfinished file; who holds a lock
    for it gives the same one each time, and so writes over what a killed render left.
    """
    check_target(target)
    cancel = cancel or CancelToken()
    target = target.absolute()
    with _faults(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        draft = target.parent / f".avatar-{mark or uuid.uuid4().hex}.part"
        try:
            _write(parts, sound, draft, size, fps, dict(metadata or {}), cancel, on_progress)
            check(draft)
            os.replace(draft, target)
        finally:
            draft.unlink(missing_ok=True)
    on_progress(1.0)


def _sweep(folder: Path) -> None:
    """Remove what killed processes left; a living one writes to its draft all the time."""
    for draft in folder.glob(".avatar-*.part"):
        with contextlib.suppress(OSError):
            if time.time() - draft.stat().st_mtime > _ABANDONED_SECONDS:
                draft.unlink()


def check_target(target: Path) -> None:
    """Raise `InputError` for a path at which no film can be written; cheap, so call it early."""
    with _faults(target):
        _check_name(target)
        parent = target.absolute().parent
        while not parent.exists() and parent != parent.parent:
            parent = parent.parent
    if not parent.is_dir():
        raise InputError(
            f"{parent} is a file, so no folder can be made in it.",
            file=target,
            advice="Choose another output path.",
        )
    try:
        # Rights alone don't tell: root has them all, and a disk may be read-only.
        tempfile.TemporaryFile(dir=parent).close()
    except OSError as failure:
        if failure.errno in NO_ROOM:
            return
        raise _refused(target) from failure


def _check_name(target: Path) -> None:
    if target.is_dir():
        raise InputError(
            "The output path is a folder.", file=target, advice="Add a file name ending in .mp4."
        )
    if os.name == "nt" and kept_by_windows(target.name):
        raise InputError(
            f"Windows takes {target.name!r} for a device or a part of another file.",
            file=target,
            advice="Give the output another name.",
        )
    if target.suffix.lower() != ".mp4":
        raise InputError(
            f"Films are written as MP4, not as {target.suffix or 'a file without ending'}.",
            file=target,
            advice="Give the output a name ending in .mp4.",
        )


def kept_by_windows(name: str) -> bool:
    """Whether a file of this name would be a device there (``con.mp4``), whatever the ending, or
    vanish into a stream of another file (``a:b.mp4``); writing it raises no error."""
    stem = name.partition(".")[0].rstrip(" ").upper()
    return ":" in name or stem in _DEVICES


def thumbnail(film: Path, target: Path) -> None:
    """Save the picture one second into the film (or its middle) as JPEG or PNG."""
    from PIL import Image

    draft = target.with_name(f".{uuid.uuid4().hex}{target.suffix}")
    picture = Image.fromarray(_frame_of(film))
    with _faults(target):
        try:
            picture.save(draft, quality=90)
            os.replace(draft, target)
        finally:
            draft.unlink(missing_ok=True)


def _frame_of(film: Path) -> NDArray[np.uint8]:
    import av

    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        at = min(int(float(stream.average_rate or 1)), stream.frames // 2)
        frame = next(itertools.islice(container.decode(stream), at, None))
        return frame.to_ndarray(format="rgb24").astype("uint8", copy=False)


def _write(
    parts: Sequence[Part],
    sound: Path,
    draft: Path,
    size: Size,
    fps: int,
    metadata: dict[str, str],
    cancel: CancelToken,
    on_progress: Callable[[float], None],
) -> None:
    import av

    total = sum(part.frames for part in parts)
    with (
        av.open(str(draft), "w", format="mp4", options=_MUXER) as output,
        av.open(str(sound)) as source,
        Packets(parts[0].path) as first,
    ):
        output.metadata.update(metadata)
        video = output.add_stream_from_template(first.stream)
        audio = output.add_stream_from_template(source.streams.audio[0])
        require_length(source.streams.audio[0], total, fps)
        stamp = Restamper(fps)
        pending = sound_packets(source)
        heard = next(pending, None)
        for packet in _pictures(parts, first, size):
            cancel.check()
            # Side by side in the file, so that a player reads both without jumping.
            while heard is not None and (heard.pts or 0) / SAMPLE_RATE <= stamp.frame / fps:
                heard = _pass_on(output, heard, audio, pending)
            output.mux_one(stamp(packet, video))
            if stamp.frame % fps == 0:
                on_progress(stamp.frame / total)
        while heard is not None:
            heard = _pass_on(output, heard, audio, pending)


def _pass_on(
    output: OutputContainer,
    packet: av.Packet[AudioStream],
    stream: AudioStream,
    pending: Iterator[av.Packet[AudioStream]],
) -> av.Packet[AudioStream] | None:
    packet.stream = stream
    output.mux_one(packet)
    return next(pending, None)


def _pictures(
    parts: Sequence[Part], model: Packets, size: Size
) -> Iterator[av.Packet[VideoStream]]:
    """The packets of all parts, one segment open at a time."""
    expected = _stream_header(model)
    context = model.stream.codec_context
    if Size(context.width, context.height) != size:
        raise SegmentFault(f"{model.path.name} is {context.width}x{context.height}, not {size}")
    for part in parts:
        with Packets(part.path) as packets:
            if _stream_header(packets) != expected:
                raise SegmentFault(
                    f"{part.path.name} was encoded otherwise than {model.path.name}: "
                    "they cannot be joined by copy"
                )
            yield from packets.between(part.first, part.frames)


def _stream_header(packets: Packets) -> bytes:
    return bytes(packets.stream.codec_context.extradata or b"")


@contextlib.contextmanager
def _faults(target: Path) -> Iterator[None]:
    """Tell a user's folder or disk from a fault of our own."""
    try:
        yield
    except OSError as failure:
        if failure.errno in NO_ROOM:
            raise DiskFull(target) from failure
        if failure.errno in _REFUSED:
            raise _refused(target) from failure
        if failure.errno in (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EINVAL):
            raise InputError(
                f"The film cannot be written here: {failure.strerror}.",
                file=target,
                advice="Choose another output path.",
            ) from failure
        raise


def _refused(target: Path) -> InputError:
    return InputError(
        "The film cannot be written here: the folder is write-protected, or another program "
        "has the film open.",
        file=target,
        advice="Choose another output path, or change the folder's permissions.",
    )
