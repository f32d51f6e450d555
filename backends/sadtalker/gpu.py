"""Which GPUs this machine has, as NVIDIA's own program tells it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from avatar_core.children import child_options

_SECONDS = 4
_FIELDS = "name,memory.total,memory.free"


@dataclass(frozen=True, slots=True)
class Gpu:
    """Memory in MiB."""

    name: str
    memory_total_mb: int
    memory_free_mb: int


def gpus(program: str = "nvidia-smi") -> tuple[Gpu, ...]:
    """Empty where there is none, or no driver for it, or the driver does not answer."""
    command = [program, f"--query-gpu={_FIELDS}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=True,
            **child_options(),
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return tuple(gpu for line in lines if (gpu := _parsed(line)) is not None)


def _parsed(line: str) -> Gpu | None:
    name, *memory = (part.strip() for part in line.rsplit(",", 2))
    if len(memory) != 2 or not all(part.isdecimal() for part in memory):
        return None
    return Gpu(name, int(memory[0]), int(memory[1]))
