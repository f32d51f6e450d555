"""The embedded presenter: a portrait and a narration become a talking clip, on this computer."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel

from avatar_core.backend import (
    AvatarBackend,
    AvatarClip,
    AvatarRequest,
    Capabilities,
    Health,
    Job,
    Size,
)
from avatar_core.errors import AvatarError, Category, EnvironmentFault, InputError
from avatar_core.pages import see
from backends.puppet.config import PuppetOptions
from backends.puppet.prepared import Prepared, PreparedPortraits, content_key, prepare

if TYPE_CHECKING:
    from backends.puppet.frames import Part

# Drawing takes one core, encoding another.
_CORES_A_JOB = 2


class PuppetBackend(AvatarBackend):
    """Needs no network, no key and no download: all that it uses comes with the package."""

    name: ClassVar[str] = "puppet"
    revision: ClassVar[str] = "5"
    capabilities: ClassVar[Capabilities] = Capabilities(
        pace=0.2,
        concurrency=max(1, (os.cpu_count() or 1) // _CORES_A_JOB),
        reads_text=True,
        alpha=True,
    )
    Options: ClassVar[type[BaseModel]] = PuppetOptions

    def __init__(self, options: BaseModel | None = None) -> None:
        super().__init__(options)
        self._portraits = PreparedPortraits()

    def check(self) -> Health:
        """Whether the networks load and ffmpeg runs; takes a moment the first time."""
        from avatar_core.ffmpeg import FfmpegError, ffmpeg_version

        try:
            version = ffmpeg_version().partition("\n")[0]
            _try_networks()
        except EnvironmentFault as failure:
            return Health(False, failure.message, failure.advice)
        except (ImportError, OSError, FfmpegError) as failure:
            return _unable(failure)
        except Exception as failure:
            # What onnxruntime raises for a damaged file has no base class of its own.
            return _unable(failure)
        return Health(True, "ready", details={"ffmpeg": version})

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        """A clip of exactly ``request.size`` (made even), with the narration as its sound: an MP4,
        or a WebM where it is cut out."""
        from avatar_core.framing import even

        options = _options(request)
        size = even(request.size)
        job.progress(0.0, "looking at the portrait")
        # Looking and listening keep one core busy each.
        with _told(), ThreadPoolExecutor(1, "listening") as other:
            heard = other.submit(performance, request, options)
            prepared = self._prepared(request.portrait, size, options.focus, options.cutout)
            job.progress(0.03, "listening to the narration")
            part = heard.result()
        path = _encode(prepared, part, request, size, job)
        job.progress(1.0, "written")
        return AvatarClip(
            path=path,
            size=size,
            fps=float(request.fps),
            duration=len(part) / request.fps,
            backend=self.name,
            has_alpha=prepared.stage.alpha is not None,
            warnings=prepared.warnings,
        )

    def close(self) -> None:
        self._portraits.clear()

    def _prepared(
        self, portrait: Path | None, size: Size, focus: float, cutout: bool = False
    ) -> Prepared:
        if portrait is None:
            raise AvatarError(
                Category.INVALID_INPUT,
                "The speaker has no portrait.",
                advice="Name one in the script: speakers.NAME.portrait.",
            )
        wanted = (portrait, size, focus, cutout)
        return self._portraits.get(content_key(*wanted), lambda: prepare(*wanted))


def _options(request: AvatarRequest) -> PuppetOptions:
    options = request.options
    return options if isinstance(options, PuppetOptions) else PuppetOptions()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """A file that cannot be used is invalid input, whoever calls."""
    try:
        yield
    except InputError as failure:
        where = InputError(failure.message, file=failure.file, line=failure.line, key=failure.key)
        raise AvatarError(Category.INVALID_INPUT, str(where), advice=failure.advice) from failure


def performance(request: AvatarRequest, options: PuppetOptions) -> Part:
    """What mouth, eyes and head do from the first frame to the last."""
    from backends.puppet.emphasis import voice_of
    from backends.puppet.frames import frame_count, part_of
    from backends.puppet.life import live
    from backends.puppet.lip_options import LipOptions
    from backends.puppet.lip_sources import mouth_track

    count = frame_count(request.duration, request.fps)
    voice = voice_of(request.audio, count, request.fps, request.phonemes)
    seed = _seed(request.audio, options.seed)
    lips = LipOptions(options.lead, options.expressiveness, seed % 2**32)
    return part_of(mouth_track(request, lips), live(voice, request.fps, options, seed))


def _seed(audio: Path, chosen: int) -> int:
    """Differs from scene to scene: otherwise all of them would begin with the same movements."""
    with audio.open("rb") as stream:
        sound = hashlib.file_digest(stream, "sha256").digest()
    return int.from_bytes(hashlib.sha256(sound + str(chosen).encode()).digest()[:8], "big")


def _encode(prepared: Prepared, part: Part, request: AvatarRequest, size: Size, job: Job) -> Path:
    from backends.puppet.encode import Film, encode
    from backends.puppet.frames import frames

    film = Film(size, request.fps, len(part), alpha=prepared.stage.alpha is not None)
    path = job.work_dir / f"puppet{film.suffix}"
    encode(frames(prepared.stage, part), film, request.audio, path, job)
    return path


def _try_networks() -> None:
    import numpy as np

    from backends.puppet import networks

    networks.run(networks.DETECTOR, np.zeros((128, 128, 3), np.float32))
    networks.run(networks.LANDMARKS, np.zeros((256, 256, 3), np.float32))


def _unable(failure: Exception) -> Health:
    return Health(
        False,
        f"The presenter's parts cannot be loaded: {failure}",
        f"Install the package again. {see('install#updating')}",
    )
