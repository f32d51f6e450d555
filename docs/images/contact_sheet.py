r"""The picture on the first page of the README: one frame of each scene of the demonstration film.

After a change to the film:

    make demo
    .venv/bin/python docs/images/contact_sheet.py out/demo.mp4 docs/images/demo.png \
        3 9.5 15.5 20 27.3 32.5
"""

from __future__ import annotations

import sys
from pathlib import Path

import av
from PIL import Image, ImageDraw

WIDTH, GAP, RADIUS = 240, 16, 18


def frame_at(film: Path, seconds: float) -> Image.Image:
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        container.seek(int(seconds * 1_000_000))
        for frame in container.decode(stream):
            if frame.time is not None and frame.time >= seconds:
                return frame.to_image()
    raise SystemExit(f"{film} is shorter than {seconds} s")


def sheet(frames: list[Image.Image]) -> Image.Image:
    """The frames side by side with round corners on nothing."""
    height = WIDTH * frames[0].height // frames[0].width
    page = Image.new("RGBA", (len(frames) * (WIDTH + GAP) - GAP, height), (0, 0, 0, 0))
    outline = Image.new("L", (WIDTH * 4, height * 4), 0)
    area = (0, 0, WIDTH * 4 - 1, height * 4 - 1)
    ImageDraw.Draw(outline).rounded_rectangle(area, RADIUS * 4, fill=255)
    mask = outline.resize((WIDTH, height), Image.Resampling.LANCZOS)
    for number, frame in enumerate(frames):
        small = frame.resize((WIDTH, height), Image.Resampling.LANCZOS)
        page.paste(small, (number * (WIDTH + GAP), 0), mask)
    return page


if __name__ == "__main__":
    source, target, *times = sys.argv[1:]
    picture = sheet([frame_at(Path(source), float(time)) for time in times])
    picture.save(target, optimize=True)
