"""A thousand scenes through a night in which everything fails, in virtual time, film after film.

    python benchmarks/chaos.py [--quick] [--seeds 5] [--scenes 1000]

Three traces: A over `colab -> did -> puppet -> static`; B over `colab -> static`; C is B with the
rates at which the first script's own policy animates what it is told to have animated. Each is
run under our policy, under the defaults of a model router, and under the first script's policy.
Of our numbers the worst seed counts; the table shows means. `_chaos_trace.py` says what happens,
`_chaos_judges.py` what is counted.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, fields
from typing import Any, NoReturn

from _chaos_films import CHAIN_A, CHAIN_B
from _chaos_results import GOALS, Result, Row, measure
from _report import finish

TITLES = {
    "A": " -> ".join(CHAIN_A),
    "B": " -> ".join(CHAIN_B),
    "C": " -> ".join(CHAIN_B) + ", at the first script's rates",
}
COLUMNS = ("delivered", "animated", "outside", "calls", "hours", "wasted min", "paid", "USD",
           "paid twice")  # fmt: skip
FORMATS = ("{:.1%}", "{:.1%}", "{:.1%}", "{:.0f}", "{:.1f}", "{:.1f}", "{:.0f}", "{:.2f}", "{:.1f}")


def films(seeds: int, scenes: int) -> list[Result]:
    """Every seed's results; the seeds have nothing to do with each other."""
    with ProcessPoolExecutor(min(seeds, os.cpu_count() or 1)) as pool:
        return list(pool.map(measure, range(1, seeds + 1), [scenes] * seeds))


def show(results: Sequence[Result]) -> None:
    """A table for each trace."""
    for name, title in TITLES.items():
        print(f"\n{name}: {title} (mean of {len(results)} seeds; outside: of the outage)")
        print(_line("", COLUMNS))
        for policy in results[0].rows[name]:
            mean = _mean([result.rows[name][policy] for result in results])
            print(_line(policy, [f.format(v) for f, v in zip(FORMATS, mean, strict=True)]))
        still = sum((Counter(result.still[name]) for result in results), Counter[str]())
        if still:
            told = ", ".join(f"{why} {n / len(results):.1f}" for why, n in still.most_common(4))
            print(f"  ours at the first try, still though outside of the outage: {told}")


def worst(results: Sequence[Result]) -> dict[str, float]:
    """Of every metric the value that is worst for its goal, else the mean."""
    signs = {metric: sign for metric, sign, _ in GOALS.values()}
    found = {}
    for metric in results[0].metrics:
        values = [result.metrics[metric] for result in results]
        pick = {">=": min, "<=": max}.get(signs.get(metric, ""), _middle)
        found[metric] = pick(values)
    return found


def baselines(results: Sequence[Result]) -> dict[str, dict[str, dict[str, float]]]:
    """The means of every policy's row, for whoever reads the JSON."""
    names = [f.name for f in fields(Row)]
    return {
        trace: {
            policy: dict(
                zip(names, [round(v, 3) for v in _mean([r.rows[trace][policy] for r in results])],
                    strict=True)
            )
            for policy in results[0].rows[trace]
        }
        for trace in TITLES
    }  # fmt: skip


def _middle(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)


def _mean(rows: Sequence[Row]) -> list[float]:
    return [sum(values) / len(rows) for values in zip(*map(astuple, rows), strict=True)]


def _line(name: str, cells: Sequence[str]) -> str:
    return f"  {name:28}" + "".join(f"{cell:>11}" for cell in cells)


def main() -> NoReturn:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--scenes", type=int, default=1000)
    given = parser.parse_args()
    seeds = 1 if given.quick else given.seeds
    began = time.perf_counter()
    results = films(seeds, given.scenes)
    show(results)
    metrics: dict[str, Any] = {
        **worst(results),
        "policies": baselines(results),
        "scenes": given.scenes,
        "seeds": seeds,
        "seconds": round(time.perf_counter() - began, 1),
    }
    finish("chaos", metrics, GOALS)


if __name__ == "__main__":
    main()
