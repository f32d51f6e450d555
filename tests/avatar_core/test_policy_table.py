"""The one table: what each category of failure means, by what the chain then does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from avatar_core.errors import Category
from avatar_core.policy.table import TABLE
from avatar_core.testing import ScriptedBackend, VirtualClock, by_ambition, deliver, fail
from support_policy import Stage, calls, of


@dataclass(frozen=True)
class Row:
    """What a user sees of a category, written down apart from the table."""

    retried: bool = False
    stepped_down: bool = False
    counted: bool = False
    closed: bool = False
    may_pass: bool = False


ROWS = {
    Category.AUTH: Row(closed=True),
    Category.QUOTA: Row(closed=True),
    Category.RATE_LIMIT: Row(retried=True, counted=True, may_pass=True),
    Category.INVALID_INPUT: Row(),
    Category.UNSUPPORTED: Row(),
    Category.TIMEOUT: Row(stepped_down=True, counted=True, may_pass=True),
    Category.CONNECTIVITY: Row(retried=True, counted=True, may_pass=True),
    Category.SERVER: Row(retried=True, stepped_down=True, counted=True, may_pass=True),
    Category.BAD_OUTPUT: Row(retried=True, stepped_down=True, counted=True, may_pass=True),
    Category.BACKEND_BUG: Row(counted=True),
}
each = pytest.mark.parametrize(("category", "row"), ROWS.items(), ids=[c.value for c in ROWS])


def test_every_category_has_its_row() -> None:
    assert set(TABLE) == set(ROWS) == set(Category)


@each
def test_it_is_asked_again_or_not(tmp_path: Path, category: Category, row: Row) -> None:
    colab = ScriptedBackend("colab", fail(category), deliver(), clock=VirtualClock())
    outcome = Stage(tmp_path, colab).scene()
    assert calls(colab) == (2 if row.retried else 1)
    assert outcome.clip.backend == ("colab" if row.retried else "static")


@each
def test_it_is_asked_for_less_or_not(tmp_path: Path, category: Category, row: Row) -> None:
    story = by_ambition({"full": fail(category)})
    colab = ScriptedBackend("colab", story, ladder=("full", "crop"), clock=VirtualClock())
    outcome = Stage(tmp_path, colab).scene()
    steps = [entry.step for entry in of(outcome, "colab")]
    if row.stepped_down:
        assert (steps, outcome.clip.backend) == ([0, 1], "colab")
    else:
        assert (set(steps), outcome.clip.backend) == ({0}, "static")


@each
def test_the_next_rung_delivers_after_it(tmp_path: Path, category: Category, row: Row) -> None:
    outcome = Stage(tmp_path, ScriptedBackend("colab", fail(category, "why"))).scene()
    failed = of(outcome, "colab")[-1]
    assert (outcome.clip.backend, outcome.degraded) == ("static", True)
    assert (failed.category, failed.message, failed.passing) == (category, "why", row.may_pass)
    assert failed.advice


@each
def test_it_opens_the_breaker_or_not(tmp_path: Path, category: Category, row: Row) -> None:
    clock = VirtualClock()
    colab = ScriptedBackend("colab", fail(category, "why"), deliver(), clock=clock)
    stage = Stage(tmp_path, colab, clock=clock, retry={"attempts": 1}, breaker={"failures": 1})
    stage.scene("s1")
    (entry, *_) = stage.scene("s2").trail
    assert entry.skipped == (row.counted or row.closed)
    assert ("left alone for another 15 s: why" in entry.message) == row.counted
    clock.advance(15)
    assert (stage.scene("s3").clip.backend == "colab") == (not row.closed)


@each
def test_it_closes_the_rung_for_the_run_or_not(
    tmp_path: Path, category: Category, row: Row
) -> None:
    clock = VirtualClock()
    colab = ScriptedBackend("colab", fail(category, "why"), deliver(), clock=clock)
    stage = Stage(tmp_path, colab, clock=clock, retry={"attempts": 1})
    stage.scene("s1")
    clock.advance(1e6)
    (entry, *_) = stage.scene("s2").trail
    assert entry.skipped == row.closed
    assert ("closed for this run: why" in entry.message) == row.closed
    assert calls(colab) == (1 if row.closed else 2)


@each
def test_a_failed_health_check_of_that_category_is_judged_by_the_same_row(
    tmp_path: Path, category: Category, row: Row
) -> None:
    from avatar_core.errors import AvatarError

    clock = VirtualClock()
    colab = ScriptedBackend("colab", health=AvatarError(category, "why"), clock=clock)
    stage = Stage(tmp_path, colab, clock=clock, breaker={"failures": 2})
    for number in range(6):
        stage.scene(f"s{number}")
        clock.advance(21)
    assert calls(colab) == 0
    if row.closed:
        assert colab.checks == 1
    elif row.counted:
        # The second one opened the breaker: for 15 s, then 30 s, then 60 s.
        assert colab.checks < 6
    else:
        assert colab.checks == 6
