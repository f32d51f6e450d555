"""A process that dies at any point of a talk, and two at once: each scene is paid once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support_did_behaviour import NEVER
from support_did_films import be_a_user, by_did, film, render_did, rendering
from support_did_service import DidService
from support_paid_films import frames_of, half_written, journal
from support_processes import Process

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL")

# What a process is about to do when it kills itself, see `support_paid_driver`.
DRAFTED = r"^open .*job\.json"
NOTED = r"^os\.rename .*journal"
# Where the service kills its client: the arguments of `DidService.fail`. What can happen to any
# paid backend is in test_killed_while_paying.py; here it is what D-ID must be asked afterwards.
BY_THE_SERVICE: dict[str, tuple[str, dict[str, Any]]] = {
    "when the order is paid and not answered": ("POST /talks", {"after_making": True}),
    "while the talk is waited for": ("GET /talks/{id}", {"after": 1}),
}
SOON = 0.05


@pytest.fixture
def service() -> Iterator[DidService]:
    # However slow this machine is: a talk is not ready before whoever ordered it is dead.
    with DidService(rendering_seconds=NEVER) as running:
        yield running
    assert running.violations == []


def test_killed_before_the_name_of_the_talk_is_written_down(
    service: DidService, tmp_path: Path
) -> None:
    env, script = be_a_user(service, tmp_path, 1)
    with rendering(env, script, "--kill", NOTED, DRAFTED) as process:
        dies(process)
    finished(service, tmp_path)


@pytest.mark.parametrize("moment", BY_THE_SERVICE)
def test_killed_by_the_service(service: DidService, moment: str, tmp_path: Path) -> None:
    route, fault = BY_THE_SERVICE[moment]
    victims: list[Process] = []
    service.fail(route, run=lambda: killed(victims), **fault)
    env, script = be_a_user(service, tmp_path, 1)
    with rendering(env, script) as process:
        victims.append(process)
        dies(process)
    finished(service, tmp_path)


def test_two_processes_that_render_one_film_pay_each_scene_once(
    service: DidService, tmp_path: Path
) -> None:
    service.rendering_seconds = SOON
    env, script = be_a_user(service, tmp_path, 2)
    with rendering(env, script) as one, rendering(env, script, target="too.mp4") as other:
        assert [succeeded(process) for process in (one, other)] == [["did"] * 2] * 2
    assert service.ledger.paid == [1] * 2
    films = [(tmp_path / "out" / name).read_bytes() for name in ("film.mp4", "too.mp4")]
    assert films[0] == films[1]
    assert (half_written(tmp_path), journal(tmp_path / "cache")) == ([], [])


def finished(service: DidService, folder: Path) -> None:
    """A new run, in which nothing is broken any more."""
    assert not (folder / "out" / "film.mp4").exists()
    assert len(service.ledger.talks) <= 1
    service.heal()
    service.rendering_seconds = SOON
    result = render_did(service, film(folder, 1), folder)
    assert by_did(result) == [True], result.scenes[0].trail
    assert service.ledger.paid == [1]
    assert frames_of(result.path) > 0
    assert (half_written(folder), journal(folder / "cache")) == ([], [])


def killed(victims: list[Process]) -> None:
    """Dead before anything is sent to it any more."""
    victims[0].kill()
    victims[0].wait()


def dies(process: Process) -> None:
    _, said = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL, (process.returncode, said)


def succeeded(process: Process) -> list[str]:
    """Who made the scenes."""
    printed, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return printed.split()
