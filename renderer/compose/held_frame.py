"""An encoded frame that changes nothing, repeated by copy: a still costs no encoding.

When the last frames of a group of pictures decode to the very same picture, the last of them says
"as before" for every block (ITU-T H.264, 7.3.4: skipped macroblocks). Decoded once more it gives
that picture again, so copies of it hold the picture for as long as wanted. Only the counters in
the head of its slice (7.3.3: frame_num and, where it is written, pic_order_cnt_lsb) must go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext

_SLICE, _SPS = 1, 7
_LENGTH_BYTES = 4
_HIGH_PROFILES = (100, 110, 122, 244)


class NotHeld(Exception):
    """The stream is not of the kind whose frames can be renumbered; encode all frames instead."""


class _Bits:
    """Reads the bit syntax of 7.2: fixed numbers and Exp-Golomb codes."""

    def __init__(self, data: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in data)
        self.position = 0

    def fixed(self, count: int) -> int:
        value = int(self._bits[self.position : self.position + count], 2)
        self.position += count
        return value

    def golomb(self) -> int:
        zeros = self._bits.index("1", self.position) - self.position
        self.position += zeros
        return self.fixed(zeros + 1) - 1


@dataclass(frozen=True, slots=True)
class Counters:
    """How a stream counts its frames: the widths of the counters in bits; ``order`` is 0 where
    the order is not written. ``references`` is how many frames a frame can refer to."""

    number: int
    order: int
    references: int


def read_counters(extradata: bytes) -> Counters:
    """Read the sequence parameters from an MP4's decoder configuration (avcC)."""
    length = int.from_bytes(extradata[6:8], "big")
    nal = _unescaped(extradata[8 : 8 + length])
    if nal[0] & 0x1F != _SPS:
        raise NotHeld("no sequence parameters")
    bits = _Bits(nal[1:])
    profile = bits.fixed(8)
    bits.fixed(16)
    bits.golomb()
    if profile in _HIGH_PROFILES and (
        bits.golomb() != 1 or bits.golomb() or bits.golomb() or bits.fixed(2)
    ):
        raise NotHeld("not plain 8-bit 4:2:0")
    number = bits.golomb() + 4
    order_type = bits.golomb()
    if order_type == 1:
        raise NotHeld("frames are ordered by a cycle")
    order = bits.golomb() + 4 if order_type == 0 else 0
    return Counters(number, order, bits.golomb())


class HeldFrame:
    """The frame ``position`` of a group of pictures, to be put at any later position."""

    def __init__(self, packet: bytes, position: int, counters: Counters) -> None:
        size = int.from_bytes(packet[:_LENGTH_BYTES], "big")
        if size + _LENGTH_BYTES != len(packet) or packet[_LENGTH_BYTES] & 0x1F != _SLICE:
            raise NotHeld("more than one slice")
        self._nal = _unescaped(packet[_LENGTH_BYTES:])
        self._counters = counters
        bits = _Bits(self._nal[1:33])
        for _ in range(3):
            bits.golomb()
        self._at = bits.position
        if bits.fixed(counters.number) != position % (1 << counters.number):
            raise NotHeld("frames are not counted one by one")
        if counters.order and bits.fixed(counters.order) != 2 * position % (1 << counters.order):
            raise NotHeld("frames are not ordered one by one")

    def at(self, position: int) -> bytes:
        """The packet for ``position``."""
        width = self._counters.number + self._counters.order
        number = position % (1 << self._counters.number)
        order = 2 * position % (1 << self._counters.order)
        value = number << self._counters.order | order
        total = 8 * (len(self._nal) - 1)
        shift = total - self._at - width
        body = int.from_bytes(self._nal[1:], "big")
        body = body & ~(((1 << width) - 1) << shift) | value << shift
        nal = self._nal[:1] + _escaped(body.to_bytes(total // 8, "big"))
        return len(nal).to_bytes(_LENGTH_BYTES, "big") + nal


def held_group(frames: Sequence[bytes], length: int, decoder: VideoCodecContext) -> list[bytes]:
    """``frames``, a whole group of pictures, continued to ``length`` frames by its last one.

    Raises `NotHeld` where the last frame is not one that changes nothing.
    """
    if len(frames) >= length:
        return list(frames[:length])
    counters = read_counters(bytes(decoder.extradata or b""))
    held = HeldFrame(frames[-1], len(frames) - 1, counters)
    _require_settled(frames, counters.references, decoder)
    return [*frames, *(held.at(position) for position in range(len(frames), length))]


def _require_settled(frames: Sequence[bytes], references: int, decoder: VideoCodecContext) -> None:
    """The last frame and all that it can refer to must be the same picture."""
    import av

    packets = [*(av.Packet(frame) for frame in frames), None]
    pictures = [picture for packet in packets for picture in decoder.decode(packet)]
    decoder.flush_buffers()
    last = [[bytes(plane) for plane in picture.planes] for picture in pictures[-references - 1 :]]
    if len(last) <= references or any(picture != last[0] for picture in last):
        raise NotHeld("the picture is still being refined")


def _unescaped(nal: bytes) -> bytes:
    """Take out the bytes that keep start codes from appearing by chance (7.4.1)."""
    out, zeros = bytearray(), 0
    for byte in nal:
        if zeros >= 2 and byte == 3:
            zeros = 0
            continue
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def _escaped(payload: bytes) -> bytes:
    out, zeros = bytearray(), 0
    for byte in payload:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)
