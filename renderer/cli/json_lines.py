"""Events as JSON, one a line, for a program that reads along."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

import typer

from avatar_core.children import reader_gone
from avatar_core.events import Event, RenderFailed, RenderFinished
from renderer.cli import failures, streams


class JsonLines:
    """Writes each event as it comes; how the render ended is written last, and once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._gone = False

    def __call__(self, event: Event) -> None:
        if not isinstance(event, RenderFinished | RenderFailed):
            self.write(event.to_json())

    def write(self, values: Mapping[str, Any]) -> None:
        """Write one line and let it go at once."""
        if self._gone:
            return
        try:
            print(json.dumps(values, ensure_ascii=False), file=self._stream, flush=True)
        except OSError as failure:
            # The reader went away; the film is still wanted.
            self._gone = reader_gone(failure)
            if not self._gone:
                raise


@contextlib.contextmanager
def json_output() -> Iterator[JsonLines]:
    """Standard output for JSON alone; a failure is its last line, and a sentence for people."""
    with streams.reserved_stdout() as stream:
        lines = JsonLines(stream)
        try:
            yield lines
        except Exception as error:
            if isinstance(error, typer.Exit):
                raise
            failure = failures.explain(error)
            # Where nothing can be written, the sentence below and the exit code are left.
            with contextlib.suppress(OSError):
                lines.write(failure.to_json())
            failures.show(failure, error)
            raise typer.Exit(failure.exit_code) from error
