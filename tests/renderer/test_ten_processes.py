"""Ten processes on one store: nothing is torn, and nothing is made or paid for twice."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from renderer.script.models import VideoScript
from renderer.store import Store
from support_films import film_of_tones
from support_paid_driver import be_a_user, start
from support_paid_films import frames_of, half_written, journal
from support_paid_service import Account, PaidService, Payment, running_service
from support_processes import Process

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL")

PROCESSES = 10
SCENES = 5
NEVER = 1_000_000


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaidService]:
    with running_service(tmp_path_factory.mktemp("service")) as running:
        yield running


def test_ten_processes_make_one_film_once(service: PaidService, tmp_path: Path) -> None:
    account = service.account("ten")
    env = be_a_user(account, tmp_path)
    script = written(tmp_path / "film.json", film_of_tones(tmp_path, SCENES))
    # Four of them even want the same file.
    names = [f"film{max(0, number - 3)}.mp4" for number in range(PROCESSES)]
    running = [
        start(script, tmp_path / "out" / name, *watched(tmp_path), env=env, cwd=tmp_path)
        for name in names
    ]
    for process in running:
        assert succeeded(process) == ["paid"] * SCENES
    assert account.paid == [1] * SCENES
    assert made_twice(tmp_path) == []
    films = {tmp_path / "out" / name for name in names}
    assert len({hashlib.sha256(film.read_bytes()).digest() for film in films}) == 1
    assert frames_of(films.pop()) > 0
    assert (half_written(tmp_path), journal(tmp_path / "cache")) == ([], [])


def test_overlapping_films_share_their_scenes_though_one_process_is_killed(
    service: PaidService, tmp_path: Path
) -> None:
    account = service.account("overlapping", polls=NEVER)
    env = be_a_user(account, tmp_path)
    whole = film_of_tones(tmp_path, SCENES)
    films = [whole.scenes[first : first + 3] for first in range(SCENES - 2)]
    scripts = [
        written(tmp_path / f"film{i}.json", whole.model_copy(update={"scenes": scenes}))
        for i, scenes in enumerate(films)
    ]
    outputs = [tmp_path / "out" / f"film{number}.mp4" for number in range(PROCESSES)]
    running = [
        start(scripts[i % len(films)], output, *watched(tmp_path), env=env, cwd=tmp_path)
        for i, output in enumerate(outputs)
    ]
    # It dies with a job that it has paid, while others wait for the same scene or pay another.
    payer = int(wait_for_payments(account, 2)[0].pid)
    doomed = next(i for i, process in enumerate(running) if process.pid == payer)
    running[doomed].kill()
    account.has(polls=2)
    assert running[doomed].wait(60) == -signal.SIGKILL
    alive = [i for i in range(PROCESSES) if i != doomed]
    assert [succeeded(running[i]) for i in alive] == [["paid"] * 3] * len(alive)
    running[doomed].communicate()
    assert account.paid == [1] * SCENES
    assert made_twice(tmp_path) == []
    assert all(frames_of(outputs[i]) > 0 for i in alive)
    # What the dead one had begun is cleared by whoever comes next.
    Store(tmp_path / "cache")
    assert (half_written(tmp_path), journal(tmp_path / "cache")) == ([], [])


def written(path: Path, film: VideoScript) -> Path:
    path.write_text(film.model_dump_json(exclude_none=True), encoding="utf-8")
    return path


def wait_for_payments(account: Account, count: int) -> list[Payment]:
    until = time.monotonic() + 120
    while len(account.payments) < count:
        assert time.monotonic() < until
        time.sleep(0.02)
    return account.payments


def watched(folder: Path) -> list[str]:
    return ["--watch", str(folder / "made.log")]


def made_twice(folder: Path) -> list[str]:
    """Artifacts that were put into the store more than once; a film is, for each of its files."""
    made = Counter((folder / "made.log").read_text(encoding="utf-8").splitlines())
    assert len(made) > SCENES
    return [name for name, count in made.items() if count > 1 and not name.startswith("film/")]


def succeeded(process: Process) -> list[str]:
    """Who made the scenes."""
    printed, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return printed.split()
