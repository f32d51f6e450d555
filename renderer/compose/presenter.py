"""The presenter as chains of a segment's filter graph: fitted, cut out, timed."""

from __future__ import annotations

from pathlib import Path

from renderer.compose.background import fit_filter
from renderer.compose.graph import Graph
from renderer.compose.plates import backing_plate, card_plate, mask_plate
from renderer.compose.probe import VideoFacts, probe_video
from renderer.compose.spec import PresenterLayer

# Faces are in the upper part of a portrait: most of what is cut off goes below.
_CUT_ABOVE = 0.2


def presenter_chain(graph: Graph, layer: PresenterLayer, work: Path) -> str:
    """The presenter in its box's size: one frame when it is still, else frames without end."""
    facts = probe_video(layer.clip)
    source = graph.file(layer.clip, *(["-c:v", facts.decoder] if facts.decoder else []))
    fitted = graph.add(source, f"{_timed(graph, layer)},{_fit(layer, facts)}")
    if layer.shape != "rect":
        fitted = _cut_out(graph, layer, fitted, work)
    if layer.still:
        return fitted
    held = f"tpad=start={layer.start}:start_mode=clone:stop=-1:stop_mode=clone"
    return graph.add(fitted, held)


def backing_chain(graph: Graph, layer: PresenterLayer, base: str, whole: bool, work: Path) -> str:
    """Lay what stands behind the presenter over ``base``: shadow and ring, or a plain wall."""
    path = work / "backing.raw"
    if layer.shape != "rect":
        plate = backing_plate(layer.shape, layer.box.size, path)
    elif layer.has_alpha and not whole:
        plate = card_plate(layer.box.size, path)
    else:
        return base
    top = graph.plate(plate)
    return graph.overlay(base, top, layer.box.x + plate.x, layer.box.y + plate.y)


def _timed(graph: Graph, layer: PresenterLayer) -> str:
    if layer.still:
        return "trim=end_frame=1,setpts=0"
    return f"setpts=PTS-STARTPTS,fps={graph.fps},trim=end_frame={layer.frames}"


def _fit(layer: PresenterLayer, facts: VideoFacts) -> str:
    size = layer.box.size
    if not layer.has_alpha:
        return f"{fit_filter('cover', size, facts, _CUT_ABOVE)},format=yuv420p"
    # A cut-out person is shown whole and stands on the lower edge.
    room = f"pad={size.width}:{size.height}:(ow-iw)/2:oh-ih:color=black@0"
    return f"{fit_filter('contain', size, facts)},format=yuva420p,{room}"


def _cut_out(graph: Graph, layer: PresenterLayer, source: str, work: Path) -> str:
    mask = graph.plate(mask_plate(layer.shape, layer.box.size, work / "mask.raw"))
    if not layer.has_alpha:
        whole = graph.add(source, "format=yuva420p")
        return graph.add([whole, mask], "alphamerge")
    whole, other = graph.fork(source, "split", 2)
    alpha = graph.add(other, "alphaextract")
    both = graph.add([alpha, mask], "blend=all_mode=multiply")
    return graph.add([whole, both], "alphamerge")
