"""Engines are declared by data: SadTalker's options and weights, and a second engine beside it."""

from __future__ import annotations

import json
import os
import threading
import zipfile
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from avatar_core.backend import Size
from avatar_core.errors import Category, InputError
from backends.sadtalker.engine import (
    Engine,
    EngineFailure,
    EngineNews,
    EngineTask,
    Fault,
    JobPaths,
    Needs,
    Output,
    Stage,
    Weight,
    engine_named,
    engines,
)
from backends.sadtalker.engines import chosen, collected
from backends.sadtalker.options import SadTalkerOptions
from backends.sadtalker.runner import EngineRunner, RunLimits
from support_media import noise, write_wav
from support_sadtalker import SADTALKER, install

# SadTalker's options


def test_the_defaults_are_what_fails_least() -> None:
    options = SadTalkerOptions()
    assert (options.preprocess, options.still, options.enhancer) == ("crop", True, "none")
    assert (options.size, options.background_enhancer) == (256, "none")


@pytest.mark.parametrize(
    "wrong",
    [
        {"preprocess": "Full"},
        {"enhancer": "codeformer"},
        {"enhancer": "gfpgan; rm -rf /"},
        {"background_enhancer": "realesrgan"},
        {"size": 300},
        {"size": 0},
        {"pose_style": 46},
        {"pose_style": -1},
        {"expression_scale": 3.1},
        {"expression_scale": float("nan")},
        {"batch_size": 0},
        {"batch_size": 11},
        {"input_yaw": [10, 10]},
        {"input_roll": [0, 20, 20, 0]},
        {"input_pitch": [91]},
        {"input_pitch": list(range(33))},
        {"still": "perhaps"},
        {"face3dvis": True},
        {"checkpoint_dir": "/etc"},
        {"result_dir": "../.."},
    ],
    ids=str,
)
def test_what_the_program_would_choke_on_is_refused_beforehand(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SadTalkerOptions(**wrong)


def test_options_are_described_for_whoever_asks_over_http() -> None:
    schema = SadTalkerOptions.model_json_schema()
    assert schema["additionalProperties"] is False
    assert all("description" in prop for prop in schema["properties"].values())
    assert json.dumps(schema)


def test_every_option_reaches_the_command_line() -> None:
    paths = JobPaths(*[Path("/r")] * 5)
    plain = SADTALKER.command(paths, SadTalkerOptions())
    other = {
        "preprocess": "full", "still": False, "enhancer": "gfpgan",
        "background_enhancer": "realesrgan", "size": 512, "pose_style": 3,
        "expression_scale": 2.0, "batch_size": 4, "input_yaw": (1,), "input_pitch": (2,),
        "input_roll": (3,),
    }  # fmt: skip
    assert set(other) == set(SadTalkerOptions.model_fields)
    for name, value in other.items():
        more = {"enhancer": "gfpgan"} if name == "background_enhancer" else {}
        base = SADTALKER.command(paths, SadTalkerOptions(**more)) if more else plain
        assert SADTALKER.command(paths, SadTalkerOptions(**more, **{name: value})) != base, name


@pytest.mark.parametrize(
    ("options", "seconds"), [(SadTalkerOptions(), 60.0), (SadTalkerOptions(size=512), 25.0)]
)
def test_larger_faces_are_made_in_shorter_parts(options: SadTalkerOptions, seconds: float) -> None:
    assert SADTALKER.needs.longest(options) == seconds


def test_the_shares_of_the_stages_fit_what_is_asked() -> None:
    def names(**options: Any) -> list[str]:
        return [stage.name for stage in SADTALKER.stages(SadTalkerOptions(**options))]

    assert names() == ["load", "face", "sound", "render", "write"]
    assert "blend" in names(preprocess="extfull")
    stages = SADTALKER.stages(SadTalkerOptions(preprocess="full", enhancer="gfpgan"))
    enhance = next(stage for stage in stages if stage.name == "enhance")
    assert enhance.weight == pytest.approx(sum(s.weight for s in stages) / 2, rel=0.1)


# What is missing


def test_a_complete_installation_lacks_nothing(tmp_path: Path) -> None:
    assert EngineRunner(SADTALKER, install(tmp_path)).missing() == ()


@pytest.mark.parametrize(
    ("options", "unneeded"),
    [
        (SadTalkerOptions(), ("512", "00109", "GFPGAN", "parsing")),
        (SadTalkerOptions(preprocess="full"), ("512", "00229", "GFPGAN", "parsing")),
        (SadTalkerOptions(size=512, enhancer="gfpgan"), ("256", "00109")),
        (SadTalkerOptions(enhancer="RestoreFormer"), ("512", "00109", "GFPGAN")),
    ],
)
def test_only_the_weights_of_a_job_are_asked_for(
    tmp_path: Path, options: SadTalkerOptions, unneeded: tuple[str, ...]
) -> None:
    root = install(tmp_path)
    for weight in SADTALKER.weights:
        if any(part in weight.path for part in unneeded):
            (root / weight.path).unlink()
    runner = EngineRunner(SADTALKER, root)
    assert runner.missing(options) == ()
    assert len(runner.missing()) == len(unneeded)


def test_each_thing_that_is_missing_is_said_in_words(tmp_path: Path) -> None:
    root = install(tmp_path)
    first, second, third = SADTALKER.weights[0], SADTALKER.weights[4], SADTALKER.weights[5]
    os.truncate(root / first.path, 1_000_000)
    (root / second.path).unlink()
    os.truncate(root / third.path, (third.bytes or 0) + 1)
    (root / "kornia").rmdir()
    assert EngineRunner(SADTALKER, root).missing() == (
        f"{first.path} was cut off: it has 1,000,000 of 725,066,984 bytes.",
        f"{second.path} is missing.",
        f"{third.path} has 109,497,762 bytes instead of 109,497,761.",
    )


def test_packages_are_looked_for_in_the_engines_own_python(tmp_path: Path) -> None:
    root = install(tmp_path)
    (root / "kornia").rmdir()
    (root / "yacs").rmdir()
    runner = EngineRunner(SADTALKER, root)
    assert runner.missing() == ("Its Python lacks the packages kornia, yacs.",)
    (root / "kornia").mkdir()
    (root / "yacs").mkdir()
    assert runner.missing() == ()


def test_a_folder_or_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    (absent,) = EngineRunner(SADTALKER, tmp_path / "absent").missing()
    assert "absent does not exist" in absent
    assert "inference.py is missing in its folder." in EngineRunner(SADTALKER, tmp_path).missing()
    root = install(tmp_path / "whole")
    (no_python,) = EngineRunner(SADTALKER, root, python="python-of-nobody").missing()
    assert no_python == "Its Python python-of-nobody is not a program."
    (root / "broken").write_text("#!/bin/sh\nexit 3\n")
    (root / "broken").chmod(0o755)
    (broken,) = EngineRunner(SADTALKER, root, python=str(root / "broken")).missing()
    assert broken.endswith("broken does not start.")


def test_a_folder_that_is_not_ours_to_write_to_is_told_beforehand(tmp_path: Path) -> None:
    root = install(tmp_path / "SadTalker")
    root.chmod(0o555)
    if os.access(root, os.W_OK):
        pytest.skip("This user, or this system, may write everywhere.")
    try:
        (lack,) = EngineRunner(SADTALKER, root).missing()
    finally:
        root.chmod(0o755)
    assert "not ours to write to" in lack


def test_a_job_that_cannot_start_fails_with_what_is_missing(tmp_path: Path) -> None:
    root = install(tmp_path / "SadTalker")
    os.truncate(root / SADTALKER.weights[0].path, 5)
    task = EngineTask(tmp_path / "a.png", tmp_path / "a.wav", SadTalkerOptions(), tmp_path)
    with pytest.raises(EngineFailure) as caught:
        EngineRunner(SADTALKER, root).run(task, lambda news: None, threading.Event())
    assert (caught.value.code, caught.value.category) == ("weights_damaged", Category.UNSUPPORTED)
    assert "was cut off" in caught.value.message


# A second engine: a configuration file instead of flags, a folder of another name, other bars.

PROGRAM = """
import json, pathlib, subprocess, sys
wish = json.loads(pathlib.Path(sys.argv[sys.argv.index("--config") + 1]).read_text())
print("TINY on", __import__("os").environ["TINY_MODE"])
if wish["mood"] == "sulking":
    sys.exit("TinyError: it will not")
for n in (1, 2):
    print(f"\\rSampling: {n * 50}%|#| {n}/2 [00:00<00:00]", end="", file=sys.stderr, flush=True)
out = pathlib.Path(wish["save_to"])
out.mkdir(parents=True)
subprocess.run(["ffmpeg", "-v", "error", "-loop", "1", "-r", "30", "-i", wish["face"], "-t",
    str(wish["seconds"]), "-vf", "rotate=0.1*sin(7*t)", "-pix_fmt", "yuv420p", str(out / "b.mkv")])
"""


class TinyOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    mood: str = "calm"


def _tiny_command(paths: JobPaths, options: BaseModel) -> list[str]:
    import wave

    with wave.open(str(paths.audio)) as sound:
        seconds = sound.getnframes() / sound.getframerate()
    wish = {"face": str(paths.image), "sound": str(paths.audio), "seconds": seconds,
            "mood": options.mood, "save_to": str(paths.folder / "results" / "v15")}  # type: ignore[attr-defined]  # fmt: skip
    (paths.folder / "job.json").write_text(json.dumps(wish), encoding="utf-8")
    return ["generate.py", "--config", str(paths.folder / "job.json")]


TINY = Engine(
    name="tiny",
    title="Tiny",
    licence="MIT",
    licence_class="permissive",
    vram_mb=10,
    Options=TinyOptions,
    command=_tiny_command,
    weights=(Weight("tiny.bin", None),),
    files=("generate.py",),
    output=Output(pattern="results/v15/*.mkv"),
    needs=Needs(sound_rate=8_000, picture_side=64),
    stages=lambda options: (Stage("sample", "dreaming", 1, ("Sampling",)),),
    faults=(Fault("sulked", "TinyError", Category.UNSUPPORTED, "It would not.", "Cheer it up."),),
    environment={"TINY_MODE": "test"},
)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    root = tmp_path / "tiny"
    root.mkdir()
    (root / "generate.py").write_text(PROGRAM, encoding="utf-8")
    (root / "tiny.bin").write_bytes(b"weights")
    noise((128, 96)).save(tmp_path / "a.png")
    write_wav(tmp_path / "b.wav", 0.5)
    return root


def test_an_engine_of_another_kind_runs_by_its_declaration_alone(
    tiny: Path, tmp_path: Path
) -> None:
    news: list[EngineNews] = []
    task = EngineTask(tmp_path / "a.png", tmp_path / "b.wav", TinyOptions(), tmp_path)
    result = EngineRunner(TINY, tiny).run(task, news.append, threading.Event())
    assert (result.size, result.fps) == (Size(64, 48), 30.0)
    assert result.duration == pytest.approx(0.5)
    assert "dreaming, 1 of 2" in [one.message for one in news]


def test_its_failures_are_told_by_its_own_table(tiny: Path, tmp_path: Path) -> None:
    task = EngineTask(tmp_path / "a.png", tmp_path / "b.wav", TinyOptions(mood="sulking"), tmp_path)
    with pytest.raises(EngineFailure) as caught:
        EngineRunner(TINY, tiny).run(task, lambda news: None, threading.Event())
    assert (caught.value.code, caught.value.message) == ("sulked", "It would not.")


def test_a_weight_of_unknown_size_only_has_to_hold_something(tiny: Path) -> None:
    assert EngineRunner(TINY, tiny).missing() == ()
    (tiny / "tiny.bin").write_bytes(b"")
    assert EngineRunner(TINY, tiny).missing() == ("tiny.bin was cut off: it has 0 bytes.",)


@pytest.mark.parametrize(("holds", "wanted"), [
    (b"", "cut off"), (b"\n <!DOCTYPE html><p>Not found", "web page"), (b"<?xml", "web page"),
    (b"version https://git-lfs.github.com/spec/v1\noid", "pointer"),
    (b"PK\x03\x04" + bytes(4000), "its end is missing"),
])  # fmt: skip
def test_a_file_of_unknown_size_is_looked_into(tmp_path: Path, holds: bytes, wanted: str) -> None:
    root = install(tmp_path)
    path, options = root / "gfpgan/weights/RestoreFormer.pth", SadTalkerOptions
    runner = EngineRunner(SADTALKER, root)
    # It may be absent: GFPGAN fetches it.
    assert runner.missing() == ()
    path.write_bytes(holds)
    (lack,) = runner.missing(options(enhancer="RestoreFormer"))
    assert lack.startswith("gfpgan/weights/RestoreFormer.pth") and wanted in lack
    assert runner.missing(options(enhancer="gfpgan")) == ()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"weights")
    assert runner.missing() == ()


