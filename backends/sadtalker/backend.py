"""SadTalker on a GPU of one's own: the engine runner as an avatar backend."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, cast

from pydantic import BaseModel

from avatar_core.backend import AvatarBackend, AvatarClip, AvatarRequest, Capabilities, Health, Job
from avatar_core.errors import AvatarError, Category
from avatar_core.pages import see
from backends.sadtalker.config import SadTalkerConfig
from backends.sadtalker.engine import EngineNews, EngineTask
from backends.sadtalker.gpu import gpus
from backends.sadtalker.ladder import safer_options
from backends.sadtalker.runner import EngineRunner, RunLimits
from backends.sadtalker.sadtalker import SADTALKER

_NO_ROOT = "Set backends.sadtalker.root to the folder that holds its inference.py."
_SET_UP = see("sadtalker#installing-sadtalker")
_NO_GPU = (
    "Use a machine with an NVIDIA GPU, or the colab backend; backends.sadtalker.gpu = -1 uses the "
    "processor, which takes minutes for a second of video."
)
_PROCESSOR = -1
# What the processor needs for a second of sound, with room to spare.
_PROCESSOR_PACE = 900.0
# What a run has left to end its process in when its deadline comes.
_RESERVE_SECONDS = 2.0


class SadTalkerBackend(AvatarBackend):
    """Needs a SadTalker that is installed, and an NVIDIA GPU; nothing leaves the machine."""

    name: ClassVar[str] = "sadtalker"
    revision: ClassVar[str] = "1"
    capabilities: ClassVar[Capabilities] = Capabilities(
        max_seconds=1800.0, needs_gpu=True, concurrency=1, pace=7.0
    )
    Options: ClassVar[type[BaseModel]] = SadTalkerConfig

    def __init__(self, options: BaseModel | None = None) -> None:
        super().__init__(options)
        config = cast(SadTalkerConfig, self.options)
        self._config = config
        self._runner = _runner(config) if config.root is not None else None

    def check(self) -> Health:
        """Whether SadTalker is complete and a GPU is there; starts its Python, not SadTalker."""
        if self._runner is None:
            return Health(False, "It is not said where SadTalker is installed.", _NO_ROOT)
        missing = self._runner.missing(self._config)
        if missing:
            details = {f"missing {number}": says for number, says in enumerate(missing, 1)}
            more = f" ({len(missing)} things in all)" if len(missing) > 1 else ""
            return Health(False, f"{missing[0]}{more}", _SET_UP, details)
        return self._with_gpu()

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        """An MP4 with the narration as its sound, at 25 frames a second; its size depends on the
        options and the portrait."""
        if self._runner is None:
            says = "It is not said where SadTalker is installed."
            raise AvatarError(Category.UNSUPPORTED, says, advice=_NO_ROOT)
        if request.portrait is None:
            raise AvatarError(
                Category.INVALID_INPUT,
                "The speaker has no portrait.",
                advice="Name one in the script: speakers.NAME.portrait.",
            )
        task = EngineTask(request.portrait, request.audio, _options(request), job.work_dir)

        def tell(news: EngineNews) -> None:
            job.progress(news.fraction, news.message)

        most = self._most(request.duration, job)
        result = self._runner.run(task, tell, _Over(job), most=most)
        return AvatarClip(
            result.video,
            result.size,
            result.fps,
            result.duration,
            self.name,
            warnings=result.warnings,
        )

    def safer(self, request: AvatarRequest, error: AvatarError) -> AvatarRequest | None:
        lower = safer_options(_options(request), error)
        return None if lower is None else replace(request, options=lower)

    def _most(self, seconds: float, job: Job) -> float | None:
        """How long the run may take; a little less than the job has, to say why it ended."""
        slow = 600 + _PROCESSOR_PACE * seconds if self._config.gpu == _PROCESSOR else None
        limits = [self._config.max_seconds or slow]
        if job.remaining is not None:
            limits.append(max(job.remaining - _RESERVE_SECONDS, 0.9 * job.remaining))
        return min((limit for limit in limits if limit is not None), default=None)

    def _with_gpu(self) -> Health:
        if self._config.gpu == _PROCESSOR:
            return Health(True, "ready, on the processor: minutes for a second of video")
        found = gpus()
        if not found:
            return Health(False, "No NVIDIA GPU was found.", _NO_GPU)
        wanted = self._config.gpu or 0
        if wanted >= len(found):
            return Health(False, f"There is no GPU number {wanted}.", "Count them from 0.")
        chosen = found[wanted]
        details = {"gpu": chosen.name, "memory": f"{chosen.memory_total_mb} MiB"}
        if chosen.memory_total_mb < SADTALKER.vram_mb // 2:
            says = f"The {chosen.name} has too little memory: {details['memory']}."
            return Health(False, says, "It needs 4 GiB, better 6 GiB.", details)
        return Health(True, f"ready, on the {chosen.name}", details=details)


class _Over:
    """Whether a job is not wanted any longer, or has no time left to be."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def is_set(self) -> bool:
        return self._job.cancelled


def _options(request: AvatarRequest) -> SadTalkerConfig:
    options = request.options
    return options if isinstance(options, SadTalkerConfig) else SadTalkerConfig()


def _runner(config: SadTalkerConfig) -> EngineRunner:
    assert config.root is not None  # noqa: S101
    environment = {} if config.gpu is None else {"CUDA_VISIBLE_DEVICES": str(config.gpu)}
    return EngineRunner(
        SADTALKER,
        config.root.expanduser(),
        config.python,
        limits=RunLimits(silence=config.silence, chunk=config.chunk_seconds),
        environment=environment,
    )
