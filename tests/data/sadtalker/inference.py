"""A stand-in for SadTalker's program: its command line, its words, its files, none of its networks.

What it is to do stands in ``behaviour.json`` beside it (see support_sadtalker.py), and how the real
one failed in ``logs.json``. Needs nothing but Python and an ffmpeg on PATH, as a fake should.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import uuid
import wave
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).absolute().parent
FPS = 25
LOOP = "Warning: out of memory, sleep for 1s"


def main() -> None:
    args = _arguments()
    rule = _rule(args)
    do = str(rule.get("do", "ok"))
    _note(args, do)
    if do in _LOGS:
        _replay(do)
    print("using safetensor as default")
    print("3DMM Extraction for source image")
    _MISCHIEF.get(do, lambda args: None)(args)
    _render(args, do, float(rule.get("seconds_a_frame", 0)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="inference.py")
    parser.add_argument("--driven_audio", required=True)
    parser.add_argument("--source_image", required=True)
    parser.add_argument("--ref_eyeblink")
    parser.add_argument("--ref_pose")
    parser.add_argument("--checkpoint_dir", default="./checkpoints")
    parser.add_argument("--result_dir", default="./results")
    parser.add_argument("--pose_style", type=int, default=0)
    parser.add_argument("--batch_size", type=int, default=2)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--expression_scale", type=float, default=1.0)
    for name in ("--input_yaw", "--input_pitch", "--input_roll"):
        parser.add_argument(name, nargs="+", type=int)
    parser.add_argument("--enhancer")
    parser.add_argument("--background_enhancer")
    for name in ("--cpu", "--face3dvis", "--still", "--verbose", "--old_version"):
        parser.add_argument(name, action="store_true")
    choices = ("crop", "extcrop", "resize", "full", "extfull")
    parser.add_argument("--preprocess", choices=choices, default="crop")
    return parser.parse_args()


def _rule(args: argparse.Namespace) -> dict[str, object]:
    """The first rule whose conditions the arguments meet."""
    path = HERE / "behaviour.json"
    rules = json.loads(path.read_text("utf-8")) if path.exists() else []
    for rule in rules:
        if all(str(getattr(args, k)) == str(v) for k, v in rule.get("when", {}).items()):
            return dict(rule)
    return {}


def _note(args: argparse.Namespace, do: str) -> None:
    """What it was called with, for tests to read; also what it can see of the environment."""
    said = {
        "do": do,
        "pid": os.getpid(),
        "argv": sys.argv[1:],
        "cwd": str(Path.cwd()),
        "environment": dict(os.environ),
        "image": list(_png_size(args.source_image)),
        "seconds": _seconds(args.driven_audio),
        "time": time.time(),
    }
    with (HERE / "calls.jsonl").open("a", encoding="utf-8") as out:
        out.write(json.dumps(said) + "\n")


def _replay(case: str) -> None:
    """Print what the real program printed, and end as it ended."""
    log = _LOGS[case]
    sys.stdout.write(log["out"])
    sys.stdout.flush()
    sys.stderr.write(log["err"])
    sys.stderr.flush()
    if case in ("noffmpeg", "quote"):
        Path(f"{uuid.uuid4()}.mp4").write_bytes(b"half a video")
    sys.exit(2 if "error: argument" in log["err"] else 1)


def _loop(args: argparse.Namespace) -> None:
    print("\rlandmark Det::   0%|          | 0/1 [00:00<?, ?it/s]", end="", file=sys.stderr)
    while True:
        print(LOOP, flush=True)
        time.sleep(0.01)


def _hang(args: argparse.Namespace) -> None:
    _bar("Face Renderer", 40, upto=20)
    Path(f"{uuid.uuid4()}.mp4").write_bytes(b"half a video")
    time.sleep(3600)


def _hang_deaf(args: argparse.Namespace) -> None:
    """As something that was started through a shell may: it does not listen to SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    (HERE / "grandchild").write_text(str(child.pid))
    _hang(args)


def _hang_closed(args: argparse.Namespace) -> None:
    os.close(1)
    os.close(2)
    (HERE / "closed").touch()
    time.sleep(3600)


def _die(args: argparse.Namespace) -> None:
    _bar("Face Renderer", 40, upto=20)
    os.kill(os.getpid(), signal.SIGKILL)


def _flood(args: argparse.Namespace) -> None:
    """More on both streams than any pipe holds, a line without an end, bytes that are no text."""
    for _ in range(400):
        sys.stdout.write("x" * 2000 + "\n")
        sys.stderr.write("y" * 2000 + "\n")
    sys.stdout.write("z" * 300_000)
    sys.stdout.flush()
    sys.stdout.buffer.write(b"\xff\xfe\x00 nonsense\n")


