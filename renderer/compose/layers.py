"""All layers of a segment in one filter graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from renderer.captions.fonts import filter_value, fonts_dir
from renderer.compose.background import moving_background, still_background
from renderer.compose.encoder import BT709
from renderer.compose.graph import Graph
from renderer.compose.plates import picture_plate
from renderer.compose.presenter import backing_chain, presenter_chain
from renderer.compose.spec import PictureLayer, SegmentSpec


def moving_graph(spec: SegmentSpec, work: Path) -> list[str]:
    """ffmpeg's arguments for every frame of the segment."""
    graph = Graph(spec.fps)
    base, still = _scene(graph, spec, work)
    if still:
        base = graph.held(base)
    return graph.args(_finished(graph, spec, base, work))


def stills_graph(
    spec: SegmentSpec, first: Sequence[int], lengths: Sequence[int], work: Path
) -> list[str]:
    """ffmpeg's arguments for a short film of stills: the segment's frame ``first[i]`` for
    ``lengths[i]`` frames, one after the other. Each still is composed once."""
    graph = Graph(spec.fps)
    base, _ = _scene(graph, spec, work)
    if len(first) > 1:
        chosen = "+".join(f"eq(n,{frame})" for frame in first)
        base = graph.add(graph.held(base), f"trim=end_frame={first[-1] + 1},select='{chosen}'")
    else:
        base = graph.add(base, f"settb=1/{spec.fps},setpts={first[0]}")
    begins = [sum(lengths[:i]) for i in range(len(lengths))]
    moved = "+".join(f"{begin}*eq(N,{i})" for i, begin in enumerate(begins))
    held = f",settb=1/{spec.fps},setpts='{moved}',tpad=stop=-1:stop_mode=clone,fps={spec.fps}"
    return graph.args(_finished(graph, spec, base, work, held))


def _scene(graph: Graph, spec: SegmentSpec, work: Path) -> tuple[str, bool]:
    """Background and presenter, and whether both together are a single frame."""
    layer, shown = spec.background, spec.presenter
    if shown is not None and spec.background_hidden:
        return presenter_chain(graph, shown, work), shown.still
    still = not layer.moves
    if still:
        base = still_background(graph, layer, spec.size, work)
    else:
        base = moving_background(graph, layer, spec.size, spec.frames, work)
    if shown is None:
        return base, still
    base = backing_chain(graph, shown, base, shown.box.size == spec.size, work)
    presenter = presenter_chain(graph, shown, work)
    if still and not shown.still:
        base, still = graph.held(base), False
    return graph.overlay(base, presenter, shown.box.x, shown.box.y), still


def _finished(graph: Graph, spec: SegmentSpec, base: str, work: Path, timing: str = "") -> str:
    for i, picture in enumerate(spec.pictures):
        plate = picture_plate(picture, spec.size, work / f"picture{i}.raw")
        base = graph.overlay(
            base, graph.plate(plate), plate.x, plate.y, _while_shown(picture, spec)
        )
    filters = _burn(spec.subtitles, work) if spec.subtitles is not None else ""
    return graph.add(base, f"{filters}format=yuv420p{timing or f',fps={spec.fps}'},{BT709}")


def _while_shown(picture: PictureLayer, spec: SegmentSpec) -> str:
    if picture.start <= 0 and picture.end >= spec.frames:
        return ""
    # Half a frame of room on either side: times are rounded, frames are not.
    begin, end = (picture.start - 0.5) / spec.fps, (picture.end - 0.5) / spec.fps
    return f":enable='between(t,{begin:.6f},{end:.6f})'"


def _burn(subtitles: str, work: Path) -> str:
    (work / "subtitles.ass").write_text(subtitles, encoding="utf-8")
    return f"ass=filename=subtitles.ass:fontsdir={filter_value(fonts_dir())},"
