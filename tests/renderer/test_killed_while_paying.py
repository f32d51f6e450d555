"""A process that dies at any point of a paid job: the next one finishes the film, and nobody pays
twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support_films import film_of_tones
from support_paid_driver import be_a_user, start
from support_paid_films import by_paid, frames_of, half_written, journal, render_paid
from support_paid_service import Account, Fault, PaidService, running_service
from support_processes import Process

pytestmark = pytest.mark.skipif(
    os.name != "posix", reason="SIGKILL, and signals that are sent as on POSIX"
)

DRAFTED = r"^open .*job\.json"
NOTED = r"^os\.rename .*journal"
SCENES = 2
# Where the process kills itself: see `support_paid_driver`. In the order of a job's life.
BY_ITSELF = {
    "before the order is written down": [DRAFTED],
    "while the order is written down": [NOTED],
    "before the order is sent": [NOTED, r"^socket\.connect"],
    "before the job's name is written down": [NOTED, DRAFTED],
    "while the job's name is written down": [NOTED, NOTED],
    "before the job is looked at": [NOTED, NOTED, r"^socket\.connect"],
    "before the fetched clip has its name": [r"^os\.rename .*\.part.*clip\.mp4"],
    "before the clip is checked": [r"^paid\.fetched"],
    "before the clip is moved to the store": [r"^os\.rename .*clip\.mp4.*artifact\.mp4"],
    "before the clip is put into its place": [r"^os\.rename .*artifact\.mp4.*avatar"],
    "before the clip is noted": [r"^os\.rename .*note\.json.*avatar"],
    "before the journal forgets the job": [r"^os\.remove .*journal.*\.json'"],
    "before the scene is composed": [r"^os\.remove .*journal.*\.json'", r"^tempfile\.mkdtemp"],
    "before the segment is noted": [r"^os\.rename .*note\.json.*segment"],
}
# Where the service kills its client.
BY_THE_SERVICE = {
    "when the order has arrived and is dropped": Fault("create", "kill", times=1),
    "when the order has arrived and is carried out": Fault("create", "kill", "during", times=1),
    "when the order is paid and not answered": Fault("create", "kill", "after", times=1),
    "while the job is waited for": Fault("look", "kill", times=1, after=1),
    "when the clip is asked for": Fault("fetch", "kill", times=1),
    "in the middle of the download": Fault("fetch", "kill_in_the_middle", times=1),
    "before the last byte of the download": Fault("fetch", "kill_at_the_end", times=1),
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaidService]:
    with running_service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.mark.parametrize("moment", BY_ITSELF)
def test_killed(service: PaidService, moment: str, tmp_path: Path) -> None:
    account = service.account("killed")
    killed_once(account, tmp_path, "--kill", *BY_ITSELF[moment])
    finished(account, tmp_path)


@pytest.mark.parametrize("moment", BY_THE_SERVICE)
def test_killed_by_the_service(service: PaidService, moment: str, tmp_path: Path) -> None:
    account = service.account("killed", BY_THE_SERVICE[moment])
    killed_once(account, tmp_path)
    finished(account, tmp_path)


def test_killed_again_and_again_it_still_pays_once(service: PaidService, tmp_path: Path) -> None:
    account = service.account("killed", Fault("look", "kill", times=1))
    env = be_a_user(account, tmp_path)
    script = written_film(tmp_path)
    for moments in (BY_ITSELF["before the order is sent"], [], [r"^paid\.fetched"]):
        kill = ["--kill", *moments] if moments else []
        dies(start(script, tmp_path / "out" / "film.mp4", *kill, env=env, cwd=tmp_path))
        assert len(account.payments) <= SCENES
    finished(account, tmp_path)


def test_killed_under_the_command_line_it_goes_on_with_the_same_command(
    service: PaidService, tmp_path: Path
) -> None:
    account = service.account("killed", Fault("create", "kill", "after", times=1))
    env = be_a_user(account, tmp_path)
    written_film(tmp_path)
    dies(avatar_render(env, tmp_path))
    again = avatar_render(env, tmp_path)
    printed, said = again.communicate(timeout=300)
    assert again.returncode == 0, said
    assert "paid" in printed + said
    # The render that paid could not tell it any more.
    assert "Cost: 0.50 USD" in printed + said
    finished(account, tmp_path)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_stopped_by_the_user_the_job_is_stopped_once_and_gone_on_with(
    service: PaidService, name: str, tmp_path: Path
) -> None:
    account = service.account("stopped", polls=1_000_000)
    env = be_a_user(account, tmp_path)
    written_film(tmp_path)
    process = avatar_render(env, tmp_path)
    wait_for(lambda: account.requests["look"] >= 3, process)
    process.send_signal(getattr(signal, name))
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130, said
    assert "Cancelled" in said
    assert (account.stops, account.paid) == ([1], [1])
    assert half_written(tmp_path) == []
    account.has(polls=2)
    finished(account, tmp_path)
    assert account.stops == [1, 0]


def test_stopped_before_the_answer_the_job_is_found_again(
    service: PaidService, tmp_path: Path
) -> None:
    account = service.account("stopped", Fault("create", "silent", "after", times=1))
    env = be_a_user(account, tmp_path)
    written_film(tmp_path)
    process = avatar_render(env, tmp_path)
    wait_for(lambda: account.paid == [1], process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130, said
    # Nobody knows its name yet, so nobody could stop it.
    assert account.stops == [0]
    finished(account, tmp_path)


def killed_once(account: Account, folder: Path, *kill: str) -> None:
    env = be_a_user(account, folder)
    script = written_film(folder)
    dies(start(script, folder / "out" / "film.mp4", *kill, env=env, cwd=folder))
    assert not (folder / "out" / "film.mp4").exists()
    assert len(account.payments) <= SCENES


def finished(account: Account, folder: Path) -> None:
    """A new run, in which nothing is broken any more."""
    film = film_of_tones(folder, SCENES)
    result = render_paid(account, film, folder)
    assert by_paid(result) == [True] * SCENES, [scene.trail for scene in result.scenes]
    assert account.paid == [1] * SCENES
    assert frames_of(result.path) > 0
    assert (half_written(folder), journal(folder / "cache")) == ([], [])


def written_film(folder: Path) -> Path:
    script = folder / "film.json"
    film = film_of_tones(folder, SCENES)
    script.write_text(film.model_dump_json(exclude_none=True), encoding="utf-8")
    return script


def avatar_render(env: dict[str, str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "renderer", "render", "film.json", "-o", "out/film.mp4"],
        env=env,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def dies(process: subprocess.Popen[str] | Process) -> None:
    _, said = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL, (process.returncode, said)


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 120
    while not condition():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.02)