def test_a_package_that_some_options_need_is_asked_for_with_them_alone(tmp_path: Path) -> None:
    root = install(tmp_path)
    runner = EngineRunner(SADTALKER, root)
    assert runner.missing() == ()
    sharp = SadTalkerOptions(enhancer="gfpgan", background_enhancer="realesrgan")
    assert runner.missing(sharp) == ("Its Python lacks the packages realesrgan.",)
    (root / "realesrgan").mkdir()
    assert runner.missing(sharp) == ()


def test_options_of_another_engine_are_a_programmers_mistake(tiny: Path, tmp_path: Path) -> None:
    task = EngineTask(tmp_path / "a.png", tmp_path / "b.wav", SadTalkerOptions(), tmp_path)
    with pytest.raises(TypeError, match="tiny takes TinyOptions"):
        EngineRunner(TINY, tiny).run(task, lambda news: None, threading.Event())


def test_an_engine_whose_caps_are_short_is_stopped_by_them(tiny: Path, tmp_path: Path) -> None:
    (tiny / "generate.py").write_text("while True: pass\n")
    hasty = replace(TINY, caps=lambda seconds, options: 0.2)
    task = EngineTask(tmp_path / "a.png", tmp_path / "b.wav", TinyOptions(), tmp_path)
    with pytest.raises(EngineFailure) as caught:
        EngineRunner(hasty, tiny, limits=RunLimits(grace=0.1)).run(
            task, lambda news: None, threading.Event()
        )
    assert caught.value.code == "too_long"


