r"""Clips and sheets for looking at: a narration spoken by portraits, frame by frame.

    .venv/bin/python docs/images/puppet_clips.py out/clips \
        renderer/demo/assets/presenter.png my-portrait.jpg

For each portrait there is NAME.mp4, ten seconds with every kind of lip movement and a pause, and
NAME.png: frames at even distances, then one row of consecutive frames, enlarged, for each of the
moments at which something can look wrong: the widest opening, a closure, a lip under the teeth,
rounded lips, a blink, the farthest turn of the head. The largest change from one frame to the
next outside mouth and eyes is printed beside that of its neighbours: a jump shows there. --size N
draws larger clips.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from avatar_core.backend import AvatarRequest, Job, Size
from avatar_core.errors import AvatarError
from avatar_core.speech import Speech, SpeechRequest
from backends.puppet.backend import PuppetBackend, performance
from backends.puppet.config import PuppetOptions
from backends.puppet.frames import Part
from backends.puppet.life import CHANNELS as LIFE
from backends.puppet.mouth_track import CHANNELS as MOUTH
from backends.puppet.prepared import Prepared, prepare
from renderer.speech.hibari import HibariEngine

TEXT = (
    "Hello! My mum put five big apples above the blue box. "
    "Oh, who would move so few? Father laughs. Now watch: map, fib, love, pure, wow!"
)
FPS = 25
TILE, COLUMNS, EVEN = 200, 8, 24
# The face fills so much of an enlarged tile; jumps are looked for in blocks of so many pixels.
_FACE, _BLOCK = 1 / 1.35, 16

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Clip:
    """A finished clip, decoded, and what was asked of each of its frames."""

    name: str
    frames: list[Picture]
    part: Part
    prepared: Prepared


def narrate(folder: Path) -> Speech:
    return HibariEngine().speak(SpeechRequest(TEXT), Job(folder))


def clip_of(portrait: Path, said: Speech, side: int, folder: Path) -> Clip:
    """Render the portrait's clip into ``folder`` and read it as a player does."""
    options = PuppetOptions()
    size = Size(side, side)
    request = AvatarRequest(
        portrait, said.path, said.duration, size, FPS, phonemes=said.phonemes, options=options
    )
    made = PuppetBackend().generate(request, Job(folder))
    target = made.path.replace(folder / f"{portrait.stem}.mp4")
    with av.open(str(target)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    for warning in made.warnings:
        print(f"{portrait.stem}: {warning}")
    prepared = prepare(portrait, size, options.focus)
    return Clip(portrait.stem, frames, performance(request, options), prepared)


def moments(part: Part) -> Mapping[str, int]:
    """The frames at which something can look wrong."""
    mouth = {name: part.poses[:, number] for number, name in enumerate(MOUTH)}
    life = {name: part.life[:, number] for number, name in enumerate(LIFE)}
    turned = np.abs(life["yaw"]) + np.abs(life["pitch"]) + np.abs(life["roll"])
    return {
        "widest": int(np.argmax(mouth["jaw"] - 2 * mouth["press"])),
        "closed": int(np.argmax(mouth["press"] + 0.01 * mouth["jaw"])),
        "tucked": int(np.argmax(mouth["tuck"])),
        "round": int(np.argmax(mouth["round"])),
        "blink": int(np.argmax(life["lid"])),
        "brows": int(np.argmax(life["brow"])),
        "turned": int(np.argmax(turned)),
    }


def sheet(clip: Clip) -> Image.Image:
    """Even frames, then each moment with its neighbours, enlarged."""
    last = len(clip.frames) - 1
    tiles = [(f"{n / FPS:.2f}", n, False) for n in np.linspace(0, last, EVEN).round().astype(int)]
    for name, middle in moments(clip.part).items():
        first = int(np.clip(middle - COLUMNS // 2, 0, max(0, last - COLUMNS + 1)))
        row = range(first, min(first + COLUMNS, last + 1))
        tiles += [(f"{name}!" if n == middle else f"{n / FPS:.2f}", n, True) for n in row]
    page = Image.new("RGB", (COLUMNS * TILE, -(-len(tiles) // COLUMNS) * TILE), "white")
    draw = ImageDraw.Draw(page)
    for place, (label, number, near) in enumerate(tiles):
        x, y = place % COLUMNS * TILE, place // COLUMNS * TILE
        frame = Image.fromarray(clip.frames[number])
        page.paste(enlarged(frame, clip.prepared) if near else frame.resize((TILE, TILE)), (x, y))
        draw.text((x + 4, y + 2), label, fill="black", stroke_width=2, stroke_fill="white")
    return page


def enlarged(frame: Image.Image, prepared: Prepared) -> Image.Image:
    points = prepared.face.points[:468, :2]
    low, high = points.min(axis=0), points.max(axis=0)
    scale = float((high - low).max()) / _FACE / TILE
    left, top = (low + high) / 2 - scale * TILE / 2
    view = (scale, 0, left, 0, scale, top)
    return frame.transform(
        (TILE, TILE), Image.Transform.AFFINE, view, Image.Resampling.BICUBIC, fillcolor="grey"
    )


def largest_jump(clip: Clip) -> tuple[float, float, float]:
    """The largest mean change of a block outside mouth and eyes from one frame to the next (levels
    of 255), by how much it exceeds those before and after it, and when (seconds)."""
    stage = clip.prepared.stage
    free = np.ones(clip.frames[0].shape[:2], bool)
    for x, y, width, height in (stage.mouth_box, *stage.eye_boxes):
        # The head takes its mouth and eyes a little way along.
        free[max(0, y - _BLOCK) : y + height + _BLOCK, max(0, x - _BLOCK) : x + width + _BLOCK] = 0
    whole = blocks(free.astype(np.float32)).min(axis=(1, 3)) > 0
    changes = np.array([change[whole].max() for change in _changes(clip.frames)])
    usual = np.maximum(np.roll(changes, 1), np.roll(changes, -1))
    worst = int(np.argmax(changes - usual))
    return float(changes.max()), float((changes - usual)[worst]), (worst + 1) / FPS


def _changes(frames: list[Picture]) -> Iterator[NDArray[np.floating]]:
    before = frames[0].astype(np.float32).mean(axis=-1)
    for frame in frames[1:]:
        light = frame.astype(np.float32).mean(axis=-1)
        yield blocks(np.abs(light - before)).mean(axis=(1, 3))
        before = light


def blocks(plane: NDArray[np.floating]) -> NDArray[np.floating]:
    """(rows, inside, columns, inside) of whole blocks."""
    rows, columns = (n // _BLOCK for n in plane.shape)
    cut = plane[: rows * _BLOCK, : columns * _BLOCK]
    return cut.reshape(rows, _BLOCK, columns, _BLOCK)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("portraits", type=Path, nargs="+")
    parser.add_argument("--size", type=int, default=384, help="width and height of the clips")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    said = narrate(chosen.folder)
    for portrait in chosen.portraits:
        try:
            clip = clip_of(portrait, said, chosen.size, chosen.folder)
        except AvatarError as failure:
            print(f"{portrait.stem}: {failure}")
            continue
        sheet(clip).save(chosen.folder / f"{portrait.stem}.png", optimize=True)
        most, more, when = largest_jump(clip)
        print(f"{portrait.stem}: {len(clip.frames) / FPS:.1f} s; between frames at most {most:.1f} "
              f"levels change outside mouth and eyes; the sharpest step is {more:.1f} at "
              f"{when:.2f} s")  # fmt: skip


if __name__ == "__main__":
    main()
