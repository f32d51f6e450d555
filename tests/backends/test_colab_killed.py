"""A render that dies while Colab works for it: the next one goes on with the same job."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from renderer.renderer import SmartVideoRenderer
from support_cli import environment
from support_colab import Service, address, serving
from support_films import film_of_tones
from support_paid_driver import start

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL, as on POSIX")

NOTED = r"^os\.rename .*journal"
# What was done right before the process killed itself: see `support_paid_driver`.
MOMENTS = {
    "when the order has arrived and its name is not written down": [NOTED, r"^open .*job\.json"],
    "while the job is waited for": [NOTED, NOTED, r"^socket\.connect"],
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_started_again_there_is_one_job_on_the_server(
    moment: str, tmp_path: Path
) -> None:
    service = Service(polls=0)
    with serving(service) as server:
        dies(tmp_path, address(server.url), MOMENTS[moment])
        assert len(service.jobs) == 1
        overrides = {"backends.colab.url": address(server.url), "report": False,
                     "cache_dir": str(tmp_path / "cache")}  # fmt: skip
        with SmartVideoRenderer("colab", overrides=overrides) as renderer:
            result = renderer.render(film_of_tones(tmp_path, 1), tmp_path / "out" / "film.mp4")
        orders = server.count("POST", "/v1/jobs")
    (scene,) = result.scenes
    assert (scene.backend, scene.trail[-1].resumed) == ("colab", True)
    assert (service.seen(), orders) == ({"done": 1}, 1)
    assert list((tmp_path / "cache").glob("v*/journal/**/*.json")) == []


def dies(folder: Path, url: str, moments: list[str]) -> None:
    """Render in a process of its own that kills itself."""
    film = film_of_tones(folder, 1)
    script = folder / "film.json"
    script.write_text(film.model_dump_json(exclude_none=True), encoding="utf-8")
    (folder / "out").mkdir()
    settings = {"AVATAR_BACKEND": "colab", "COLAB_API_URL": url, "AVATAR_REPORT": "false"}
    env = environment(folder, settings)
    env["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent.parent), *_path()])
    process = start(script, folder / "out" / "film.mp4", "--kill", *moments, env=env, cwd=folder)
    _, said = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL, said


def _path() -> list[str]:
    return [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
