"""SadTalker on a GPU of one's own, as a backend: contract, health, ladder, films."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from avatar_core.backend import AvatarBackend, AvatarRequest, Job, Size
from avatar_core.errors import AvatarError, Category
from avatar_core.media import validate_clip
from avatar_core.plugins import load_plugins
from avatar_core.testing import VirtualClock
from backends.sadtalker.backend import SadTalkerBackend
from backends.sadtalker.config import SadTalkerConfig
from backends.sadtalker.engine import EngineFailure
from backends.sadtalker.gpu import Gpu, gpus
from backends.sadtalker.ladder import safer_options
from backends.sadtalker.options import SadTalkerOptions
from renderer.renderer import SmartVideoRenderer
from renderer.result import RenderResult
from support_contract import PatientContract
from support_films import film_of_tones
from support_media import noise, write_wav
from support_plugins import python
from support_sadtalker import SADTALKER, argument, behave, calls, ended, install

PROCESSOR = -1


@pytest.fixture(scope="module")
def shared_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("SadTalker"))


class TestSadTalker(PatientContract):
    @pytest.fixture(autouse=True)
    def _installed(self, shared_root: Path) -> None:
        self.root = shared_root

    def make_backend(self) -> AvatarBackend:
        return SadTalkerBackend(SadTalkerConfig(root=self.root, gpu=PROCESSOR))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return install(tmp_path / "SadTalker")


def request(folder: Path, **options: Any) -> AvatarRequest:
    noise((64, 64)).save(folder / "portrait.png")
    write_wav(folder / "voice.wav", 0.4)
    config = SadTalkerConfig(**options)
    return AvatarRequest(
        folder / "portrait.png", folder / "voice.wav", 0.4, Size(64, 64), 25, options=config
    )


def job(folder: Path, **more: Any) -> Job:
    (folder / "job").mkdir()
    return Job(folder / "job", **more)


def test_it_is_registered_like_every_other_backend() -> None:
    registry = load_plugins().backends
    assert registry.load("sadtalker") is SadTalkerBackend


def test_its_plugin_loads_nothing_heavy() -> None:
    heavy = ("numpy", "av", "PIL", "requests", "flask", "pydantic")
    result = python(f"""
        import sys, backends.sadtalker.plugin
        print([m for m in {heavy!r} if m in sys.modules])
    """)
    assert (result.stdout.strip(), result.stderr) == ("[]", "")


def test_without_a_folder_it_says_how_to_name_one(tmp_path: Path) -> None:
    backend = SadTalkerBackend()
    health = backend.check()
    assert not health.ok and "backends.sadtalker.root" in (health.advice or "")
    with pytest.raises(AvatarError) as caught:
        backend.generate(request(tmp_path), job(tmp_path))
    assert caught.value.category is Category.UNSUPPORTED


def test_its_health_names_what_is_missing(root: Path) -> None:
    os.truncate(root / SADTALKER.weights[0].path, 7)
    (root / SADTALKER.weights[4].path).unlink()
    health = SadTalkerBackend(SadTalkerConfig(root=root, gpu=PROCESSOR)).check()
    assert not health.ok
    assert health.message.startswith(SADTALKER.weights[0].path) and "2 things" in health.message
    assert SADTALKER.weights[4].path in health.details["missing 2"]


def test_without_a_gpu_it_does_not_pretend_to_work(root: Path) -> None:
    health = SadTalkerBackend(SadTalkerConfig(root=root, gpu=99)).check()
    assert not health.ok and "GPU" in health.message


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("Tesla T4, 15360, 15101", (Gpu("Tesla T4", 15360, 15101),)),
        ("A, B 1, 10, 9\\nC, 5, 4", (Gpu("A, B 1", 10, 9), Gpu("C", 5, 4))),
        ("No devices were found", ()),
        ("Tesla T4, [N/A], [N/A]", ()),
    ],
)
def test_gpus_are_those_that_the_driver_names(
    tmp_path: Path, printed: str, expected: tuple[Gpu, ...]
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nprintf '{printed}\\n'\n")
    program.chmod(0o755)
    assert gpus(str(program)) == expected


def test_a_driver_that_is_absent_or_fails_names_none(tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    assert gpus(str(program)) == gpus(str(tmp_path / "absent")) == ()


def test_a_clip_passes_what_the_renderer_asks_of_it(root: Path, tmp_path: Path) -> None:
    heard: list[float] = []
    backend = SadTalkerBackend(SadTalkerConfig(root=root, gpu=PROCESSOR))
    wish = request(tmp_path)
    clip = backend.generate(wish, job(tmp_path, on_progress=lambda f, m: heard.append(f)))
    assert validate_clip(clip, wish).size == Size(256, 256)
    assert (clip.backend, clip.fps) == ("sadtalker", 25.0)
    assert heard == sorted(heard) and heard[-1] == 1.0
    assert calls(root)[0]["environment"]["CUDA_VISIBLE_DEVICES"] == "-1"


def test_a_deadline_ends_the_process_and_is_told_as_such(root: Path, tmp_path: Path) -> None:
    behave(root, "hang")
    backend = SadTalkerBackend(SadTalkerConfig(root=root, gpu=PROCESSOR))
    # The job's own clock stands still: it is the run that has too little time, however slow we are.
    hasty = job(tmp_path, deadline=0.7, clock=VirtualClock())
    with pytest.raises(EngineFailure) as caught:
        backend.generate(request(tmp_path), hasty)
    assert (caught.value.code, caught.value.category) == ("too_long", Category.TIMEOUT)
    assert all(ended(call["pid"]) for call in calls(root))


def test_where_it_is_installed_is_no_part_of_the_cache_key(root: Path) -> None:
    here = SadTalkerConfig(root=root, python="python3", gpu=1, silence=9)
    assert here.model_dump() == SadTalkerConfig().model_dump()
    assert set(here.model_dump()) == set(SadTalkerOptions.model_fields)


FULL = {"preprocess": "full", "still": True, "size": 512}
STEPS = [
    (FULL | {"enhancer": "gfpgan"}, "enhancer_crashed", FULL | {"enhancer": "RestoreFormer"}),
    (FULL | {"enhancer": "RestoreFormer"}, "enhancer_crashed", {}),
    (FULL, "gpu_memory", {"batch_size": 1}),
    ({"enhancer": "gfpgan"}, "gpu_memory", {"enhancer": "RestoreFormer"}),
    # What another enhancer would not change goes to the foot at once.
    (FULL | {"enhancer": "gfpgan"}, "face_at_edge", {}),
    (FULL | {"enhancer": "gfpgan"}, "cuda_loop", {}),
    ({"pose_style": 7, "size": 512}, "host_memory", {"pose_style": 7}),
    ({}, "gpu_memory", {"batch_size": 1}),
    ({"batch_size": 1}, "gpu_memory", None),
    ({"batch_size": 9}, "cuda_loop", None),
]


@pytest.mark.parametrize(("options", "code", "lower"), STEPS)
def test_the_ladder_goes_from_the_finest_to_the_safest(
    options: dict[str, Any], code: str, lower: dict[str, Any] | None
) -> None:
    failure = EngineFailure(code, Category.SERVER, "It did not work.")
    expected = None if lower is None else SadTalkerOptions(**lower)
    assert safer_options(SadTalkerOptions(**options), failure) == expected


def test_a_step_down_keeps_what_is_not_about_it(root: Path) -> None:
    config = SadTalkerConfig(root=root, gpu=3, enhancer="gfpgan", expression_scale=1.3)
    lower = safer_options(config, AvatarError(Category.SERVER, "x"))
    assert isinstance(lower, SadTalkerConfig)
    assert (lower.root, lower.gpu, lower.expression_scale) == (root, 3, 1.3)


def film(root: Path, folder: Path, scenes: int, **options: Any) -> RenderResult:
    backend = SadTalkerBackend(SadTalkerConfig(root=root, gpu=PROCESSOR, **options))
    overrides = {"retry.delay": 0, "report": False, "second_try": False, "workers": 1}
    # Its check starts a process, which takes its time on a busy machine.
    overrides |= {"cache_dir": str(folder / "cache"), "deadline.check": 100}
    with SmartVideoRenderer(backend, overrides=overrides) as renderer:
        return renderer.render(film_of_tones(folder, scenes), folder / "film.mp4")


def test_an_enhancer_that_crashes_is_stepped_down_from_for_the_whole_film(
    root: Path, tmp_path: Path
) -> None:
    behave(root, "enhancer_crash", when={"enhancer": "gfpgan"})
    result = film(root, tmp_path, 2, preprocess="full", enhancer="gfpgan")
    assert [scene.backend for scene in result.scenes] == ["sadtalker", "sadtalker"]
    assert not result.degraded
    asked = [argument(call, "enhancer") for call in calls(root)]
    assert asked == ["gfpgan", "RestoreFormer", "RestoreFormer"]


def test_where_every_enhancer_crashes_the_face_alone_is_left(root: Path, tmp_path: Path) -> None:
    behave(root, "enhancer_crash", when={"preprocess": "full"})
    result = film(root, tmp_path, 1, preprocess="full", enhancer="gfpgan")
    assert not result.degraded
    asked = [(argument(c, "preprocess"), argument(c, "enhancer")) for c in calls(root)]
    assert asked == [("full", "gfpgan"), ("full", "RestoreFormer"), ("crop", None)]


def test_a_picture_without_a_face_goes_to_the_next_rung_at_once(root: Path, tmp_path: Path) -> None:
    behave(root, "noface_crop")
    result = film(root, tmp_path, 1)
    (scene,) = result.scenes
    assert (scene.backend, scene.degraded) == ("static", True)
    assert len(calls(root)) == 1
    assert scene.trail[0].category is Category.INVALID_INPUT
    assert "No face was found" in (scene.trail[0].message or "")
