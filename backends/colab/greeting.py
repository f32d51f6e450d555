"""Who answers at the address, and whether it can work: what ``GET /health`` says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from avatar_core.backend import Health
from avatar_core.cancel import CancelToken
from avatar_core.errors import AvatarError, Category
from avatar_core.http_answer import HttpAnswer
from avatar_core.http_text import shown
from avatar_core.pages import see
from backends.colab.api import ColabApi
from backends.colab.config import ColabOptions
from backends.colab.errors import STAMP, is_ours
from backends.colab.versions import PROTOCOL, difference, own_version, protocol_difference

# The first servers, which stamp nothing and know one call.
FIRST = 0
_COPY = "Copy the line COLAB_API_URL=... that the server prints, whole, with what is before the @."
_SILENT = (
    "Look whether the notebook still runs and what its last cell says; if it does nothing, run the "
    "server's cell again."
)
_UNSET = (
    "Run the notebook on Colab (`avatar notebook` writes it) and copy the line COLAB_API_URL=... "
    "that its cell 5 prints into a file .env in the folder where you run avatar. "
    f"{see('colab#set-up-in-ten-minutes')}"
)


@dataclass(frozen=True, slots=True)
class Greeting:
    """``protocol`` 0 is that of the first servers. ``facts`` are what the server told."""

    protocol: int
    version: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_first(self) -> bool:
        return self.protocol == FIRST


def greet(api: ColabApi, cancel: CancelToken | None = None) -> Greeting:
    """Ask who is there; raises `AvatarError` where it is no server of any kind."""
    try:
        return _greeting(api, cancel)
    except AvatarError as failure:
        if failure.category is Category.TIMEOUT:
            # No scene was asked for yet, so a shorter one is no advice.
            failure.advice = f"{_SILENT} {see('colab#time-out')}"
        raise


def _greeting(api: ColabApi, cancel: CancelToken | None) -> Greeting:
    answer = api.health() if cancel is None else api.health(cancel=cancel)
    facts = _fields(answer)
    if answer.status == 200 and is_ours(answer):
        version = str(facts.get("version") or answer.headers.get(STAMP) or "")
        return Greeting(_protocol(facts, answer), shown(version, 40), facts)
    if answer.status == 200 and facts.get("status") == "ok":
        return Greeting(FIRST, facts=facts)
    if answer.status == 404 and is_ours(answer):
        raise AvatarError(
            Category.UNSUPPORTED,
            f"{api.service} is there, but not at the path that the address ends with.",
            advice=f"Leave out what follows host and port. {see('colab#not-our-server')}",
            status=answer.status,
        )
    raise api.not_asked_for(answer)


def health_of(greeting: Greeting, options: ColabOptions, service: str) -> Health:
    """What a greeting means for whoever wants a clip made with ``options``."""
    if greeting.is_first:
        text = "ready: an old server, without token, queue or progress"
        advice = "A new notebook has all of them: `avatar notebook`. "
        advice += see("colab#versions-differ")
        return Health(True, text, advice, {"server": "the first protocol"})
    if greeting.protocol != PROTOCOL:
        text = f"{service} speaks protocol {greeting.protocol}, this side {PROTOCOL}."
        advice = f"{protocol_difference(greeting.protocol)} {see('colab#versions-differ')}"
        return Health(False, text, advice, category=Category.UNSUPPORTED)
    return _token_trouble(greeting, options, service) or _readiness(greeting, options, service)


def unset() -> Health:
    """What is said where no address is known."""
    return Health(False, "COLAB_API_URL is not set.", _UNSET, category=Category.UNSUPPORTED)


def failure_of(health: Health) -> AvatarError:
    """A health that is not good, as `generate` tells it."""
    category = health.category or Category.UNSUPPORTED
    return AvatarError(category, health.message, advice=health.advice)


def version_warning(greeting: Greeting) -> str | None:
    """A sentence where the two sides should not be trusted to understand each other."""
    differs = None if greeting.is_first else difference(greeting.version, own_version())
    return f"{differs} {see('colab#versions-differ')}" if differs else None


def _token_trouble(greeting: Greeting, options: ColabOptions, service: str) -> Health | None:
    """Only who has the token is told how the server is."""
    if "ready" in greeting.facts:
        return None
    given = bool(options.token.get_secret_value())
    text = "did not accept the token" if given else "wants a token, and the address has none"
    return Health(
        False, f"{service} {text}.", f"{_COPY} {see('colab#wrong-token')}", category=Category.AUTH
    )


def _readiness(greeting: Greeting, options: ColabOptions, service: str) -> Health:
    facts, details = greeting.facts, _details(greeting)
    if not facts.get("ready"):
        problem = shown(str(facts.get("problem") or "It is not ready"), 300).rstrip(".")
        advice = shown(str(facts.get("advice") or "Look at what it printed."), 400)
        advice += " " + see(f"colab#{'no-gpu' if 'gpu' in problem.lower() else 'missing-weights'}")
        text = f"{service} cannot work: {problem}."
        return Health(False, text, advice, details, category=Category.UNSUPPORTED)
    known = facts.get("engines")
    if isinstance(known, list) and options.engine not in known:
        text = f"{service} has no engine {options.engine!r}."
        names = shown(", ".join(map(str, known)))
        advice = f"Choose one that it has: {names} (backends.colab.engine). "
        advice += see("colab#the-backends-options")
        return Health(False, text, advice, details, category=Category.UNSUPPORTED)
    state = [details[name] for name in ("gpu", "queue") if name in details]
    told = f"ready: {'; '.join(state)}" if state else "ready"
    differs = version_warning(greeting)
    return Health(True, f"{told}. {differs}" if differs else told, None, details)


def _details(greeting: Greeting) -> dict[str, str]:
    facts = greeting.facts
    details = {"server": greeting.version, "engine": str(facts.get("engine") or "")}
    gpu, queue = facts.get("gpu"), facts.get("queue")
    if isinstance(gpu, dict):
        details["gpu"] = f"{gpu.get('name')}, {gpu.get('memory_free_mb')} MB free"
    if isinstance(queue, dict):
        details["queue"] = f"{queue.get('running')} running, {queue.get('waiting')} waiting"
    return {name: shown(value) for name, value in details.items() if value}


def _protocol(facts: Mapping[str, Any], answer: HttpAnswer) -> int:
    told = facts.get("protocol", answer.headers.get("x-avatar-protocol"))
    try:
        return int(told)
    except (TypeError, ValueError, OverflowError):
        return -1


def _fields(answer: HttpAnswer) -> dict[str, Any]:
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
