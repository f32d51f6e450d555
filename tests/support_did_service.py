"""A stand-in for D-ID on loopback: its wire, its prices, its moods, and a ledger of it all.

What it answers is held against D-ID's own description (`support_did_schema`), and so is what it
is asked: what the description does not allow is refused as the service refuses it, and kept in
`DidService.violations`. Where the description is silent it does what was seen of the service.

    python support_did_service.py --port 8090 --state FOLDER
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import support_did_bodies as bodies
import support_did_schema as schema
from avatar_core.clock import Clock, SystemClock
from avatar_core.testing import Answer, Recorded, ScriptedServer
from avatar_core.testing.http_steps import ServerStep
from support_did_behaviour import NEVER, Behaviour, Ending, Refused, Told, json_of
from support_did_faults import DENIED, NO_ROUTE, Fault, Faults, error_body, struck
from support_did_ledger import Asked, Ledger
from support_did_results import Results
from support_did_talks import Talks
from support_did_uploads import Uploads

__all__ = ["NEVER", "RESULT", "DidProgram", "DidService", "new_key", "running_program"]

# How tests name the routes; the last one is the videos' on their own host.
_ROUTES = {
    r"POST /talks": "POST /talks",
    r"GET /talks": "GET /talks",
    r"GET /talks/([^/]+)": "GET /talks/{id}",
    r"DELETE /talks/([^/]+)": "DELETE /talks/{id}",
    r"POST /images": "POST /images",
    r"DELETE /images/([^/]+)": "DELETE /images/{id}",
    r"POST /audios": "POST /audios",
    r"DELETE /audios/([^/]+)": "DELETE /audios/{id}",
    r"GET /credits": "GET /credits",
}
RESULT = "GET result"


class DidService(Behaviour):
    """The running stand-in; use it with ``with``. Its moods are those of `Behaviour`.

    ``clock`` may be the client's virtual one: then its waiting makes the talks ready. With
    ``state`` (a folder) the ledger is on disk and outlives the service.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        credits: float = 40,
        key: str | None = None,
        state: Path | None = None,
        port: int = 0,
        **moods: Any,
    ) -> None:
        super().__init__(clock or SystemClock(), Ledger(credits, state), **moods)
        self.key = key or new_key()
        self._faults = Faults()
        self._results = Results(self)
        self._routes = self._served_by()
        self._api = ScriptedServer(otherwise=self._answer, port=port)
        self._storage = ScriptedServer(otherwise=self._hand_out)
        self._results.host = self._storage.url
        self._stack = contextlib.ExitStack()

    @property
    def url(self) -> str:
        return self._api.url

    @property
    def secrets(self) -> list[str]:
        """What must be in no log, event, report, journal or error."""
        user, _, password = self.key.partition(":")
        return [self.key, user, password, _encoded(self.key), bodies.EMAIL, *self.signatures]

    def fail(
        self,
        route: str,
        *,
        after_making: bool = False,
        times: int | None = 1,
        after: int = 0,
        seconds: float = 0.0,
        run: Callable[[], object] | None = None,
        clip: str = "",
        **answer: Any,
    ) -> None:
        """Let the next ``times`` requests of ``route`` go wrong (None: all), after ``after`` more.

        ``answer`` is what comes in place of the answer: ``status`` (with ``kind``,
        ``description``, ``details``, ``headers``, or a whole ``body``), ``drop`` (the connection
        is reset) or ``silent``; without any the answer is the usual one. ``after_making`` says
        that the service does first what it was asked. ``seconds`` pass by the clock, and ``run``
        is called, before anything is sent. ``clip`` is what is wrong with a video (`RESULT`).
        """
        assert route in (*_ROUTES.values(), RESULT), f"there is no route {route!r}"

        def happen() -> None:
            if seconds:
                self.clock.sleep(seconds)
            if run is not None:
                run()

        self._faults.add(Fault(route, struck(**answer), clip, happen, after_making, times, after))

    def end_talks(
        self,
        end: Literal["error", "rejected"] = "error",
        kind: str = "FaceError",
        description: str = "face not detected",
        times: int | None = 1,
    ) -> None:
        """Let the next talks that are made come to nothing; they are paid all the same."""
        error = {"kind": kind, "description": description, "details": {}}
        self.endings.append(Ending(end, error, times))

    def heal(self) -> None:
        """From now on nothing fails any more."""
        self._faults.clear()
        self.endings.clear()

    def __enter__(self) -> DidService:
        self._stack.enter_context(self._storage)
        self._stack.enter_context(self._api)
        return self

    def __exit__(self, *exc: Any) -> None:
        self._stack.__exit__(*exc)

    def _served_by(self) -> dict[str, Callable[[Recorded, str], Told]]:
        talks, uploads = Talks(self, self._results.link), Uploads(self)
        return {
            "POST /talks": talks.create,
            "GET /talks": talks.list,
            "GET /talks/{id}": talks.look,
            "DELETE /talks/{id}": talks.delete,
            "POST /images": uploads.take_image,
            "DELETE /images/{id}": uploads.delete,
            "POST /audios": uploads.take_audio,
            "DELETE /audios/{id}": uploads.delete,
            "GET /credits": self._tell_credits,
        }

    def _answer(self, request: Recorded) -> ServerStep:
        asked = f"{request.method} {request.path}"
        found = [(re.fullmatch(pattern, asked), route) for pattern, route in _ROUTES.items()]
        match, route = next(((m, route) for m, route in found if m), (None, asked))
        name = match[1] if match is not None and match.groups() else ""
        who = self._who(request.headers.get("authorization", ""))
        self.ledger.note(Asked(route, who, name, json_of(request)))
        if match is None:
            self.blame(asked, ["there is no such route"])
            return Answer(403, NO_ROUTE)
        return self._with_faults(route, lambda _: self._served(route, request, name, who))

    def _hand_out(self, request: Recorded) -> ServerStep:
        self.ledger.note(Asked(RESULT, "none", request.path))
        return self._with_faults(RESULT, lambda clip: self._results.serve(request, clip))

    def _with_faults(self, route: str, serve: Callable[[str], ServerStep]) -> ServerStep:
        fault = self._faults.take(route)
        if fault is None:
            return serve("")
        made = serve(fault.clip) if fault.late else None
        if fault.run is not None:
            fault.run()
        return fault.answer or made or serve(fault.clip)

    def _who(self, header: str) -> str:
        """How the key came: as it is, encoded as RFC 7617 wants it, wrong, or not at all."""
        scheme, _, value = header.strip().partition(" ")
        if scheme != "Basic":
            return "none"
        return {self.key: "raw", _encoded(self.key): "encoded"}.get(value.strip(), "wrong")

    def _served(self, route: str, request: Recorded, name: str, who: str) -> ServerStep:
        if who in ("none", "wrong"):
            return Answer(401, error_body(401)) if who == "none" else Answer(403, DENIED)
        self.blame(route, schema.query_faults(route, request.query))
        try:
            status, body, more = self._routes[route](request, name)
        except Refused as refusal:
            status, body, more = refusal.status, refusal.body, {}
        if status == 204:
            return Answer(204)
        faults = schema.answer_faults(route, status, body)
        assert not faults, f"the stand-in itself breaks the description of {route}: {faults}"
        return Answer(status, {**body, **more} if self.lifelike else body)

    def _tell_credits(self, request: Recorded, name: str) -> Told:
        del request, name
        return 200, bodies.credits(self.ledger, self.clock.wall()), {}


