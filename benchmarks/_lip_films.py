"""The mouths that are compared: the numbers that move them, and films of presenters who speak."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from _lip_measure import Follower, loudness_only, opening_of, openings_in_clip
from _lip_truth import Spoken
from avatar_core.backend import AvatarRequest, Job, Size
from backends.puppet.backend import PuppetBackend, performance
from backends.puppet.config import PuppetOptions
from backends.puppet.encode import Film, encode
from backends.puppet.frames import frame_count, frames
from backends.puppet.lip_options import LipOptions
from backends.puppet.lip_sources import mouth_track
from backends.puppet.mouth_track import CHANNELS, MouthTrack
from backends.puppet.prepared import prepare

if TYPE_CHECKING:
    from numpy.typing import NDArray

FPS, LEAD = 25, 0.1
SIZE = Size(320, 320)
_ASSETS = Path(__file__).parent.parent / "renderer" / "demo" / "assets"
PORTRAITS = (_ASSETS / "presenter.png", _ASSETS / "minh.png")
# What is known about the narration besides its sound.
KNOWN: dict[str, tuple[str, ...]] = {"phonemes": ("phonemes",), "text": ("text",), "sound": ()}
BASELINES = ("loudness", "static")
MOUTHS = (*KNOWN, *BASELINES)
_OPTIONS = PuppetOptions(lead=LEAD)
# As wide as an open vowel.
_LOUDEST = 0.9


def asked(spoken: Spoken, mouth: str, portrait: Path, size: Size = SIZE) -> AvatarRequest:
    """The order for a film of ``spoken`` in which only `KNOWN` of ``mouth`` is told."""
    told: dict[str, Any] = {name: getattr(spoken, name) for name in KNOWN.get(mouth, ())}
    return AvatarRequest(
        portrait, spoken.path, spoken.seconds, size, FPS,
        language=spoken.language, options=_OPTIONS, **told,
    )  # fmt: skip


def in_track(spoken: Spoken, mouth: str) -> NDArray[np.float64]:
    """How far ``mouth`` opens in every frame, by the numbers that move it."""
    if mouth in KNOWN:
        request = asked(spoken, mouth, PORTRAITS[0])
        return opening_of(mouth_track(request, LipOptions(lead=LEAD)))
    if mouth == "loudness":
        return opening_of(MouthTrack(_poses_by_loudness(spoken), FPS))
    return np.zeros(frame_count(spoken.seconds, FPS))


def in_film(
    spoken: Spoken, mouth: str, portrait: Path, folder: Path, size: Size = SIZE
) -> NDArray[np.float64]:
    """The same found again, by the landmarks, in every frame of an encoded film."""
    if mouth == "static":
        # One picture all along has one opening; what would vary is the encoder's noise.
        return np.zeros(frame_count(spoken.seconds, FPS))
    request = asked(spoken, mouth, portrait, size)
    job = Job(Path(tempfile.mkdtemp(dir=folder)))
    film = _backend().generate(request, job).path if mouth in KNOWN else _by_loudness(
        spoken, request, job
    )  # fmt: skip
    return openings_in_clip(film, Follower())


def _by_loudness(spoken: Spoken, request: AvatarRequest, job: Job) -> Path:
    """The same stage, eyes, head and encoder, but a mouth that only follows the loudness."""
    assert request.portrait is not None
    part = replace(performance(request, _OPTIONS), poses=_poses_by_loudness(spoken))
    stage = prepare(request.portrait, request.size, _OPTIONS.focus).stage
    path = job.work_dir / "loudness.mp4"
    encode(frames(stage, part), Film(request.size, FPS, len(part)), request.audio, path, job)
    return path


def _poses_by_loudness(spoken: Spoken) -> NDArray[np.float32]:
    loud = loudness_only(spoken, FPS, LEAD)
    poses = np.zeros((len(loud), len(CHANNELS)), np.float32)
    poses[:, CHANNELS.index("jaw")] = _LOUDEST * loud
    return poses


@cache
def _backend() -> PuppetBackend:
    return PuppetBackend()
