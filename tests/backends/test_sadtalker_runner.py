"""The runner with real processes: what it starts, hears, ends, finds, and leaves behind."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import pytest

from avatar_core.backend import Size
from avatar_core.clock import SystemClock
from avatar_core.errors import Cancelled, Category
from avatar_core.media import probe_audio, probe_video
from backends.sadtalker.engine import EngineFailure, EngineNews, EngineResult, EngineTask
from backends.sadtalker.environment import clean_environment
from backends.sadtalker.options import SadTalkerOptions
from backends.sadtalker.runner import EngineRunner, RunLimits
from support_house import ROOT
from support_media import noise, write_wav
from support_sadtalker import SADTALKER, argument, behave, calls, ended, install, leftovers

QUICK = RunLimits(grace=0.2)
Run = Callable[..., EngineResult]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return install(tmp_path / "SadTalker")


class Bench:
    """A runner on an installation, a picture and a sound; what it told is in ``news``."""

    def __init__(self, root: Path, folder: Path, limits: RunLimits = QUICK, **more: Any) -> None:
        self.root, self.folder = root, folder
        self.picture, self.sound = folder / "portrait.jpg", folder / "voice.wav"
        noise((96, 128)).save(self.picture)
        write_wav(self.sound, 0.4, channels=2)
        self.news: list[EngineNews] = []
        self.cancel = threading.Event()
        self.runner = EngineRunner(SADTALKER, root, limits=limits, **more)

    def task(self, **options: Any) -> EngineTask:
        job = self.folder / "job"
        job.mkdir(exist_ok=True)
        return EngineTask(self.picture, self.sound, SadTalkerOptions(**options), job)

    def run(self, **options: Any) -> EngineResult:
        return self.runner.run(self.task(**options), self.news.append, self.cancel)

    def fail(self, **options: Any) -> EngineFailure:
        with pytest.raises(EngineFailure) as caught:
            self.run(**options)
        assert list((self.folder / "job").iterdir()) == []
        assert leftovers(self.root) == []
        return caught.value


class Rushing(SystemClock):
    """Time stands still until ``come`` says that it may pass; then it passes quickly."""

    def __init__(self, come: Callable[[], bool]) -> None:
        super().__init__()
        self._come, self._now = come, 0.0

    def __call__(self) -> float:
        self._now += 400.0 if self._come() else 0.0
        return self._now


@pytest.fixture
def bench(root: Path, tmp_path: Path) -> Bench:
    return Bench(root, tmp_path)


def test_a_clip_is_playable_and_has_the_sound_that_was_given(bench: Bench) -> None:
    result = bench.run()
    assert result.video == bench.folder / "job" / "clip.mp4"
    info, sound = probe_video(result.video), probe_audio(result.video)
    assert (info.codec, info.pix_fmt, info.frames, info.fps) == ("h264", "yuv420p", 10, 25.0)
    assert (result.size, result.fps, result.duration) == (Size(256, 256), 25.0, 0.4)
    # The engine hears 16 kHz, one channel; the clip is heard as the narration was.
    assert (sound.rate, sound.channels, sound.codec) == (24_000, 2, "aac")
    assert _is_fast_start(result.video)
    assert [path.name for path in (bench.folder / "job").iterdir()] == ["clip.mp4"]
    assert leftovers(bench.root) == []


def test_it_is_called_as_the_contract_says(bench: Bench) -> None:
    bench.run(preprocess="crop", pose_style=45, expression_scale=1.5, input_yaw=(-20, 30))
    (call,) = calls(bench.root)
    assert call["cwd"] == str(bench.root)
    for name, file in (("source_image", "source.png"), ("driven_audio", "audio.wav")):
        path = Path(argument(call, name) or "")
        assert path.is_absolute() and path.name == file
    assert argument(call, "checkpoint_dir") == str(bench.root / "checkpoints")
    assert Path(argument(call, "result_dir") or "").is_absolute()
    assert (argument(call, "pose_style"), argument(call, "expression_scale")) == ("45", "1.5")
    yaw = call["argv"].index("--input_yaw")
    assert call["argv"][yaw + 1 : yaw + 3] == ["-20", "30"]
    assert "--still" in call["argv"] and "--enhancer" not in call["argv"]
    assert call["image"] == [96, 128] and call["seconds"] == 0.4


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for an environment is a link")
@pytest.mark.parametrize("python", ["env/bin/python", "./env/bin/python", "~/env/bin/python"])
def test_its_python_may_be_named_from_where_we_are(root: Path, tmp_path: Path, python: str) -> None:
    """As `avatar serve --python env/bin/python` does; the engine runs in a folder of its own."""
    (tmp_path / "env/bin").mkdir(parents=True)
    (tmp_path / "env/bin/python").symlink_to(sys.executable)
    code = (
        "import sys, pathlib; from backends.sadtalker.runner import EngineRunner;"
        "from backends.sadtalker.sadtalker import SADTALKER;"
        "print(EngineRunner(SADTALKER, pathlib.Path('SadTalker'), sys.argv[1]).missing())"
    )
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code, python], cwd=tmp_path, env=environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "()"


def test_it_sees_programs_and_the_gpu_but_no_secret() -> None:
    ours = {"PATH": "/bin", "Path": "C:", "NGROK_AUTHTOKEN": "s", "DID_API_KEY": "s",
            "PYTHONPATH": "x", "CUDA_VISIBLE_DEVICES": "1", "NVIDIA_DRIVER": "y",
            "COLAB_API_URL": "s", "AWS_SECRET": "s", "LD_LIBRARY_PATH": "z"}  # fmt: skip
    seen = clean_environment({"CUDA_VISIBLE_DEVICES": "0"}, ours, Path("/extra"))
    assert seen == {"PATH": seen["PATH"], "Path": "C:", "CUDA_VISIBLE_DEVICES": "0",
                    "NVIDIA_DRIVER": "y", "LD_LIBRARY_PATH": "z", "PYTHONUTF8": "1",
                    "PYTHONUNBUFFERED": "1", "PYTHONNOUSERSITE": "1", "MPLBACKEND": "Agg"}  # fmt: skip  # noqa: E501
    assert seen["PATH"].startswith("/bin") and seen["PATH"].endswith("/extra")


def test_news_go_from_the_start_to_the_end_and_never_back(bench: Bench) -> None:
    task = bench.task(preprocess="full", enhancer="gfpgan")
    bench.runner.run(task, bench.news.append, bench.cancel)
    fractions = [news.fraction for news in bench.news]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    # The stand-in is so quick that one stream may be read ahead of the other, past a stage.
    names = [stage.name for stage in SADTALKER.stages(task.options)]
    order = ["prepare", *names, "finish"]
    places = [order.index(news.stage) for news in bench.news]
    assert places == sorted(places) and (places[0], places[-1]) == (0, len(order) - 1)


def test_whole_picture_modes_give_the_picture_back_in_its_own_frame(bench: Bench) -> None:
    noise((120, 200)).save(bench.picture)
    result = bench.run(preprocess="full")
    assert probe_video(result.video).codec == "h264"
    assert result.size == Size(120, 200)


@pytest.mark.parametrize(
    ("behaviour", "code", "category"),
    [
        ("noface_crop", "no_face", Category.INVALID_INPUT),
        ("oom_crop", "gpu_memory", Category.SERVER),
        ("noffmpeg", "ffmpeg_missing", Category.UNSUPPORTED),
        ("unknown", "crashed", Category.SERVER),
        ("die", "host_memory", Category.SERVER),
        ("no_file", "no_video", Category.BAD_OUTPUT),
        ("empty_file", "empty_video", Category.BAD_OUTPUT),
        ("broken_file", "broken_video", Category.BAD_OUTPUT),
    ],
)
def test_a_run_that_fails_is_told_and_leaves_nothing_behind(
    bench: Bench, behaviour: str, code: str, category: Category
) -> None:
    behave(bench.root, behaviour)
    failure = bench.fail()
    assert (failure.code, failure.category) == (code, category)
    assert failure.log_tail and str(bench.root) not in failure.message
    assert failure.retryable == (category in (Category.SERVER, Category.BAD_OUTPUT))


def test_a_video_of_another_length_than_the_narration_is_not_taken(bench: Bench) -> None:
    write_wav(bench.sound, 1.0)
    behave(bench.root, "short_video")
    assert bench.fail().code == "wrong_length"


def test_a_result_that_is_nowhere_named_is_found_all_the_same(bench: Bench) -> None:
    behave(bench.root, "unnamed")
    assert bench.run().duration == 0.4


def test_failing_after_the_result_was_named_costs_nobody_the_result(bench: Bench) -> None:
    behave(bench.root, "late_crash")
    assert bench.run().duration == 0.4


def test_a_gpu_that_fails_for_ever_is_stopped_by_its_line(bench: Bench) -> None:
    behave(bench.root, "cuda_loop")
    failure = bench.fail()
    assert (failure.code, failure.category) == ("cuda_loop", Category.SERVER)
    (call,) = calls(bench.root)
    assert ended(call["pid"])


def test_silence_is_taken_for_death(root: Path, tmp_path: Path) -> None:
    behave(root, "hang")
    bench = silent_when_half_done(root, tmp_path)
    failure = bench.fail()
    assert (failure.code, failure.category) == ("silent", Category.TIMEOUT)
    assert "300 s" in failure.message
    assert ended(calls(root)[0]["pid"])


def silent_when_half_done(root: Path, folder: Path) -> Bench:
    """Hours go by as soon as the stand-in has told that half of the pictures are done."""

    def half_done() -> bool:
        return any(news.message == "moving the face, 20 of 40" for news in bench.news)

    limits = RunLimits(silence=300, most=1e9, grace=0.2)
    bench = Bench(root, folder, limits, clock=Rushing(half_done))
    return bench


def test_what_does_not_listen_is_killed_with_all_that_it_started(
    root: Path, tmp_path: Path
) -> None:
    behave(root, "hang_deaf")
    assert silent_when_half_done(root, tmp_path).fail().code == "silent"
    assert ended(calls(root)[0]["pid"])
    assert ended(int((root / "grandchild").read_text()))


def test_streams_that_are_closed_early_do_not_hide_a_process_that_hangs(
    root: Path, tmp_path: Path
) -> None:
    behave(root, "hang_closed")
    limits = RunLimits(silence=1e9, most=1000, grace=0.1)
    bench = Bench(root, tmp_path, limits, clock=Rushing((root / "closed").exists))
    assert bench.fail().code == "too_long"
    assert ended(calls(root)[0]["pid"])


def test_a_run_may_not_take_longer_than_it_may(root: Path, tmp_path: Path) -> None:
    behave(root, "cuda_loop")
    patient = RunLimits(silence=1e9, most=1000, grace=0.1)
    bench = Bench(root, tmp_path)
    bench.runner = EngineRunner(
        _with(SADTALKER, loops=()), root, limits=patient,
        clock=Rushing((root / "calls.jsonl").exists),
    )  # fmt: skip
    failure = bench.fail()
    assert (failure.code, failure.category) == ("too_long", Category.TIMEOUT)


def test_cancelling_ends_the_process_at_once(bench: Bench) -> None:
    behave(bench.root, "hang")

    def tell(news: EngineNews) -> None:
        if news.stage == "render":
            bench.cancel.set()

    with pytest.raises(Cancelled):
        bench.runner.run(bench.task(), tell, bench.cancel)
    assert ended(calls(bench.root)[0]["pid"])
    assert leftovers(bench.root) == []


def test_what_is_cancelled_already_is_not_begun(bench: Bench) -> None:
    bench.cancel.set()
    with pytest.raises(Cancelled):
        bench.run()
    assert calls(bench.root) == []


@pytest.mark.parametrize("stage", ["prepare", "load", "render"])
def test_a_listener_that_fails_ends_the_process_too(bench: Bench, stage: str) -> None:
    behave(bench.root, "hang")

    def tell(news: EngineNews) -> None:
        if news.stage == stage:
            raise RuntimeError("nobody listens")

    with pytest.raises(RuntimeError, match="nobody listens"):
        bench.runner.run(bench.task(), tell, bench.cancel)
    assert all(ended(call["pid"]) for call in calls(bench.root))


def test_any_amount_of_printing_is_read_to_its_end(bench: Bench) -> None:
    behave(bench.root, "flood")
    assert bench.run().duration == 0.4


@pytest.mark.parametrize("behaviour", ["leave_child", "leave_talker"])
def test_something_left_running_does_not_hold_up_a_finished_run(
    bench: Bench, behaviour: str
) -> None:
    behave(bench.root, behaviour)
    assert bench.run().duration == 0.4
    assert ended(int((bench.root / "grandchild").read_text()))


def test_two_runs_in_the_same_second_do_not_meet(root: Path, tmp_path: Path) -> None:
    benches = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        benches.append(Bench(root, tmp_path / name))
    with ThreadPoolExecutor(2) as pool:
        results = [f.result() for f in [pool.submit(bench.run) for bench in benches]]
    assert {result.duration for result in results} == {0.4}
    assert len({argument(call, "result_dir") for call in calls(root)}) == 2


def test_scratch_files_of_others_stay(bench: Bench) -> None:
    behave(bench.root, "noffmpeg")
    mine = bench.root / "my_holiday.mp4"
    mine.write_bytes(b"mine")
    with pytest.raises(EngineFailure):
        bench.run()
    assert leftovers(bench.root) == ["my_holiday.mp4"]


AT_WORK = """
import sys, threading, time
from pathlib import Path
from backends.sadtalker.scratch import swept

