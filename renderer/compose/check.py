"""A finished segment is checked before anybody relies on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from avatar_core.backend import Size
from renderer.compose.packets import Packets, SegmentFault


def check_segment(path: Path, frames: int, size: Size, cuts: Sequence[int]) -> None:
    """Raises `SegmentFault` unless the segment has exactly ``frames`` frames of ``size`` in
    yuv420p at even times, key frames at ``cuts``, and begins with a picture that decodes."""
    with Packets(path) as packets:
        context = packets.stream.codec_context
        _require(Size(context.width, context.height) == size, path, f"is not {size}")
        keys, count, step = set(), 0, None
        for packet in packets.all():
            if packet.is_keyframe:
                keys.add(count)
            if count == 1:
                step = packet.pts
            _require(packet.pts == packet.dts == count * (step or 0), path, "has uneven times")
            # Only the first picture: what this encoder writes after it decodes as well.
            if not count:
                pictures = [*context.decode(packet), *context.decode(None)]
                _require(len(pictures) == 1, path, "does not decode")
                pixels = pictures[0].format.name
                _require(pixels == "yuv420p", path, f"is {pixels}")
            count += 1
        _require(count == frames, path, f"has {count} frames, not {frames}")
        _require(keys.issuperset(cuts), path, f"lacks key frames at {sorted(set(cuts) - keys)}")


def _require(fact: bool, path: Path, complaint: str) -> None:
    if not fact:
        raise SegmentFault(f"{path.name} {complaint}")
