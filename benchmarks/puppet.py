"""The embedded presenter: from a portrait and a narration to an encoded clip, how fast?

    python benchmarks/puppet.py [--quick]

Three ways take turns in one run, with the same narration and the same encoder: the backend, anew
from the portrait in each round; the encoder alone, fed with frames that are ready in memory; and a
warp of the whole frame for every frame, as anybody would write it (`_plain_warp`). A clip of about
twelve seconds, of which the set-up is a larger part, is shown beside that of half a minute; and
beside the shares of time those of the processor's work, which hardly depend on what else runs: the
encoder's over ours (less than the share of time, as the encoder alone leaves cores idle).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, NoReturn

from _plain_warp import plain_frames, resampler
from _report import finish
from avatar_core.backend import AvatarRequest, Job, Size
from avatar_core.ffmpeg import run_ffmpeg
from avatar_core.speech import Speech, SpeechRequest
from backends.puppet.backend import PuppetBackend, performance
from backends.puppet.config import PuppetOptions
from backends.puppet.encode import Film, encode
from backends.puppet.frames import frames
from backends.puppet.prepared import Prepared, prepare
from renderer.speech.hibari import HibariEngine

_PORTRAIT = Path(__file__).parent.parent / "renderer" / "demo" / "assets" / "presenter.png"
_SHORT = (
    "Hello! This clip is drawn on this computer, frame by frame, while the encoder works on those "
    "before. The mouth follows every sound, the eyes blink, and the head is never quite still. "
)
# Half a minute: about what a presenter says in a film, for which the portrait is set up once.
_TEXT = _SHORT + (
    "Nothing of it leaves the room: no picture, no voice and not a word. If a notebook far away "
    "goes to sleep, or a cloud runs out of credit, somebody has to step in, and that is me. I may "
    "be simple, but I am always here, I cost nothing, and I never ask for a better machine."
)
_SMALL, _LARGE = (Size(512, 512), 25), (Size(1080, 1080), 30)
_FOCUS = PuppetOptions().focus
# What a process of its own reports: its largest memory while it made a clip of so many seconds.
_MEMORY = """
import resource, sys, tempfile
from pathlib import Path
from avatar_core.backend import AvatarRequest, Job, Size
from avatar_core.testing.media import speech
from backends.puppet.backend import PuppetBackend
with tempfile.TemporaryDirectory() as name:
    folder, seconds = Path(name), float(sys.argv[2])
    sound = speech(folder / "a.wav", seconds)
    request = AvatarRequest(Path(sys.argv[1]), sound, seconds, Size(256, 256), 25)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    PuppetBackend().generate(request, Job(folder))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
GOALS = {
    "512x512 at 25: at least 4 times real time (aim 8)": ("times_real_time", ">=", 4.0),
    "at least half as fast as the encoder alone (aim 0.75)": ("share_of_encoder", ">=", 0.5),
    "at least 3 times faster than a plain warp": ("times_faster_than_plain", ">=", 3.0),
    "1080x1080 at 30: at least real time": ("times_real_time_large", ">=", 1.0),
    "a portrait is ready in a second": ("setup_seconds", "<=", 1.0),
    "and kept from scene to scene": ("kept_seconds", "<=", 0.05),
    "a ten times longer narration needs no more memory": ("more_megabytes", "<=", 16.0),
}


class Spent(NamedTuple):
    """Seconds that passed, and seconds of processors, those of ffmpeg with them."""

    wall: float
    cpu: float


def speak(folder: Path, text: str) -> Speech:
    folder.mkdir()
    return HibariEngine().speak(SpeechRequest(text), Job(folder))


def asked(spoken: Speech, format: tuple[Size, int]) -> AvatarRequest:
    size, fps = format
    return AvatarRequest(
        _PORTRAIT, spoken.path, spoken.duration, size, fps,
        phonemes=spoken.phonemes, options=PuppetOptions(),
    )  # fmt: skip


def spent(work: Callable[[], object]) -> Spent:
    started, worked = time.perf_counter(), sum(os.times()[:4])
    work()
    return Spent(time.perf_counter() - started, sum(os.times()[:4]) - worked)


def seconds(work: Callable[[], object]) -> float:
    return spent(work).wall


def ours(request: AvatarRequest, folder: Path) -> Spent:
    """Everything: decoding the portrait, finding the face, listening, drawing, encoding."""
    return spent(lambda: PuppetBackend().generate(request, Job(folder)))


