"""Looks at everything a job needs and says what is there, in one table with a verdict."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from avatar_core.errors import EnvironmentFault
from avatar_core.ffmpeg import ffmpeg_exe
from backends.colab.setup.ngrok_token import find_token
from backends.colab.setup.weights import is_whole
from backends.sadtalker.engine import Engine, Weight
from backends.sadtalker.gpu import Gpu, gpus

# Importing PyTorch for the first time on a cold disk takes about half a minute.
_SECONDS = 180.0
_LEAST_DISK_GB = 2.0
# Run by the engine's Python: what it has, in one line of JSON.
_LOOK = """
import importlib.util, json, platform, sys
found = {"python": platform.python_version(), "torch": None, "cuda": None, "sees_gpu": False}
found["lacking"] = [n for n in sys.argv[1:] if importlib.util.find_spec(n) is None]
try:
    import torch
    found.update(torch=torch.__version__, cuda=torch.version.cuda,
                 sees_gpu=bool(torch.cuda.is_available()))
except Exception as failure:
    found["trouble"] = f"{type(failure).__name__}: {failure}"
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``good`` is None for what is only told; ``todo`` is the next step
    when it is not good; what is not ``needed`` to make clips does not spoil the verdict."""

    name: str
    says: str
    good: bool | None = None
    todo: str = ""
    needed: bool = True


@dataclass(frozen=True, slots=True)
class Inside:
    """What the engine's Python says of itself."""

    python: str = ""
    torch: str = ""
    cuda: str = ""
    sees_gpu: bool = False
    lacking: tuple[str, ...] = ()
    trouble: str = ""


_SET_UP = "Run cell 1 (set-up) again: it fetches only what is missing."


def look(engine: Engine, root: Path, python: Path, *, without_gpu: bool = False) -> list[Row]:
    """Every row, in the order in which they are mended. ``without_gpu``: none is wanted."""
    gpu = next(iter(gpus()), None)
    inside = look_inside(python, engine.modules, root)
    return [
        _gpu_row(gpu, without_gpu),
        _memory_row(gpu, engine),
        Row("Main memory", _ram()),
        _disk_row(root),
        Row("Python", f"{platform.python_version()} here; the engine's: {inside.python or 'none'}",
            bool(inside.python), _SET_UP),
        _torch_row(inside, gpu, without_gpu),
        _program_row(engine, root, inside),
        _weights_row(engine.weights, root),
        _ffmpeg_row(),
        _token_row(),
    ]  # fmt: skip


def verdict(rows: Iterable[Row]) -> tuple[str, str]:
    """What all of it amounts to, and the next step."""
    wrong = [row for row in rows if row.good is False]
    for row in wrong:
        if row.needed:
            return f"Not ready: {row.name}: {row.says}.", row.todo
    if wrong:
        return "Ready to make clips here.", wrong[0].todo
    return "Ready.", "Go on with cell 3 (a first clip) or cell 5 (the server)."


def table(rows: Sequence[Row]) -> str:
    """The rows and the verdict as text in columns."""
    marks = {True: "yes", False: "NO", None: ""}
    width = max(len(row.name) for row in rows)
    lines = [f"{'':{width}}  ok?  what was found", "-" * (width + 50)]
    lines += [f"{row.name:{width}}  {marks[row.good]:3}  {row.says}" for row in rows]
    result, step = verdict(rows)
    return "\n".join([*lines, "-" * (width + 50), f"{'Verdict':{width}}       {result}",
                      f"{'Next step':{width}}       {step}"])  # fmt: skip


def look_inside(python: Path, modules: Iterable[str], root: Path) -> Inside:
    """Ask the engine's Python, in the folder where it runs; what is wrong is in ``trouble``."""
    try:
        done = subprocess.run(
            [str(python), "-c", _LOOK, *modules],
            capture_output=True, encoding="utf-8", errors="replace", timeout=_SECONDS, check=True,
            cwd=root if root.is_dir() else None,
        )  # fmt: skip
        said = json.loads(done.stdout.strip().splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as failure:
        return Inside(trouble=type(failure).__name__)
    return Inside(
        python=said["python"],
        torch=said["torch"] or "",
        cuda=said["cuda"] or "",
        sees_gpu=said["sees_gpu"],
        lacking=tuple(said["lacking"]),
        trouble=said.get("trouble", ""),
    )


def _gpu_row(gpu: Gpu | None, without: bool) -> Row:
    if gpu is not None:
        return Row("GPU", gpu.name, True)
    if without:
        return Row("GPU", "none; the processor is used, which takes hours")
    todo = "On Colab: Runtime > Change runtime type > T4 GPU, then run all cells again."
    return Row("GPU", "no NVIDIA GPU was found", False, todo)


def _memory_row(gpu: Gpu | None, engine: Engine) -> Row:
    if gpu is None:
        return Row("GPU memory", "-")
    free, total, wanted = map(_gb, (gpu.memory_free_mb, gpu.memory_total_mb, engine.vram_mb))
    says = f"{free} free of {total}; {engine.title} wants {wanted}"
    todo = "Something else uses the GPU: stop it, or Runtime > Restart session."
    return Row("GPU memory", says, gpu.memory_free_mb >= engine.vram_mb, todo)


def _disk_row(root: Path) -> Row:
    there = next(path for path in (root, *root.parents) if path.exists())
    free = shutil.disk_usage(there).free / 1e9
    todo = "Delete what is not needed, or Runtime > Disconnect and delete runtime."
    return Row("Disk", f"{free:.1f} GB free", free >= _LEAST_DISK_GB, todo)


def _torch_row(inside: Inside, gpu: Gpu | None, without: bool) -> Row:
    if not inside.torch:
        trouble = f" ({inside.trouble})" if inside.trouble else ""
        return Row("PyTorch", f"not there{trouble}", False, _SET_UP)
    sees = "sees the GPU" if inside.sees_gpu else "does not see a GPU"
    says = f"{inside.torch}, CUDA {inside.cuda or 'none'}, {sees}"
    if inside.sees_gpu or without or gpu is None:
        return Row("PyTorch", says, True)
    return Row("PyTorch", says, False, "Runtime > Restart session, then run all cells again.")


def _program_row(engine: Engine, root: Path, inside: Inside) -> Row:
    lacking = [name for name in engine.files if not (root / name).is_file()]
    if lacking:
        return Row(engine.title, f"not there: {_few(lacking)}", False, _SET_UP)
    if inside.lacking:
        return Row(engine.title, f"packages not there: {_few(inside.lacking)}", False, _SET_UP)
    return Row(engine.title, f"in {root}", True)


def _weights_row(weights: Sequence[Weight], root: Path) -> Row:
    bad = [Path(weight.path).name for weight in weights if not is_whole(root, weight)]
    says = f"{len(weights) - len(bad)} of {len(weights)} whole"
    if bad:
        return Row("Weights", f"{says}; missing or cut off: {_few(bad)}", False, _SET_UP)
    return Row("Weights", says, True)


def _ffmpeg_row() -> Row:
    try:
        return Row("ffmpeg", ffmpeg_exe(), True)
    except EnvironmentFault as fault:
        return Row("ffmpeg", fault.message, False, fault.advice or "")


def _token_row() -> Row:
    found = find_token()
    return Row("ngrok token", "there" if found.token else "not there", bool(found.token),
               "Run cell 6 to learn how to get an ngrok token, or choose cloudflared in cell 5.",
               needed=False)  # fmt: skip


def _ram() -> str:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return "unknown"
    return f"{total / 1e9:.1f} GB"


def _gb(megabytes: int) -> str:
    return f"{megabytes / 1024:.1f} GB"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
