"""The background as the first chains of a segment's filter graph."""

from __future__ import annotations

from pathlib import Path

from avatar_core.backend import Size
from renderer.compose.graph import TO_BT709, Graph
from renderer.compose.layouts import even
from renderer.compose.plates import background_plate
from renderer.compose.probe import VideoFacts, probe_video
from renderer.compose.spec import BackgroundLayer, Box

# How much nearer a zoom ends than it begins; a pan moves over as much.
_TRAVEL = 1.12
_BLUR_SHRINK = 12


def still_background(graph: Graph, layer: BackgroundLayer, size: Size, work: Path) -> str:
    """A colour or an unmoved picture as a single frame of the whole film's size."""
    box = layer.box or Box(0, 0, *size)
    filling = graph.plate(background_plate(layer, box.size, work / "background.raw"))
    return filling if box.size == size else _on_color(graph, layer, size, work, filling, box)


def moving_background(
    graph: Graph, layer: BackgroundLayer, size: Size, frames: int, work: Path
) -> str:
    """A video or a moving picture, at least ``frames`` frames of the whole film's size."""
    box = layer.box or Box(0, 0, *size)
    if layer.kind == "image":
        filling = _moving_picture(graph, layer, box.size, frames, work)
        place = box
    else:
        facts = probe_video(_src(layer))
        filling = _video(graph, layer, facts, box.size, frames)
        if layer.fit == "contain" or facts.has_alpha:
            return _on_color(graph, layer, size, work, filling, box)
        place = box
    return filling if place.size == size else _on_color(graph, layer, size, work, filling, place)


def _src(layer: BackgroundLayer) -> Path:
    if layer.src is None:
        raise ValueError(f"a background of kind {layer.kind!r} needs a file")
    return layer.src


def _on_color(
    graph: Graph, layer: BackgroundLayer, size: Size, work: Path, filling: str, box: Box
) -> str:
    plain = BackgroundLayer("color", color=layer.color)
    base = graph.plate(background_plate(plain, size, work / "color.raw"))
    if layer.moves:
        base = graph.held(base)
    x = f"{box.x}+({box.width}-w)/2"
    y = f"{box.y}+({box.height}-h)/2"
    return graph.overlay(base, filling, x, y)


def _moving_picture(
    graph: Graph, layer: BackgroundLayer, size: Size, frames: int, work: Path
) -> str:
    """The picture is made larger than it is shown and its visible part moves by fractions of a
    pixel: filters that move by whole pixels tremble."""
    large = Size(even(size.width * _TRAVEL), even(size.height * _TRAVEL))
    plate = background_plate(layer, large, work / "background.raw")
    source = graph.held(graph.plate(plate))
    return graph.add(source, travel(layer.motion, size, large, frames))


def travel(motion: str, size: Size, large: Size, frames: int) -> str:
    """The filters that show ``size`` of a picture of ``large``, moving over ``frames`` frames."""
    done = f"min(1,(on-1)/{max(1, frames - 1)})"
    spare_x, spare_y = large.width - size.width, large.height - size.height
    # How much of the spare border is seen: all of it from afar, none at the nearest.
    far = {"zoom_in": f"(1-{done})", "zoom_out": done}.get(motion, "0")
    left, top = f"{spare_x}/2*(1-{far})", f"{spare_y}/2*(1-{far})"
    if motion in ("pan_left", "pan_right"):
        left = f"{spare_x}*" + (f"(1-{done})" if motion == "pan_left" else done)
    if motion in ("pan_up", "pan_down"):
        top = f"{spare_y}*" + (f"(1-{done})" if motion == "pan_up" else done)
    wide, high = f"({size.width}+{spare_x}*{far})", f"({size.height}+{spare_y}*{far})"
    # The filter fills its input's size, of which the upper left part is kept.
    right = f"({left}+{wide}*{large.width / size.width})"
    bottom = f"({top}+{high}*{large.height / size.height})"
    quad = [(left, top), (right, top), (left, bottom), (right, bottom)]
    corners = ":".join(f"x{i}='{x}':y{i}='{y}'" for i, (x, y) in enumerate(quad))
    return f"perspective={corners}:eval=frame,crop={size.width}:{size.height}:0:0"


def _video(graph: Graph, layer: BackgroundLayer, facts: VideoFacts, size: Size, frames: int) -> str:
    wanted = frames / graph.fps
    short = facts.seconds < wanted
    options = ["-c:v", facts.decoder] if facts.decoder else []
    if short and layer.when_short == "loop":
        options += ["-stream_loop", "-1"]
    source = graph.file(_src(layer), *options)
    rate = _stretch(layer, facts.seconds, wanted)
    timed = graph.add(source, f"setpts=(PTS-STARTPTS)*{rate:.9f},fps={graph.fps}{_square(facts)}")
    fitted = _fitted(graph, layer, facts, size, timed)
    return graph.add(fitted, "tpad=stop=-1:stop_mode=clone")


def _stretch(layer: BackgroundLayer, seconds: float, wanted: float) -> float:
    """How much slower than it was filmed the video runs."""
    if seconds <= 0:
        return 1.0
    if seconds < wanted and layer.when_short == "slow":
        return wanted / seconds
    if seconds > wanted and layer.when_long == "speed_up":
        return wanted / seconds
    return 1.0


def _square(facts: VideoFacts) -> str:
    return "" if facts.square else ",scale=w='trunc(iw*sar/2)*2':h=ih,setsar=1"


def _fitted(
    graph: Graph, layer: BackgroundLayer, facts: VideoFacts, size: Size, source: str
) -> str:
    if layer.fit != "blur":
        pixels = "yuva420p" if facts.has_alpha else "yuv420p"
        return graph.add(source, f"{fit_filter(layer.fit, size, facts)},format={pixels}")
    near, far = graph.fork(source, "split", 2)
    small = Size(even(size.width / _BLUR_SHRINK) or 2, even(size.height / _BLUR_SHRINK) or 2)
    backdrop = graph.add(
        far,
        f"{fit_filter('cover', small, facts)},format=yuv420p,gblur=sigma=2.5,"
        f"lutyuv=y='16+(val-16)*0.75',scale={size.width}:{size.height}:flags=bicubic,setsar=1",
    )
    inner = graph.add(near, f"{fit_filter('contain', size, facts)},format=yuv420p")
    return graph.overlay(backdrop, inner, "(W-w)/2", "(H-h)/2")


def fit_filter(fit: str, size: Size, facts: VideoFacts, top: float = 0.5) -> str:
    """Scale (and crop) a video to ``size``; ``top`` is the share of the surplus height that is
    cut off above."""
    ratio = "decrease" if fit == "contain" else "increase"
    scale = (
        f"scale={size.width}:{size.height}:force_original_aspect_ratio={ratio}"
        f":force_divisible_by=2:in_color_matrix={facts.matrix}:{TO_BT709}"
    )
    if fit == "contain":
        return f"{scale},setsar=1"
    return f"{scale},crop={size.width}:{size.height}:(iw-ow)/2:(ih-oh)*{top},setsar=1"
