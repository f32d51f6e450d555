"""The first servers: one call that takes picture and sound and gives the video, nothing else.

They mix up videos: all jobs share a folder, and the first file in it is what is sent. So a video
is believed only if it is as long as the narration and was not sent for another one before.
"""

from __future__ import annotations

import threading
from pathlib import Path

from avatar_core.backend import AvatarClip, AvatarRequest, Job
from avatar_core.errors import AvatarError
from backends.colab.api import ColabApi, Upload
from backends.colab.arrived import clip_of, digest, not_ours
from backends.colab.config import ColabOptions
from backends.colab.errors import linked

# They stop a job after two minutes by themselves; a tunnel cuts what is silent for five.
LONGEST_SECONDS = 300.0
# What they can be asked for; the rest they do not know.
_KNOWN = frozenset({"preprocess", "still", "enhancer"})


class FirstServer:
    """What is remembered of one of these: which videos it has sent, by their content."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: dict[str, str] = {}

    def make(
        self,
        api: ColabApi,
        request: AvatarRequest,
        upload: Upload,
        options: ColabOptions,
        job: Job,
        backend: str,
    ) -> AvatarClip:
        """The clip, after one long request; raises `AvatarError`."""
        target = job.work_dir / "clip.mp4"
        left = LONGEST_SECONDS if job.remaining is None else job.remaining
        job.progress(0.05, "waiting for an old server, which tells no progress")
        try:
            api.generate(
                target,
                files={
                    "image": ("source.png", upload.image, "image/png"),
                    "audio": ("audio.wav", upload.audio, "audio/wav"),
                },
                data=_form(options),
                seconds=min(LONGEST_SECONDS, left),
                cancel=job.cancel,
            )
        except AvatarError as failure:
            raise linked(failure) from None
        clip = clip_of(target, request, backend)
        self._require_new(target, upload)
        return clip

    def _require_new(self, video: Path, upload: Upload) -> None:
        # SadTalker's blinks are chance: two jobs never give the same file.
        content, asked = digest(video), _asked(upload)
        with self._lock:
            before = self._sent.setdefault(content, asked)
        if before != asked:
            raise not_ours("The server sent the same video before, for another narration.")


def unknown_to_it(options: ColabOptions) -> list[str]:
    """The options that differ from their defaults and that these servers do not know."""
    usual = ColabOptions().for_engine()
    mine = options.for_engine()
    return [name for name in mine if name not in _KNOWN and mine[name] != usual.get(name)]


def _form(options: ColabOptions) -> dict[str, str]:
    return {
        "preprocess": options.preprocess,
        "still_mode": "true" if options.still else "false",
        "enhancer": options.enhancer,
    }


def _asked(upload: Upload) -> str:
    import hashlib

    return hashlib.sha256(upload.image + upload.audio).hexdigest()
