"""What a child process prints on its two streams, line by line as it comes."""

from __future__ import annotations

import codecs
import contextlib
import os
import queue
import re
import threading
from collections import deque
from dataclasses import dataclass
from typing import IO

from backends.sadtalker.progress import bar_of

# Progress bars end their updates with a carriage return, all else ends in a newline.
_END = re.compile(r"[\r\n]+")
_CHUNK_BYTES = 65536
_LONGEST_LINE = 8192
_SHOWN_CHARACTERS = 1000
# So little that it is read in no time when the child has ended.
_MOST_WAITING = 16


@dataclass(frozen=True, slots=True)
class Batch:
    """Whole lines of a stream, counted from 0, and the beginning of one that has not ended;
    ``over``: the stream has ended."""

    stream: int
    lines: tuple[str, ...] = ()
    partial: str = ""
    over: bool = False


class Streams:
    """Reads streams at once, each in a thread of its own: a pipe that nobody empties would stop
    the child."""

    def __init__(self, *streams: IO[bytes]) -> None:
        self._batches: queue.Queue[Batch] = queue.Queue(_MOST_WAITING)
        self._open = len(streams)
        self._left = threading.Event()
        for number, stream in enumerate(streams):
            threading.Thread(target=self._read, args=(number, stream), daemon=True).start()

    @property
    def over(self) -> bool:
        """Whether everything was read to its end."""
        return self._open == 0

    def next(self, seconds: float) -> Batch | None:
        """The next that was printed, None if there was nothing for ``seconds``."""
        try:
            batch = self._batches.get(timeout=seconds)
        except queue.Empty:
            return None
        self._open -= batch.over
        return batch

    def leave(self) -> None:
        """Nobody listens any longer: the threads end as soon as their streams do."""
        self._left.set()

    def _read(self, number: int, stream: IO[bytes]) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        pending = ""
        with stream:
            while data := _chunk(stream):
                pending += decoder.decode(data)
                *lines, pending = _END.split(pending)
                if len(pending) > _LONGEST_LINE:
                    lines, pending = [*lines, pending], ""
                self._put(Batch(number, tuple(line for line in lines if line), pending))
        pending += decoder.decode(b"", final=True)
        self._put(Batch(number, (pending,) if pending else (), over=True))

    def _put(self, batch: Batch) -> None:
        while not self._left.is_set():
            with contextlib.suppress(queue.Full):
                self._batches.put(batch, timeout=0.2)
                break


def _chunk(stream: IO[bytes]) -> bytes:
    try:
        return os.read(stream.fileno(), _CHUNK_BYTES)
    except OSError:
        return b""


class Tail:
    """The last lines that were printed. Of a progress bar only its latest update is kept, or a
    minute of work would push everything else out."""

    def __init__(self, most: int = 200) -> None:
        self._lines: deque[str] = deque(maxlen=most)
        self._bar: str | None = None

    def add(self, line: str) -> None:
        bar = bar_of(line)
        if bar is not None and bar == self._bar and self._lines:
            self._lines.pop()
        self._bar = bar
        self._lines.append(line.rstrip()[:_SHOWN_CHARACTERS])

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(self._lines)