def encoder_alone(request: AvatarRequest, ready: Prepared, folder: Path) -> Spent:
    part = performance(request, PuppetOptions())
    film = Film(request.size, request.fps, len(part))
    drawn = [memoryview(bytes(frame)) for frame in frames(ready.stage, part)]
    return spent(lambda: encode(drawn, film, request.audio, folder / "encoded.mp4", Job(folder)))


def plain(request: AvatarRequest, ready: Prepared, folder: Path) -> Spent:
    part, size = performance(request, PuppetOptions()), request.size
    raw = f"-f rawvideo -pix_fmt rgb24 -video_size {size} -framerate {request.fps} -i pipe:0"
    encoded = "-c:v libx264 -preset veryfast -crf 17 -bf 0 -pix_fmt yuv420p"
    target = str(folder / "plain.mp4")
    feed = plain_frames(ready.stage.picture, ready.face, part)
    return spent(lambda: run_ffmpeg([*raw.split(), *encoded.split(), target], feed=feed))


def setup() -> tuple[float, float]:
    """Seconds to make a portrait ready, and to find it ready again for another scene."""
    backend, size = PuppetBackend(), _SMALL[0]
    times = [seconds(lambda: backend._prepared(_PORTRAIT, size, _FOCUS)) for _ in range(2)]
    return times[0], times[1]


def megabytes(length: float) -> float:
    command = [sys.executable, "-c", _MEMORY, str(_PORTRAIT), str(length)]
    return int(subprocess.check_output(command)) / 1024


def measured(folder: Path, rounds: int) -> tuple[dict[str, float], dict[str, Spent]]:
    """How long the narrations are; the least that each way took in any round."""
    spoken, short = speak(folder / "long", _TEXT), speak(folder / "short", _SHORT)
    small, large, brief = asked(spoken, _SMALL), asked(spoken, _LARGE), asked(short, _SMALL)
    ready = prepare(_PORTRAIT, small.size, _FOCUS)
    ways: dict[str, Callable[[], Spent]] = {
        "ours": lambda: ours(small, folder),
        "encoder": lambda: encoder_alone(small, ready, folder),
        "short": lambda: ours(brief, folder),
        "short encoder": lambda: encoder_alone(brief, ready, folder),
        "plain": lambda: plain(small, ready, folder),
        "large": lambda: ours(large, folder),
    }
    times: dict[str, list[Spent]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, way in ways.items():
            times[name].append(way())
        print(f"round {number + 1}:", *(f"{k} {v[-1].wall:.2f} s" for k, v in times.items()))
    # What else runs on the machine only ever adds time.
    least = {
        name: Spent(*(min(column) for column in zip(*values, strict=True)))
        for name, values in times.items()
    }
    return {"long": spoken.duration, "short": short.duration}, least


def main() -> NoReturn:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = 2 if parser.parse_args().quick else 3
    with tempfile.TemporaryDirectory() as name:
        lengths, least = measured(Path(name), rounds)
    setups = [setup() for _ in range(rounds)]
    best = {name: spent.wall for name, spent in least.items()}
    work = {name: spent.cpu for name, spent in least.items()}
    finish(
        "puppet",
        {
            "narration_seconds": round(lengths["long"], 2),
            "seconds": round(best["ours"], 2),
            "times_real_time": round(lengths["long"] / best["ours"], 1),
            "encoder_seconds": round(best["encoder"], 2),
            "share_of_encoder": round(best["encoder"] / best["ours"], 2),
            "share_of_encoder_by_cpu": round(work["encoder"] / work["ours"], 2),
            "short_narration_seconds": round(lengths["short"], 2),
            "short_share_of_encoder": round(best["short encoder"] / best["short"], 2),
            "short_share_of_encoder_by_cpu": round(work["short encoder"] / work["short"], 2),
            "plain_seconds": round(best["plain"], 2),
            "plain_with": resampler()[0],
            "times_faster_than_plain": round(best["plain"] / best["ours"], 1),
            "large_seconds": round(best["large"], 2),
            "times_real_time_large": round(lengths["long"] / best["large"], 1),
            "setup_seconds": round(min(first for first, _ in setups), 3),
            "kept_seconds": round(min(again for _, again in setups), 4),
            "more_megabytes": round(megabytes(50) - megabytes(5), 1),
        },
        GOALS,
    )


if __name__ == "__main__":
    main()
