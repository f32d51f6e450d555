"""The store is kept small: by age and by size, never from under a render, never what is paid."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from avatar_core.backend import AvatarClip, Cost, Size
from avatar_core.journal import JobRecord
from renderer.clip_cache import StoredClips
from renderer.journal import StoredJournal
from renderer.pruning import Kept, Pruned, prune, survey, waiting_jobs
from renderer.store import Artifact, Store

DAY = 86400.0
NOW = time.time()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def kept(store: Store, key: str, days: float, size: int = 1000, kind: str = "speech") -> Artifact:
    """An artifact of ``size`` bytes (with its note) that was last used so many days ago."""

    def build(target: Path, work: Path) -> dict[str, Any]:
        target.write_bytes(b"x" * size)
        return {}

    made = store.make(kind, key, ".wav", build)
    return aged(made, days)


def aged(made: Artifact, days: float) -> Artifact:
    then = NOW - days * DAY
    for path in (made.path, made.path.with_suffix(".json")):
        os.utime(path, (then, then))
    return made


def paid_clip(store: Store, key: str, days: float) -> AvatarClip:
    with store.work_dir() as work:
        source = work / "clip.mp4"
        source.write_bytes(b"clip")
        clip = AvatarClip(source, Size(64, 64), 30.0, 1.0, "did", cost=Cost(Decimal("0.5")))
        clip = StoredClips(store).keep(key, clip)
    aged(Artifact(clip.path), days)
    return clip


def keys(entries: tuple[Kept, ...]) -> list[str]:
    return [one.note.stem if one.note else "-" for one in entries]


def closed(store: Store) -> None:
    """As if its process had ended."""
    store._home_lock.release(force=True)


def test_what_was_not_used_for_long_goes_and_the_rest_stays(store: Store) -> None:
    old, young = kept(store, "aa11", 40), kept(store, "bb22", 3)
    done = prune(store, unused_since=NOW - 30 * DAY)
    assert (keys(done.removed), keys(done.left)) == (["aa11"], ["bb22"])
    assert not old.path.exists() and not old.path.with_suffix(".json").exists()
    assert young.path.exists() and store.find("speech", "aa11") is None


def test_what_is_found_counts_as_used(store: Store) -> None:
    kept(store, "aa11", 40)
    assert store.find("speech", "aa11") is not None
    assert prune(store, unused_since=NOW - 30 * DAY).removed == ()


def test_the_longest_unused_go_until_it_is_small_enough(store: Store) -> None:
    for number, days in enumerate((1, 4, 2, 3)):
        kept(store, f"k{number}aa", days)
    one = survey(store)[0].size
    done = prune(store, most_bytes=2 * one)
    assert keys(done.removed) == ["k1aa", "k3aa"]
    assert sum(entry.size for entry in done.left) == 2 * one
    assert prune(store, most_bytes=2 * one).removed == ()


def test_without_a_limit_all_goes_that_was_not_paid(store: Store) -> None:
    kept(store, "aa11", 0)
    clip = paid_clip(store, "bb22", 400)
    done = prune(store)
    assert (keys(done.removed), keys(done.paid)) == (["aa11"], ["bb22"])
    assert clip.path.exists()
    assert keys(prune(store, paid=True).removed) == ["bb22"]
    assert not clip.path.exists() and survey(store) == []


def test_the_journal_of_paid_jobs_outlives_everything(store: Store) -> None:
    journal = StoredJournal(store)
    record = JobRecord("ab" * 8, "did", "av-1", "running", 0.0, "job-1", Cost(Decimal("0.5")))
    journal.write(record)
    prune(store, paid=True)
    assert waiting_jobs(store) == [record]


def test_a_trial_removes_nothing(store: Store) -> None:
    made = kept(store, "aa11", 40)
    assert keys(prune(store, dry=True).removed) == ["aa11"]
    assert made.path.exists() and store.find("speech", "aa11") is not None


def test_what_a_running_process_may_use_stays_and_is_told(store: Store, tmp_path: Path) -> None:
    old, used = kept(store, "aa11", 40), kept(store, "bb22", 40)
    other = Store(tmp_path / "cache")
    assert other.find("speech", "bb22") is not None
    done = prune(store)
    assert (keys(done.removed), keys(done.in_use)) == (["aa11"], ["bb22"])
    assert used.path.exists() and not old.path.exists()
    closed(other)
    assert keys(prune(store).removed) == ["bb22"]


def test_under_a_process_of_an_older_version_nothing_is_taken_away(store: Store) -> None:
    import filelock

    home = store.root / "tmp" / "oldname"
    home.mkdir()
    with filelock.FileLock(home / "owner.lock"):
        assert store.others_since() == -math.inf
        kept(store, "aa11", 40)
        assert keys(prune(store).in_use) == ["aa11"]
    assert store.others_since() == math.inf


def test_an_artifact_that_is_found_in_the_last_moment_stays(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process finds it between the look at its age and its removal."""
    made = kept(store, "aa11", 40)
    replace, finds = os.replace, list[bool]()

    def found_first(source: Any, target: Any) -> None:
        if not finds:
            finds.append(store.find("speech", "aa11") is not None)
        replace(source, target)

    monkeypatch.setattr(os, "replace", found_first)
    done = prune(store)
    assert (finds, keys(done.in_use), done.removed) == ([True], ["aa11"], ())
    assert made.path.exists() and store.find("speech", "aa11") is not None


def test_an_artifact_that_is_made_anew_while_the_old_one_goes_stays(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process finds no note any more and is done before the old file has gone."""
    made = kept(store, "aa11", 40)
    replace, remade = os.replace, list[Path]()

    def made_anew(source: Any, target: Any) -> None:
        if Path(source) == made.path and not remade:
            remade.append(kept(store, "aa11", 0, size=77).path)
        replace(source, target)

    monkeypatch.setattr(os, "replace", made_anew)
    assert prune(store).removed == ()
    found = store.find("speech", "aa11")
    assert found is not None and found.path.stat().st_size == 77


def test_a_file_that_a_killed_process_left_without_a_note_goes_too(store: Store) -> None:
    orphan = kept(store, "aa11", 40)
    orphan.path.with_suffix(".json").unlink()
    fresh = kept(store, "bb22", 0)
    fresh.path.with_suffix(".json").unlink()
    os.utime(fresh.path)
    prune(store, unused_since=NOW - DAY)
    assert not orphan.path.exists() and fresh.path.exists()


@pytest.mark.parametrize("note", ["{", "[]", '{"file": 3}', '{"file": "../../x", "bytes": 1}'])
def test_a_note_that_cannot_be_read_is_cleared_away_and_leads_nowhere(
    store: Store, note: str
) -> None:
    made = kept(store, "aa11", 40)
    outside = store.root / "speech" / "x"
    outside.write_bytes(b"not yours")
    made.path.with_suffix(".json").write_text(note)
    os.utime(made.path.with_suffix(".json"), (NOW - 40 * DAY, NOW - 40 * DAY))
    prune(store)
    assert survey(store) == [] and outside.exists()


@pytest.mark.parametrize(
    "act", [lambda store: prune(store), lambda store: prune(store, most_bytes=0)]
)
def test_an_empty_store_is_no_trouble(store: Store, act: Callable[[Store], Pruned]) -> None:
    assert act(store) == Pruned((), (), (), ())
