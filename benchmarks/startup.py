"""How long `import avatar_core` and `avatar --help` take, each in a fresh process.

    python benchmarks/startup.py [--quick]

The last line is one JSON object; the exit code is 0 only if every goal is met.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from typing import NoReturn

from _report import finish

GOALS = {
    "import avatar_core": ("import_seconds", "<=", 0.2),
    "the whole contract": ("contract_seconds", "<=", 0.2),
    "avatar --help": ("help_seconds", "<=", 0.6),
    "no heavy module": ("heavy_modules", "<=", 0),
}
HEAVY = ("numpy", "requests", "moviepy", "onnxruntime", "av", "PIL")
PYTHON = (sys.executable, "-c")
COMMANDS = {
    "nothing": [*PYTHON, "pass"],
    "import": [*PYTHON, "import avatar_core"],
    "contract": [*PYTHON, "from avatar_core import AvatarBackend"],
    "help": [sys.executable, "-m", "renderer", "--help"],
}


def seconds(command: list[str]) -> float:
    """How long ``command`` takes, from its start to its end."""
    started = time.perf_counter()
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"}
    )
    return time.perf_counter() - started


def heavy_modules() -> list[str]:
    """What of `HEAVY` the import loads."""
    code = f"import sys, avatar_core; print(*(m for m in {HEAVY} if m in sys.modules))"
    return subprocess.check_output([*PYTHON, code], text=True).split()


def measure(rounds: int) -> dict[str, list[float]]:
    """Seconds of every command; they take turns, so that a busy moment hits all of them."""
    for command in COMMANDS.values():
        seconds(command)  # The first run of all reads the disk and writes bytecode.
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            times[name].append(seconds(command))
    return times


def main() -> NoReturn:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = 10 if parser.parse_args().quick else 20
    times = measure(rounds)
    for name, values in times.items():
        middle = statistics.median(values)
        print(
            f"{name:10} best {min(values):.3f} s, median {middle:.3f} s, worst {max(values):.3f} s"
        )
    # The best of many: what the program takes, not what else the machine was doing.
    best = {name: min(values) for name, values in times.items()}
    metrics = {
        "import_seconds": round(best["import"] - best["nothing"], 4),
        "contract_seconds": round(best["contract"] - best["nothing"], 4),
        "help_seconds": round(best["help"], 4),
        "help_seconds_median": round(statistics.median(times["help"]), 4),
        "python_start_seconds": round(best["nothing"], 4),
        "heavy_modules": len(heavy_modules()),
        "rounds": rounds,
    }
    finish("startup", metrics, GOALS)


if __name__ == "__main__":
    main()