def _leave_child(args: argparse.Namespace) -> None:
    """Ends well, but what it started keeps its streams open."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    (HERE / "grandchild").write_text(str(child.pid))


def _leave_talker(args: argparse.Namespace) -> None:
    """The same, and it prints without a pause."""
    code = "import time\nwhile True: print('still here', flush=True); time.sleep(0.01)"
    child = subprocess.Popen([sys.executable, "-c", code])
    (HERE / "grandchild").write_text(str(child.pid))


def _unknown(args: argparse.Namespace) -> None:
    print(f"KeyError: {str(HERE / 'something')!r}", file=sys.stderr)
    sys.exit(1)


def _render(args: argparse.Namespace, do: str, pause: float) -> None:
    stamp = time.strftime("%Y_%m_%d_%H.%M.%S")
    work = Path(args.result_dir) / stamp
    work.mkdir(parents=True, exist_ok=True)
    frames = int(_seconds(args.driven_audio) * FPS + 1e-6)
    whole, enhances = args.preprocess in ("full", "extfull"), args.enhancer is not None
    for name, total in (
        ("landmark Det", 1),
        ("3DMM Extraction In Video", 1),
        ("mel", frames),
        ("audio2exp", -(-frames // 10)),
    ):
        _bar(name, total)
    _bar("Face Renderer", -(-frames // args.batch_size), pause=pause)
    stem = f"{Path(args.source_image).stem}##{Path(args.driven_audio).stem}"
    print(f"The generated video is named {work}/{stem}.mp4")
    if whole:
        _bar("seamlessClone", frames)
        print(f"The generated video is named {work}/{stem}_full.mp4")
    if enhances:
        print("face enhancer....", flush=True)
        _bar("Face Enhancer", frames, upto=frames // 2 if do == "enhancer_crash" else None)
        if do == "enhancer_crash":
            print("RuntimeError: input.size(-1) must be 512", file=sys.stderr)
            sys.exit(1)
        print(f"The generated video is named {work}/{stem}_enhanced.mp4")
    result = Path(args.result_dir) / f"{stamp}.mp4"
    _write(args, do, frames, result)
    shutil.rmtree(work, ignore_errors=True)
    if do != "unnamed":
        print(f"The generated video is named: {result}")
    if do == "late_crash":
        print("PermissionError: [WinError 32] the file is used by another process", file=sys.stderr)
        sys.exit(1)


def _write(args: argparse.Namespace, do: str, frames: int, result: Path) -> None:
    if do == "no_file":
        return
    if do == "empty_file":
        result.touch()
        return
    if do == "broken_file":
        result.write_bytes(b"\x00\x00\x00\x20ftypisom" + bytes(4000))
        return
    scratch = Path(f"{uuid.uuid4()}.mp4")
    _encode(args, frames // 2 if do == "short_video" else frames, scratch)
    shutil.move(scratch, result)


def _encode(args: argparse.Namespace, frames: int, scratch: Path) -> None:
    """The picture, swaying a little, in the size and the codec that the real one would give it."""
    width, height = _png_size(args.source_image)
    whole, enhances = args.preprocess in ("full", "extfull"), args.enhancer is not None
    if not whole:
        width = args.size
        height = args.size if args.preprocess != "resize" else args.size * height // width
    if enhances:
        width, height = 2 * width, 2 * height
    if not whole or enhances:
        width, height = -(-width // 16) * 16, -(-height // 16) * 16
    codec = "libx264" if not whole or enhances else "mpeg4"
    sway = f"scale={width}:{height},rotate=0.04*sin(7*t),pad=ceil(iw/2)*2:ceil(ih/2)*2"
    command = [
        *("ffmpeg", "-v", "error", "-y", "-loop", "1", "-r", str(FPS), "-i", args.source_image),
        *("-i", args.driven_audio, "-frames:v", str(frames), "-vf", sway, "-c:v", codec),
        *("-pix_fmt", "yuv420p", "-preset", "ultrafast", "-ar", "16000", "-shortest"),
        str(scratch),
    ]
    status = subprocess.run([part for part in command if part], check=False).returncode
    if status:
        sys.exit(status)


def _bar(name: str, total: int, *, upto: int | None = None, pause: float = 0.0) -> None:
    """A progress bar as tqdm draws it, drawn at most ten times."""
    last = total if upto is None else upto
    step = max(1, total // 10)
    for done in [*range(0, last, step), last]:
        share = done * 100 // total if total else 100
        drawn = "█" * (share // 10) + " " * (10 - share // 10)
        sys.stderr.write(f"\r{name}:: {share:3d}%|{drawn}| {done}/{total} [00:00<00:00, 5.00it/s]")
        sys.stderr.flush()
        if pause:
            time.sleep(pause * step)
    sys.stderr.write("\n")


def _seconds(path: str) -> float:
    with wave.open(path) as sound:
        return sound.getnframes() / sound.getframerate()


def _png_size(path: str) -> tuple[int, int]:
    with Path(path).open("rb") as stream:
        head = stream.read(24)
    width, height = struct.unpack(">II", head[16:24])
    return width, height


_LOGS: dict[str, dict[str, str]] = json.loads((HERE / "logs.json").read_text("utf-8"))
_MISCHIEF: dict[str, Callable[[argparse.Namespace], None]] = {
    "cuda_loop": _loop,
    "hang": _hang,
    "hang_deaf": _hang_deaf,
    "hang_closed": _hang_closed,
    "die": _die,
    "flood": _flood,
    "leave_child": _leave_child,
    "leave_talker": _leave_talker,
    "unknown": _unknown,
}


if __name__ == "__main__":
    main()
