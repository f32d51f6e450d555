r"""A sheet for looking at: what the embedded presenter makes of portraits.

One row a portrait, one column a sound:

    .venv/bin/python docs/images/puppet_sheet.py docs/images/puppet.png \
        renderer/demo/assets/presenter.png renderer/demo/assets/minh.png

With --channels, one row for each channel of the mouth instead, from 0 to 1 (the mouth's width from
-1); with --mouth, only the mouth, enlarged; with --variants, each portrait also dark, grey,
mirrored, warm, cold, tilted and sheared.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from backends.puppet.mouth_rig import MouthRig
from backends.puppet.mouth_track import CHANNELS
from backends.puppet.portraits import find_face

Pose = tuple[float, ...]
TILE = 240
#        jaw   wide  round press tuck  teeth tongue
SOUNDS: dict[str, Pose] = {
    "rest": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "mm": (0.1, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0),
    "ff": (0.14, 0.05, 0.0, 0.0, 1.0, 0.8, 0.0),
    "ss": (0.1, 0.3, 0.0, 0.0, 0.0, 0.95, 0.2),
    "ll": (0.3, 0.15, 0.0, 0.0, 0.0, 0.55, 0.85),
    "ee": (0.2, 0.75, 0.0, 0.0, 0.0, 0.65, 0.15),
    "eh": (0.5, 0.4, 0.0, 0.0, 0.0, 0.6, 0.0),
    "aa": (0.85, 0.0, 0.0, 0.0, 0.0, 0.5, 0.0),
    "oh": (0.45, -0.4, 0.7, 0.0, 0.0, 0.15, 0.0),
    "oo": (0.16, -0.7, 1.0, 0.0, 0.0, 0.1, 0.0),
}


def channels() -> Iterator[tuple[str, list[Pose]]]:
    """Each channel from 0 to 1, the jaw a little open where it would otherwise show nothing."""
    for number, name in enumerate(CHANNELS):
        jaw = 0.35 if name in ("press", "teeth", "tongue") else 0.0
        poses = []
        for step in range(5):
            pose = [jaw] + [0.0] * (len(CHANNELS) - 1)
            pose[number] = step / 2 - 1 if name == "wide" else step / 4
            poses.append(tuple(pose))
        yield name, poses


VARIANTS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "": lambda picture: picture,
    "dark": lambda picture: ImageEnhance.Brightness(picture).enhance(0.35),
    "grey": lambda picture: ImageOps.grayscale(picture).convert("RGB"),
    "mirrored": ImageOps.mirror,
    "warm": lambda picture: _tinted(picture, (1.1, 0.95, 0.7)),
    "cold": lambda picture: _tinted(picture, (0.75, 0.95, 1.15)),
    "tilted": lambda picture: picture.rotate(12, Image.Resampling.BICUBIC, expand=True),
    "sheared": lambda picture: picture.transform(
        picture.size,
        Image.Transform.AFFINE,
        (1.35, 0.1, -0.22 * picture.width, 0, 1, 0),
        Image.Resampling.BICUBIC,
    ),
}


def _tinted(picture: Image.Image, gains: tuple[float, float, float]) -> Image.Image:
    bands = [
        band.point([min(255, round(value * gain)) for value in range(256)])
        for band, gain in zip(picture.split(), gains, strict=True)
    ]
    return Image.merge("RGB", bands)


def row(picture: Image.Image, poses: list[Pose], mouth_only: bool) -> list[Image.Image]:
    """The portrait's face, or mouth, in each of the ``poses``."""
    pixels = np.asarray(picture)
    face = find_face(pixels).face
    rig = MouthRig(pixels, face)
    x, y, _, _ = rig.region
    points = face.points[:468, :2]
    middle, side = (
        (points.min(axis=0) + points.max(axis=0)) / 2,
        1.25 * np.ptp(points, axis=0).max(),
    )
    if mouth_only:
        middle = points[[61, 291, 14]].mean(axis=0)
        side = 1.8 * float(np.linalg.norm(points[61] - points[291]))
    left, top = middle - side / 2
    tiles = []
    for pose in poses:
        frame = picture.copy()
        frame.paste(Image.fromarray(rig.patch(pose)), (x, y))
        scale = side / TILE
        view = (scale, 0, left, 0, scale, top)
        size = (TILE, TILE)
        tiles.append(frame.transform(size, Image.Transform.AFFINE, view, Image.Resampling.BICUBIC))
    return tiles


def sheet(rows: list[tuple[str, list[Image.Image]]], heads: list[str]) -> Image.Image:
    """Rows of tiles under their heads, each row named in its first tile."""
    columns = max(len(tiles) for _, tiles in rows)
    page = Image.new("RGB", (columns * TILE, 20 + len(rows) * TILE), "white")
    draw = ImageDraw.Draw(page)
    for column, head in enumerate(heads):
        draw.text((column * TILE + 6, 4), head, fill="black")
    for line, (name, tiles) in enumerate(rows):
        for column, tile in enumerate(tiles):
            page.paste(tile, (column * TILE, 20 + line * TILE))
        draw.text((6, 24 + line * TILE), name, fill="black", stroke_width=2, stroke_fill="white")
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("target", type=Path)
    parser.add_argument("portraits", type=Path, nargs="+")
    for option in ("--channels", "--mouth", "--variants"):
        parser.add_argument(option, action="store_true")
    chosen = parser.parse_args()
    variants = VARIANTS if chosen.variants else {"": VARIANTS[""]}
    rows = []
    for path in chosen.portraits:
        for variant, change in variants.items():
            picture = change(Image.open(path).convert("RGB"))
            name = f"{path.stem} {variant}"
            if chosen.channels:
                rows += [(f"{name} {c}", row(picture, p, chosen.mouth)) for c, p in channels()]
            else:
                rows.append((name, row(picture, list(SOUNDS.values()), chosen.mouth)))
    heads = ["0", "1/4", "1/2", "3/4", "1"] if chosen.channels else list(SOUNDS)
    sheet(rows, heads).save(chosen.target, optimize=True)


if __name__ == "__main__":
    main()
