"""What the real program printed, in success and in every failure, is understood."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_core.errors import Category
from backends.sadtalker.diagnosis import diagnosed
from backends.sadtalker.engine import EngineFailure, EngineNews, Fault, Stage
from backends.sadtalker.faults import CUDA_LOOP, FAULTS
from backends.sadtalker.printed import Tail
from backends.sadtalker.progress import Progress
from backends.sadtalker.watch import Ended
from support_house import read
from support_sadtalker import LOGS, SADTALKER

# Where it was, how many percent of its work were done, why it failed.
FAILED = [
    ("aud002", "face", 8, "sound_too_short", Category.INVALID_INPUT),
    ("aud_m4a", "face", 8, "bad_sound", Category.INVALID_INPUT),
    ("aud_mp3", "render", 94, "ffmpeg_missing", Category.UNSUPPORTED),
    ("badenh", "enhance", 48, "bad_options", Category.UNSUPPORTED),
    ("badimg", "face", 6, "bad_picture", Category.INVALID_INPUT),
    ("badpp", "load", 0, "bad_options", Category.UNSUPPORTED),
    ("big", "face", 6, "face_too_large", Category.INVALID_INPUT),
    ("codeformer", "enhance", 48, "enhancer_download", Category.SERVER),
    ("e2", "face", 7, "environment_broken", Category.UNSUPPORTED),
    ("e3", "face", 7, "environment_broken", Category.UNSUPPORTED),
    ("e4", "face", 7, "environment_broken", Category.UNSUPPORTED),
    ("empty", "load", 0, "weights_damaged", Category.UNSUPPORTED),
    ("first", "face", 6, "environment_broken", Category.UNSUPPORTED),
    ("k1", "render", 94, "folder_shared", Category.SERVER),
    ("noaud", "face", 8, "bad_sound", Category.INVALID_INPUT),
    ("nodl", "load", 0, "download_failed", Category.CONNECTIVITY),
    ("noface_crop", "face", 6, "no_face", Category.INVALID_INPUT),
    ("noface_resize", "face", 6, "no_face", Category.INVALID_INPUT),
    ("noffmpeg", "render", 94, "ffmpeg_missing", Category.UNSUPPORTED),
    ("noimg", "face", 6, "bad_picture", Category.INVALID_INPUT),
    ("nomap", "load", 0, "weights_missing", Category.UNSUPPORTED),
    ("oom_crop", "face", 6, "gpu_memory", Category.SERVER),
    ("pose46", "sound", 12, "bad_options", Category.UNSUPPORTED),
    ("quote", "render", 94, "ffmpeg_missing", Category.UNSUPPORTED),
    ("s2", "face", 6, "no_face", Category.INVALID_INPUT),
    ("size300", "load", 0, "bad_options", Category.UNSUPPORTED),
    ("trunc", "load", 0, "weights_damaged", Category.UNSUPPORTED),
    ("truncpth", "load", 0, "weights_damaged", Category.UNSUPPORTED),
]
DONE = [
    *("crop_gfpgan", "crop_none", "e5", "full_gfpgan", "full_none", "k2", "py310_full_nopatch"),
    *("py313_full", "py313_min", "realgfp", "refs", "resize_none", "upper", "webp", "yaw"),
]
# Printed by versions and machines of which there is no log.
FRAGMENTS = [
    ("torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 4.53 GiB", "gpu_memory"),
    ("RuntimeError: CUDA error: out of memory", "gpu_memory"),
    ("RuntimeError: cuDNN error: CUDNN_STATUS_ALLOC_FAILED", "gpu_memory"),
    ("RuntimeError: CUDA error: an illegal memory access was encountered", "gpu_error"),
    ("CUDA error: no kernel image is available for execution on the device", "gpu_unsupported"),
    ("RuntimeError: Found no NVIDIA driver on your system.", "gpu_unsupported"),
    ("can not detect the landmark from source image", "no_face"),
    ("cv2.error: OpenCV(4.9.0) error: (-215:Assertion failed) 0 <= roi.x && 0 <= roi.width && "
     "roi.x + roi.width <= m.cols in function 'Mat'", "face_at_edge"),
    ("ModuleNotFoundError: No module named 'torchvision.transforms.functional_tensor'",
     "environment_broken"),
    ("AttributeError: module 'numpy' has no attribute 'complex'", "environment_broken"),
    ("AttributeError: module 'numpy' has no attribute 'VisibleDeprecationWarning'",
     "environment_broken"),
    ("ModuleNotFoundError: No module named 'pyaudioop'", "environment_broken"),
    ("TypeError: TiffWriter.write() got an unexpected keyword argument 'fps'",
     "environment_broken"),
    ("ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
     "environment_broken"),
    ("ModuleNotFoundError: No module named 'cv2'", "environment_broken"),
    ("AttributeError: _2D", "environment_broken"),
    ("TypeError: mel() takes 0 positional arguments but 2 positional arguments",
     "environment_broken"),
    ("SafetensorError: Error while deserializing header: HeaderTooSmall", "weights_damaged"),
    ("RuntimeError: unexpected EOF, expected 1234 more bytes. The file might be corrupted.",
     "weights_damaged"),
    ("FileNotFoundError: No such file or directory: ./checkpoints/SadTalker_V0.0.2_256.safetensors",
     "weights_missing"),
    ("OSError: [Errno 28] No space left on device", "disk_full"),
    ("numpy.core._exceptions._ArrayMemoryError: Unable to allocate 2.31 GiB", "host_memory"),
    ("MemoryError", "host_memory"),
    ("FileNotFoundError: [Errno 2] No such file or directory: 'ffprobe'", "ffmpeg_missing"),
    ("sh: ffmpeg: command not found", "ffmpeg_missing"),
]  # fmt: skip
OURS = ("silent", "too_long", "no_video", "empty_video", "broken_video", "wrong_length")
FOUND_BEFORE = ("not_installed", "crashed")


def test_every_log_is_looked_at() -> None:
    assert {name for name, *_ in FAILED} | set(DONE) | {"oom"} == set(LOGS)


@pytest.mark.parametrize(("name", "stage", "percent", "code", "category"), FAILED)
def test_a_failure_is_told_as_what_it_is(
    name: str, stage: str, percent: int, code: str, category: Category
) -> None:
    ended, news = _read(name)
    failure = diagnosed(SADTALKER, ended)
    assert (ended.stage, failure.code, failure.category) == (stage, code, category)
    assert round(100 * max((n.fraction for n in news), default=0.0)) == percent
    assert failure.log_tail == ended.tail
    _assert_told_well(failure)


@pytest.mark.parametrize("name", DONE)
def test_a_success_is_followed_to_its_end(name: str) -> None:
    ended, news = _read(name)
    assert ended.stage == "write"
    assert news[-1].fraction > 0.93
    fractions = [n.fraction for n in news]
    assert fractions == sorted(fractions)
    assert ended.result is not None and re.fullmatch(r"/content/io/.+\d\.mp4", ended.result)


def test_a_loop_is_known_by_its_line() -> None:
    lines = LOGS["oom"]["out"].splitlines()
    assert sum(bool(re.search(CUDA_LOOP.pattern, line)) for line in lines) >= CUDA_LOOP.times


@pytest.mark.parametrize(("text", "code"), FRAGMENTS)
def test_a_line_of_other_versions_is_understood_too(text: str, code: str) -> None:
    tail = ("using safetensor as default", *text.splitlines())
    failure = diagnosed(SADTALKER, Ended(1, "render", tail, tail))
    assert failure.code == code
    _assert_told_well(failure)


def test_whatever_else_breaks_the_enhancer_is_the_enhancers_fault() -> None:
    tail = ("face enhancer....", "RuntimeError: input.size(-1) must be 512")
    assert diagnosed(SADTALKER, Ended(1, "enhance", tail, tail)).code == "enhancer_crashed"
    assert diagnosed(SADTALKER, Ended(1, "render", tail, tail)).code == "crashed"


def test_a_process_killed_by_the_system_ran_out_of_memory() -> None:
    tail = ("Face Renderer:: 100%|██████████| 4/4 [00:00<00:00, 4.95it/s]",)
    assert diagnosed(SADTALKER, Ended(-9, "render", tail, tail)).code == "host_memory"


def test_the_unknown_is_told_with_its_last_line_on_the_error_stream() -> None:
    ended = Ended(1, "face", ("KeyError: 'x'", "done with it"), ("KeyError: 'x'",))
    failure = diagnosed(SADTALKER, ended)
    assert (failure.code, failure.category) == ("crashed", Category.SERVER)
    assert failure.message == "SadTalker failed (exit code 1): KeyError: 'x'."


@pytest.mark.parametrize("name", DONE)
def test_no_harmless_warning_is_taken_for_an_error(name: str) -> None:
    # The recommended versions warn in every run of what later ones have removed.
    ended, _ = _read(name)
    assert diagnosed(SADTALKER, ended).code == "crashed"


@pytest.mark.parametrize("fault", [*FAULTS, CUDA_LOOP.fault], ids=lambda fault: fault.code)
def test_every_advice_leads_to_a_section_of_the_page(fault: Fault) -> None:
    assert re.fullmatch(r"[a-z_]+", fault.code)
    assert f"\n### `{fault.code}`\n" in read("docs/sadtalker.md")
    assert fault.says.endswith(".") and fault.advice.endswith(".")


@pytest.mark.parametrize("code", [*OURS, *FOUND_BEFORE])
def test_what_the_runner_finds_itself_has_its_section_as_well(code: str) -> None:
    assert f"\n### `{code}`\n" in read("docs/sadtalker.md")


@pytest.mark.parametrize(
    "line",
    [
        "Face Renderer::  50%|█████     | 2/4 [00:00<00:00, 4.96it/s]",
        "Face Renderer:  50%|##5  | 2/4 [00:00<?, ?it/s]",
        "Face Renderer: 50% 2/4 [00:00<00:00]",
        "\tFace Renderer::50%|5| 2/4",
    ],
)
def test_bars_of_all_versions_are_read(line: str) -> None:
    news = Progress(SADTALKER.stages(SADTALKER.Options())).feed(line)
    assert news is not None and (news.stage, news.message) == ("render", "moving the face, 2 of 4")


@pytest.mark.parametrize("line", ["Other: 50% 2/4", "Face Renderer", "100% 2/4", "", "x" * 5000])
def test_other_lines_say_nothing_of_progress(line: str) -> None:
    assert Progress(SADTALKER.stages(SADTALKER.Options())).feed(line) is None


@given(
    st.lists(st.sampled_from(["a", "b", "c"]).flatmap(
        lambda name: st.tuples(st.just(name), st.integers(0, 9), st.integers(0, 9)))),
)  # fmt: skip
def test_progress_never_falls_whatever_is_printed(bars: list[tuple[str, int, int]]) -> None:
    stages = [Stage("one", "one", 2, ("a", "b")), Stage("two", "two", 0), Stage("three", "", 5, ("c",))]  # fmt: skip  # noqa: E501
    progress = Progress(stages)
    told = [progress.feed(f"{name}:: 1%|  | {done}/{total}") for name, done, total in bars]
    news = [one for one in told if one is not None]
    assert all(a.fraction <= b.fraction for a, b in itertools.pairwise(news))
    assert all(0 <= one.fraction <= 1 for one in news)


def test_an_engine_without_stages_still_reports_that_it_works() -> None:
    progress = Progress(())
    assert progress.first().message
    assert progress.feed("anything: 50% 1/2") is None


def test_the_last_lines_keep_one_update_of_each_bar() -> None:
    tail = Tail(5)
    for line in ["first", *(f"Face Renderer:: {n}%|  | {n}/100" for n in range(100)), "last"]:
        tail.add(line)
    assert tail.lines == ("first", "Face Renderer:: 99%|  | 99/100", "last")


def _read(name: str) -> tuple[Ended, list[EngineNews]]:
    """The log as a run would hear it; of the two streams, first one and then the other."""
    log = LOGS[name]
    enhancer = "gfpgan" if "face enhancer" in log["out"] else "none"
    preprocess = "full" if "_full.mp4" in log["out"] else "crop"
    progress = Progress(
        SADTALKER.stages(SADTALKER.Options(enhancer=enhancer, preprocess=preprocess))
    )
    result_line = re.compile(SADTALKER.output.line)
    tail, errors, news, result = Tail(), Tail(), [], None
    printed = [(name, line) for name in ("err", "out") for line in re.split(r"[\r\n]+", log[name])]
    for stream, line in printed:
        if not line:
            continue
        tail.add(line)
        if stream == "err":
            errors.add(line)
        if told := progress.feed(line):
            news.append(told)
        if match := result_line.search(line):
            result = match["path"]
    status = 0 if result else 2 if "error: argument" in log["err"] else 1
    return Ended(status, progress.stage, tail.lines, errors.lines, result), news


def _assert_told_well(failure: EngineFailure) -> None:
    assert failure.message.endswith(".") and "/content" not in failure.message
    assert failure.advice.endswith(f"See: avatar docs sadtalker#{failure.code}")