# Finding engines


def test_sadtalker_is_there_and_a_misspelled_name_is_corrected() -> None:
    assert engine_named("sadtalker") is engines()["sadtalker"] is SADTALKER
    with pytest.raises(InputError, match="Did you mean 'sadtalker'"):
        engine_named("sadtalkr")


def test_other_packages_add_engines_by_an_entry_point() -> None:
    points = [
        EntryPoint("tiny", "test_sadtalker_engines:TINY", "avatar_core.engines"),
        EntryPoint("second", "test_sadtalker_engines:make_second", "avatar_core.engines"),
    ]
    found = collected([SADTALKER], points)
    assert list(found) == ["sadtalker", "tiny", "second"]
    assert chosen("second", found).title == "Second"


def test_a_broken_or_doubled_engine_keeps_no_other_from_working(
    caplog: pytest.LogCaptureFixture,
) -> None:
    points = [
        EntryPoint("gone", "no_such_module:ENGINE", "avatar_core.engines"),
        EntryPoint("odd", "test_sadtalker_engines:PROGRAM", "avatar_core.engines"),
        EntryPoint("again", "backends.sadtalker.sadtalker:SADTALKER", "avatar_core.engines"),
        EntryPoint("tiny", "test_sadtalker_engines:TINY", "avatar_core.engines"),
    ]
    found = collected([SADTALKER], points)
    assert list(found) == ["sadtalker", "tiny"]
    said = caplog.text
    assert "no_such_module:ENGINE" in said and "is no engine" in said and "exists already" in said


def make_second() -> Engine:
    return replace(TINY, name="second", title="Second")
