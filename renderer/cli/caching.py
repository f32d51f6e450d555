"""`avatar cache`: what the cache holds, and how it is made smaller."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avatar_core.errors import InputError
from renderer.cli import streams
from renderer.cli.json_lines import json_output
from renderer.cli.streams import printable

if TYPE_CHECKING:
    from avatar_core.backend import Cost
    from renderer.pruning import Kept, Pruned
    from renderer.store import Store

_SECONDS = {"h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
_BYTES = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_NAMES = {
    "speech": "narration",
    "avatar": "presenters",
    "segment": "scenes",
    "join": "transitions",
    "sound": "sound",
    "film": "notes on films",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """``action`` is info, prune or clear; ``older_than`` as ``30d``, ``max_size`` as ``2G``."""

    action: str
    older_than: str | None = None
    max_size: str | None = None
    paid: bool = False
    dry: bool = False
    config: Path | None = None


def manage_cache(wish: Wish, *, as_json: bool) -> None:
    """Do it and say what was done; raises `InputError`, `EnvironmentFault`."""
    if as_json:
        with json_output() as lines:
            store, done = _do(wish)
            lines.write(_as_json(store, done))
        return
    store, done = _do(wish)
    _show(store, done, wish)


def _do(wish: Wish) -> tuple[Store, Pruned]:
    from avatar_core.settings import load_settings
    from renderer.pruning import Pruned, prune, survey
    from renderer.store import Store, default_cache_dir

    age = None if wish.older_than is None else _age(wish.older_than)
    size = None if wish.max_size is None else _size(wish.max_size)
    limited = age is not None or size is not None
    if wish.action != "prune" and limited:
        raise InputError(
            f"avatar cache {wish.action} takes no limit.",
            advice="Write avatar cache prune with it.",
        )
    if wish.action == "prune" and not limited:
        raise InputError(
            "What is to go is not said.",
            advice="Add --older-than 30d, --max-size 2G, or both; avatar cache clear removes all.",
        )
    store = Store(load_settings(config=wish.config).settings.cache_dir or default_cache_dir())
    if wish.action == "info":
        return store, Pruned((), (), (), tuple(survey(store)))
    since = None if age is None else time.time() - age
    return store, prune(store, unused_since=since, most_bytes=size, paid=wish.paid, dry=wish.dry)


def _age(text: str) -> float:
    """Seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([hdw])", text.strip().lower())
    if found is None:
        raise InputError(
            f"{text!r} is no age.", key="--older-than", advice="Write hours, days or weeks: 30d"
        )
    return float(found[1]) * _SECONDS[found[2]]


def _size(text: str) -> int:
    """Bytes."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:I?B)?", text.strip().upper())
    if found is None:
        raise InputError(
            f"{text!r} is no size.", key="--max-size", advice="Write it as 500M or 2G."
        )
    return int(float(found[1]) * _BYTES[found[2]])


def _show(store: Store, done: Pruned, wish: Wish) -> None:
    console = streams.out()
    if wish.action == "info":
        console.print(printable(store.root.parent), soft_wrap=True)
        if done.left:
            console.print(_table(done.left), soft_wrap=False)
    for sentence in _sentences(store, done, wish):
        console.print(printable(sentence), soft_wrap=True)


def _sentences(store: Store, done: Pruned, wish: Wish) -> Iterable[str]:
    if wish.action != "info":
        verb = "Would be removed" if wish.dry else "Removed"
        yield f"{verb}: {_amount(done.removed)}. Left: {_amount(done.left)}."
    elif not done.left:
        yield "The cache is empty."
    if done.in_use:
        yield f"Kept, as a process that runs now may use them: {_amount(done.in_use)}."
    if done.paid:
        costs = _sums(one.cost for one in done.paid)
        yield (
            f"Kept, as they were paid for: {_amount(done.paid)}, {costs}. A film that needs them "
            "would pay again; --paid removes them as well."
        )
    waiting = _waiting(store)
    if waiting:
        jobs = f"{len(waiting)}, {_sums(waiting)}"
        yield f"Paid jobs that a render can still fetch: {jobs}. They stay."


def _waiting(store: Store) -> list[Cost]:
    from renderer.pruning import waiting_jobs

    return [record.cost for record in waiting_jobs(store) if record.cost.amount]


def _table(entries: Sequence[Kept]) -> Any:
    from rich.table import Table

    table = Table()
    for column in ("What", "How many", "Size", "Last used"):
        table.add_column(column, justify="right" if column in ("How many", "Size") else "left")
    for name, some in _by_name(entries).items():
        table.add_row(name, str(len(some)), _told(sum(e.size for e in some)), _span(some))
    table.add_section()
    table.add_row("all", str(len(entries)), _told(sum(e.size for e in entries)), "")
    return table


def _by_name(entries: Sequence[Kept]) -> dict[str, list[Kept]]:
    found: dict[str, list[Kept]] = {}
    for one in entries:
        name = _NAMES.get(one.kind, one.kind)
        found.setdefault(f"{name}, paid" if one.is_paid else name, []).append(one)
    return dict(sorted(found.items()))


def _span(entries: Sequence[Kept]) -> str:
    first, last = (_date(pick(one.used for one in entries)) for pick in (min, max))
    return first if first == last else f"{first} to {last}"


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d")


def _amount(entries: Sequence[Kept]) -> str:
    return f"{len(entries)} ({_told(sum(one.size for one in entries))})"


def _told(size: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _sums(costs: Iterable[Cost]) -> str:
    from renderer.planning.prices import add_up
    from renderer.report.words import price

    return price(add_up(costs))


def _as_json(store: Store, done: Pruned) -> dict[str, Any]:
    def some(entries: Sequence[Kept]) -> dict[str, int]:
        return {"count": len(entries), "bytes": sum(one.size for one in entries)}

    kinds = sorted({one.kind for one in done.left})
    waiting = _waiting(store)
    return {
        "event": "cache",
        "folder": str(store.root.parent),
        **some(done.left),
        "kinds": {kind: some([e for e in done.left if e.kind == kind]) for kind in kinds},
        "paid": some([one for one in done.left if one.is_paid]),
        "removed": some(done.removed),
        "in_use": some(done.in_use),
        "kept_because_paid": some(done.paid),
        "paid_jobs_waiting": len(waiting),
    }