with swept(Path(sys.argv[1]), r"[0-9a-f-]{36}[.]mp4", time.time()):
    (Path(sys.argv[1]) / (f"{'0' * 36}.mp4")).write_bytes(b"half a video")
    print("at work", flush=True)
    sys.stdin.read(1)
"""


def test_a_run_of_another_process_keeps_its_scratch_files(bench: Bench) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", AT_WORK, str(bench.root)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == b"at work"
        behave(bench.root, "noffmpeg")
        with pytest.raises(EngineFailure):
            bench.run()
        assert f"{'0' * 36}.mp4" in leftovers(bench.root)
    finally:
        other.kill()
        other.communicate()
    # It was killed in the midst of its work: who comes next cleans up after it.
    with pytest.raises(EngineFailure):
        bench.run()
    assert leftovers(bench.root) == []
    assert list(bench.root.glob(".avatar-run-*")) == []


def test_a_folder_that_a_shell_would_trip_over_is_not_worked_in(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / 'Nguyễn\'s "$(touch pwned)" films'
    folder.mkdir()
    result = Bench(root, folder).run()
    assert result.video.parent == folder / "job"
    (call,) = calls(root)
    image = argument(call, "source_image") or ""
    assert image.isascii() and not set(image) & set("\"'$`()")
    assert not Path(image).exists()


@pytest.mark.parametrize(
    ("write", "code"),
    [
        (lambda bench: bench.picture.write_bytes(b"#!/bin/sh\n"), "bad_picture"),
        (lambda bench: bench.picture.unlink(), "bad_picture"),
        (lambda bench: bench.sound.write_bytes(b"RIFF nothing"), "bad_sound"),
        (lambda bench: bench.sound.write_bytes(b""), "bad_sound"),
        (lambda bench: bench.sound.write_text("#EXTM3U\n/etc/passwd\n"), "bad_sound"),
    ],
)
def test_files_that_cannot_be_used_are_refused_before_anything_starts(
    bench: Bench, write: Callable[[Bench], object], code: str
) -> None:
    write(bench)
    failure = bench.fail()
    assert (failure.code, failure.category) == (code, Category.INVALID_INPUT)
    assert calls(bench.root) == []
    assert str(bench.folder) not in failure.message


def test_a_clock_that_is_handed_in_is_the_one_that_counts(root: Path, tmp_path: Path) -> None:
    class Leaping(SystemClock):
        """Hours pass between two looks at it."""

        def __init__(self) -> None:
            super().__init__()
            self.now = 0.0

        def __call__(self) -> float:
            self.now += 3600
            return self.now

    behave(root, "hang")
    bench = Bench(root, tmp_path, RunLimits(grace=0.1), clock=Leaping())
    assert bench.fail().code in ("silent", "too_long")


@pytest.mark.skipif(os.name != "posix", reason="files are limited as systems like Unix do it")
def test_a_full_disk_is_told_as_such_and_leaves_nothing_behind(bench: Bench) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        failure = bench.fail()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (failure.code, failure.category) == ("disk_full", Category.SERVER)


def test_the_same_input_gives_the_same_wav_to_the_engine(bench: Bench) -> None:
    before = _digest(bench.sound), _digest(bench.picture)
    bench.run()
    assert (_digest(bench.sound), _digest(bench.picture)) == before


def _with(engine: Any, **changes: Any) -> Any:
    from dataclasses import replace

    return replace(engine, **changes)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _is_fast_start(path: Path) -> bool:
    data = path.read_bytes()
    with av.open(str(path)):
        return 0 < data.find(b"moov") < data.find(b"mdat")
