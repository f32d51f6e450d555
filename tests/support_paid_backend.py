"""A third party's plugin: the backend ``paid`` for the service of `support_paid_service`."""

from __future__ import annotations

import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from avatar_core import hookimpl
from avatar_core.backend import (
    AvatarBackend,
    AvatarClip,
    AvatarRequest,
    Capabilities,
    Cost,
    Health,
    Job,
)
from avatar_core.clock import Clock
from avatar_core.errors import AvatarError, Category
from avatar_core.http import HttpClient

PRICE = Cost(Decimal("0.25"))
_CANNOT_LIST = (404, 405)


class PaidOptions(BaseModel):
    """Where the service is does not change the picture, so it is left out of the cache key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(default="", exclude=True)
    token: SecretStr = SecretStr("")
    poll: float = Field(default=0.01, exclude=True)


class PaidServiceBackend(AvatarBackend):
    """Upload, order, wait, fetch. The header with the process's id lets the service kill it."""

    name = "paid"
    capabilities = Capabilities(needs_network=True, uploads=True, costs_money=True)
    Options = PaidOptions

    def __init__(self, options: BaseModel | None = None, clock: Clock | None = None) -> None:
        super().__init__(options)
        assert isinstance(self.options, PaidOptions)
        self._poll = self.options.poll
        self._http = HttpClient(
            self.options.url,
            auth=SecretStr(f"Bearer {self.options.token.get_secret_value()}"),
            headers={"X-Client-Pid": str(os.getpid())},
            name="Paid",
            clock=clock,
        )

    def check(self) -> Health:
        credits = self._http.request("GET", "/me", seconds=60).fields()["credits"]
        return Health(True, f"{credits} credits left")

    def estimate(self, request: AvatarRequest) -> Cost:
        del request
        return PRICE

    def generate(self, request: AvatarRequest, job: Job) -> AvatarClip:
        if job.remote_id is None:
            sent = self._upload(request, job)
            reference = job.order()
            job.remote_id = self._create(request, job, {**sent, "reference": reference})
        result = self._result(job, job.remote_id)
        target = job.work_dir / "clip.mp4"
        self._http.download(result, target, **_limits(job))
        # Nothing else happens between here and the validation: a place to be killed at.
        sys.audit("paid.fetched", str(target))
        return AvatarClip(
            target, request.size, request.fps, request.duration, self.name, cost=PRICE
        )

    def find(self, request: AvatarRequest, reference: str) -> str | None:
        del request
        answer = self._http.request(
            "GET", "/jobs", params={"reference": reference}, accept=_CANNOT_LIST, seconds=60
        )
        if answer.status in _CANNOT_LIST:
            raise AvatarError(Category.UNSUPPORTED, "Paid does not list jobs for this account.")
        found = answer.fields()["jobs"]
        return str(found[0]) if found else None

    def cancel(self, remote_id: str) -> None:
        self._http.request("DELETE", f"/jobs/{remote_id}", seconds=60)

    def close(self) -> None:
        self._http.close()

    def _upload(self, request: AvatarRequest, job: Job) -> dict[str, str]:
        sent = {"audio": self._send(request.audio, job)}
        if request.portrait is not None:
            sent["portrait"] = self._send(request.portrait, job)
        return sent

    def _send(self, file: Path, job: Job) -> str:
        answer = self._http.request("POST", "/uploads", data=file.read_bytes(), **_limits(job))
        return str(answer.fields()["id"])

    def _create(self, request: AvatarRequest, job: Job, sent: dict[str, str]) -> str:
        wish = {
            **sent,
            "seconds": request.duration,
            "size": list(request.size),
            "fps": request.fps,
        }
        answer = self._http.request("POST", "/jobs", json=wish, order=True, **_limits(job))
        return str(answer.fields()["id"])

    def _result(self, job: Job, remote_id: str) -> str:
        """Where the finished clip is."""
        while True:
            answer = self._http.request("GET", f"/jobs/{remote_id}", accept=(404,), **_limits(job))
            if answer.status == 404:
                job.remote_id = None
                text = "Paid no longer has the job."
                raise AvatarError(Category.SERVER, text, billed=True)
            state = answer.fields()
            if state["status"] == "done":
                return str(state["result"])
            job.progress(0.5, state["status"])
            job.wait(self._poll)


def _limits(job: Job) -> dict[str, Any]:
    left = job.remaining
    return {"cancel": job.cancel} if left is None else {"cancel": job.cancel, "seconds": left}


@hookimpl
def register_avatar_backends(register: Any) -> None:
    register("paid", "support_paid_backend:PaidServiceBackend", summary="Paid talking heads.")
