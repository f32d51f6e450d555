"""Encoded frames as packets: read, repeated, cut and written without decoding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

from renderer.compose.encoder import ticks

if TYPE_CHECKING:
    import av
    from av.video.stream import VideoStream

_UNSEEN = {"skip_frame": "all"}
_MUXER = {"fflags": "bitexact", "use_editlist": "0"}


class SegmentFault(Exception):
    """A segment is not what its maker promised: a fault of this program, not of its user."""


class Packets:
    """The frames of a silent segment in their order; ``with`` closes the file."""

    def __init__(self, path: Path) -> None:
        import av

        self.path = path
        # Opening would decode the first picture, which takes longer than copying all packets.
        self._container = av.open(str(path), options=_UNSEEN)
        self.stream: VideoStream = self._container.streams.video[0]

    def __enter__(self) -> Packets:
        return self

    def __exit__(self, *ignored: object) -> None:
        self._container.close()

    def all(self) -> Iterator[av.Packet[VideoStream]]:
        """Every packet from the first on."""
        for packet in self._container.demux(self.stream):
            if packet.size:
                yield packet

    def between(self, first: int, frames: int) -> Iterator[av.Packet[VideoStream]]:
        """Exactly the frames ``first`` to ``first + frames``; the first must be a key frame."""
        wanted = 0
        for i, packet in enumerate(self.all()):
            if i < first:
                continue
            if wanted == frames:
                return
            if not wanted and not packet.is_keyframe:
                raise SegmentFault(f"{self.path.name}: no key frame at {first} to cut at")
            wanted += 1
            yield packet
        if wanted != frames:
            raise SegmentFault(f"{self.path.name}: {wanted} frames from {first}, not {frames}")


class Restamper:
    """Gives packets from many places consecutive times on one axis, counted in frames."""

    def __init__(self, fps: int) -> None:
        from fractions import Fraction

        self._base = Fraction(1, ticks(fps))
        self._ticks = ticks(fps) // fps
        self.frame = 0

    def __call__(
        self, packet: av.Packet[VideoStream], stream: VideoStream
    ) -> av.Packet[VideoStream]:
        packet.stream = stream
        packet.time_base = self._base
        packet.pts = packet.dts = self.frame * self._ticks
        packet.duration = self._ticks
        self.frame += 1
        return packet


def write_packets(
    template: Packets, packets: Iterable[av.Packet[VideoStream]], target: Path, fps: int
) -> int:
    """Write packets as a silent segment; returns the number of frames."""
    import av

    with av.open(str(target), "w", format="mp4", options=_MUXER) as output:
        stream = output.add_stream_from_template(template.stream)
        _set_time_base(stream, fps)
        stamp = Restamper(fps)
        for packet in packets:
            output.mux_one(stamp(packet, stream))
        return stamp.frame


def _set_time_base(stream: VideoStream, fps: int) -> None:
    from fractions import Fraction

    stream.time_base = Fraction(1, ticks(fps))


def packet_of(data: bytes, is_keyframe: bool = False) -> av.Packet[VideoStream]:
    """A packet with this encoded frame."""
    import av

    made = cast("av.Packet[VideoStream]", av.Packet(data))
    made.is_keyframe = is_keyframe
    return made
