"""An ffmpeg filter graph while it is being put together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from renderer.compose.plates import Plate

_SWS = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
TO_BT709 = f"out_color_matrix=bt709:out_range=tv:{_SWS}"


class Graph:
    """Inputs and filter chains; a label names the output of a chain."""

    def __init__(self, fps: int) -> None:
        self.fps = fps
        self._inputs: list[str] = []
        self._count = 0
        self._chains: list[str] = []
        self._labels = 0

    def file(self, path: Path, *options: str) -> str:
        """Add a file as an input. `file:` keeps odd names from being read as something else."""
        self._inputs += [*options, "-i", f"file:{path}"]
        self._count += 1
        return f"{self._count - 1}:v:0"

    def plate(self, plate: Plate) -> str:
        """Add raw pixels as one frame in the colours of the film."""
        label = self.file(
            plate.path,
            *("-f", "rawvideo", "-pixel_format", plate.pixels),
            *("-video_size", str(plate.size), "-framerate", str(self.fps)),
        )
        if plate.pixels == "gray":
            return label
        pixels = "yuva420p" if plate.pixels == "rgba" else "yuv420p"
        return self.add(label, f"scale={TO_BT709},format={pixels}")

    def add(self, sources: str | Sequence[str], filters: str) -> str:
        """Append a chain with one output and return its label."""
        return self.fork(sources, filters, 1)[0]

    def fork(self, sources: str | Sequence[str], filters: str, outputs: int) -> list[str]:
        """Append a chain with several outputs."""
        names = [sources] if isinstance(sources, str) else list(sources)
        made = [f"v{self._labels + i}" for i in range(outputs)]
        self._labels += outputs
        ins, outs = ("".join(f"[{name}]" for name in group) for group in (names, made))
        self._chains.append(f"{ins}{filters}{outs}")
        return made

    def overlay(self, base: str, top: str, x: int | str, y: int | str, when: str = "") -> str:
        """Lay ``top`` over ``base``; its last frame stays when it ends."""
        return self.add([base, top], f"overlay=x={x}:y={y}:format=yuv420:eof_action=repeat{when}")

    def held(self, source: str) -> str:
        """Repeat a single frame without end (by reference, which costs nothing)."""
        return self.add(source, f"loop=loop=-1:size=1,settb=1/{self.fps},setpts=N")

    def args(self, output: str) -> list[str]:
        """ffmpeg's arguments up to the output options."""
        graph = ";".join(self._chains)
        return ["-v", "error", *self._inputs, "-filter_complex", graph, "-map", f"[{output}]"]
