"""The server killed with SIGKILL, as a program of its own, and started again."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from support_serve import Client, Program

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL is what systems like Unix have")


def fetched(client: Client, job: str) -> str:
    return hashlib.sha256(client("GET", f"/v1/jobs/{job}/video").content).hexdigest()


def test_a_server_killed_mid_job_loses_nothing(tmp_path: Path) -> None:
    with Program(tmp_path) as program:
        client = program.start()
        program.release()
        finished = client.ended(client.submit("finished").json()["id"])
        program.hold.touch()
        running, waiting = (client.submit(key).json()["id"] for key in ("running", "waiting"))
        while client.job(running, wait=5)["stage"] != "load":
            pass
        program.kill()
        client = program.start()
        assert fetched(client, finished["id"]) == finished["video"]["sha256"]
        assert client.job(waiting)["position"] in (1, 2)
        # A client that had no answer asks by its key, or sends the same again.
        (found,) = client("GET", "/v1/jobs", params={"key": "running"}).json()["jobs"]
        again = client.submit("running")
        assert (again.status_code, again.json()["id"], found["id"]) == (200, running, running)
        program.release()
        for job in (running, waiting):
            done = client.ended(job)
            assert done["state"] == "done"
            assert fetched(client, job) == done["video"]["sha256"]