def new_key() -> str:
    """A key as the service gives it out: the e-mail address in base64, a colon, a password."""
    user = base64.b64encode(bodies.EMAIL.encode()).decode()
    return f"{user}:{secrets.token_urlsafe(15)}"


def _encoded(key: str) -> str:
    return base64.b64encode(key.encode()).decode()


@dataclass(frozen=True)
class DidProgram:
    """The stand-in as a program of its own; ``ledger`` is what is on disk now."""

    url: str
    key: str
    state: Path
    process: subprocess.Popen[str]

    @property
    def ledger(self) -> Ledger:
        return Ledger(0, self.state)


@contextlib.contextmanager
def running_program(state: Path, *options: str) -> Iterator[DidProgram]:
    """Start it in a process of its own; it ends with whoever started it, however that one ends."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--state", state, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        url, key = (process.stdout.readline().strip() for _ in range(2))
        if not key:
            raise RuntimeError("the stand-in for D-ID did not start")
        yield DidProgram(url, key, state, process)
    finally:
        process.kill()
        process.communicate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--key")
    parser.add_argument("--credits", type=float, default=40)
    parser.add_argument("--rendering-seconds", type=float, default=0.05)
    wanted = parser.parse_args()
    wanted.state.mkdir(parents=True, exist_ok=True)
    with DidService(
        credits=wanted.credits,
        key=wanted.key,
        state=wanted.state,
        port=wanted.port,
        rendering_seconds=wanted.rendering_seconds,
    ) as service:
        print(service.url, service.key, sep="\n", flush=True)
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main()
