"""The talks of the stand-in for D-ID: ordered and paid, looked at, listed, deleted."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import support_did_bodies as bodies
import support_did_schema as schema
from avatar_core.testing import Recorded
from support_did_behaviour import Behaviour, Refused, Told, json_of
from support_did_ledger import NoCredits, Talk, Upload, price_of
from support_did_media import CROPPED

_MOST_PIXELS = 10 * 1024**2
# A talk counts as queued for this part of the time that it takes.
_QUEUED = 0.2


class Talks:
    """The routes of /talks; ``link`` signs the address of a finished video."""

    def __init__(self, house: Behaviour, link: Callable[[Talk], str]) -> None:
        self._house = house
        self._link = link

    def create(self, request: Recorded, name: str) -> Told:
        del name
        body = json_of(request)
        # A body that is not sent as JSON is an empty one to the service.
        faults = schema.request_faults("POST /talks", {} if body is None else body)
        if faults:
            self._house.blame("POST /talks", [f"{k}: {v}" for k, v in faults.items()])
            details = {place: {"message": text} for place, text in faults.items()}
            raise Refused(400, "ValidationError", "validation error", details)
        talk = self._ending(self._new(body))
        try:
            self._house.ledger.pay(talk, price_of(talk.seconds))
        except NoCredits:
            raise Refused(402) from None
        return 201, bodies.created(talk), {}

    def look(self, request: Recorded, name: str) -> Told:
        del request
        return self._told(self._seen(self._known(name)))

    def delete(self, request: Recorded, name: str) -> Told:
        del request
        look = self._seen(self._known(name))
        if look.status in ("created", "started"):
            raise Refused(409)
        self._house.ledger.delete_talk(name)
        return self._told(look)

    def list(self, request: Recorded, name: str) -> Told:
        del name
        first = int(request.query.get("token", "0"))
        last = first + int(float(request.query.get("limit", "100")))
        shown = self._house.clock.wall() - self._house.list_delay
        talks = [talk for talk in self._house.ledger.talks if not talk.deleted and talk.at <= shown]
        talks.reverse()
        told = [self._told(self._seen(talk), self._house.list_names) for talk in talks[first:last]]
        body: dict[str, Any] = {"talks": [declared for _, declared, _ in told]}
        if last < len(talks):
            body["token"] = str(last)
        return 200, body, {"talks": [{**declared, **more} for _, declared, more in told]}

    def _new(self, body: dict[str, Any]) -> Talk:
        now, config = self._house.clock.wall(), body.get("config", {})
        picture = self._upload(body.get("source_url", ""), "actor")
        sound = self._upload(body["script"].get("audio_url", ""), "audio")
        if picture.size[0] * picture.size[1] > _MOST_PIXELS:
            raise Refused(400, "InvalidFileSizeError", "file size exceeded 10 MB")
        return Talk(
            id=f"tlk_{secrets.token_urlsafe(15)}",
            credits=0,
            name=body.get("name", ""),
            user_data=body.get("user_data", ""),
            narration=sound.sha256,
            seconds=sound.seconds + config.get("pad_audio", 0),
            size=picture.size if config.get("stitch") else tuple(CROPPED),
            body=body,
            at=now,
        )

    def _upload(self, url: str, what: str) -> Upload:
        found = self._house.ledger.upload_at(url, self._house.clock.wall())
        if found is None:
            raise Refused(400, "BadRequestError", f"invalid {what} url")
        return found

    def _ending(self, talk: Talk) -> Talk:
        for ending in self._house.endings:
            if ending.times != 0:
                ending.times = None if ending.times is None else ending.times - 1
                return replace(talk, end=ending.end, error=ending.error)
        return talk

    def _known(self, name: str) -> Talk:
        talk = self._house.ledger.talk(name)
        if talk is None:
            raise Refused(404)
        return talk

    def _seen(self, talk: Talk) -> bodies.Look:
        spent, whole = self._house.clock.wall() - talk.at, self._house.rendering_seconds
        if spent < whole:
            return bodies.Look(talk, "created" if spent < whole * _QUEUED else "started")
        return bodies.Look(talk, talk.end, self._link(talk) if talk.end == "done" else "")

    def _told(self, look: bodies.Look, names: bool = True) -> Told:
        return 200, bodies.declared(look), bodies.lifelike(look, names=names)
