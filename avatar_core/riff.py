"""How much of a WAV file is missing: decoders read what is there and say nothing."""

from __future__ import annotations

import struct
from pathlib import Path

# Programs that write to a pipe cannot know the size and put the largest number there is.
_UNKNOWN = 0x7FFF_0000


def riff_shortage(path: Path) -> float:
    """How many times more sound a WAV's header claims than the file holds: 1.0 for a whole one
    and for any other format."""
    with path.open("rb") as stream:
        head = stream.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return 1.0
        while len(chunk := stream.read(8)) == 8:
            name, size = chunk[:4], struct.unpack("<I", chunk[4:])[0]
            if name != b"data":
                stream.seek(size + size % 2, 1)
                continue
            held = path.stat().st_size - stream.tell()
            return size / held if size < _UNKNOWN and held > 0 else 1.0
    return 1.0
