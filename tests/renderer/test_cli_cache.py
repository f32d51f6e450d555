"""`avatar cache`: says what is there, and what went, stayed and why."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path

import pytest

from avatar_core.backend import AvatarClip, Cost, Size
from avatar_core.journal import JobRecord
from renderer.clip_cache import StoredClips
from renderer.journal import StoredJournal
from renderer.store import Store
from support_cli import Here

HALF = Cost(Decimal("0.5"))
# The same day nearly everywhere.
NOON = 10.5 * 86400


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    return Here(monkeypatch, capsys)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An old narration, a clip that was paid for, and a paid job that waits."""
    store = Store(tmp_path / "cache")
    with store.work_dir() as work:
        for name in ("speech.wav", "clip.mp4"):
            (work / name).write_bytes(b"x" * 2000)
        spoken = store.put("speech", "aa11", work / "speech.wav", {})
        clip = AvatarClip(work / "clip.mp4", Size(64, 64), 30.0, 1.0, "did", cost=HALF)
        clip = StoredClips(store).keep("bb22", clip)
    for path in (spoken.path, clip.path):
        os.utime(path.with_suffix(".json"), (NOON, NOON))
    StoredJournal(store).write(JobRecord("ab" * 8, "did", "av-1", "running", 0.0, "job-1", HALF))
    # Its process has ended.
    store._home_lock.release(force=True)
    return store


def test_it_says_what_is_there(here: Here, store: Store, tmp_path: Path) -> None:
    done = here("cache", cwd=tmp_path)
    assert done.returncode == 0
    for told in ("narration", "presenters, paid", "4 KiB", "1970-01-11", str(tmp_path / "cache")):
        assert told in done.stdout
    assert "Paid jobs that a render can still fetch: 1, 0.50 USD. They stay." in done.stdout


def test_what_goes_and_what_stays_is_told_with_the_reason(
    here: Here, store: Store, tmp_path: Path
) -> None:
    trial = here("cache", "prune", "--older-than", "30d", "--dry-run", cwd=tmp_path)
    assert "Would be removed: 1 (2 KiB). Left: 1 (2 KiB)." in trial.stdout
    done = here("cache", "prune", "--older-than", "30d", cwd=tmp_path)
    assert "Removed: 1 (2 KiB). Left: 1 (2 KiB)." in done.stdout
    assert "Kept, as they were paid for: 1 (2 KiB), 0.50 USD." in done.stdout
    again = here("cache", "prune", "--max-size", "1K", "--paid", cwd=tmp_path)
    assert "Removed: 1 (2 KiB). Left: 0 (0 B)." in again.stdout
    assert "Paid jobs that a render can still fetch: 1" in again.stdout


def test_a_program_reads_it_as_one_object(here: Here, store: Store, tmp_path: Path) -> None:
    told = json.loads(here("cache", "clear", "--json", cwd=tmp_path).stdout)
    assert (told["event"], told["removed"]["count"], told["count"]) == ("cache", 1, 1)
    assert (told["kept_because_paid"]["count"], told["paid_jobs_waiting"]) == (1, 1)
    assert list(told["kinds"]) == ["avatar"]


def test_beside_a_running_process_what_it_may_use_stays(
    here: Here, store: Store, tmp_path: Path
) -> None:
    running = Store(tmp_path / "cache")
    assert running.find("speech", "aa11") is not None
    done = here("cache", "clear", cwd=tmp_path)
    assert "Kept, as a process that runs now may use them: 1 (2 KiB)." in done.stdout
    assert running.find("speech", "aa11") is not None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["prune"], "Add --older-than 30d, --max-size 2G, or both"),
        (["clear", "--older-than", "3d"], "avatar cache clear takes no limit."),
        (["prune", "--older-than", "soon"], "--older-than: 'soon' is no age."),
        (["prune", "--max-size", "-1G"], "--max-size: '-1G' is no size."),
        (["burn"], "prune"),
    ],
)
def test_a_wish_that_is_not_understood_is_told_and_removes_nothing(
    here: Here, store: Store, tmp_path: Path, arguments: list[str], told: str
) -> None:
    done = here("cache", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and told in done.stderr
    assert store.find("speech", "aa11") is not None


@pytest.mark.parametrize(("text", "size"), [("2000", 2000), ("2k", 2048), ("1.5 GiB", 1610612736)])
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    from renderer.cli.caching import _size

    assert _size(text) == size
