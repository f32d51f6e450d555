"""The JSON that D-ID answers with: what its description declares, and what real bodies carry."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from support_did_ledger import SECONDS_A_CREDIT, Ledger, Talk

USER_ID = "auth0|64aa00000000000000000000"
EMAIL = "lan.nguyen@marker.example"
_BUCKET = "https://d-id-audios-prod.s3.us-west-2.amazonaws.com"
# What was dropped from the requests long ago and still comes back.
_LEGACY = {
    "align_driver": True,
    "align_expand_factor": 0.3,
    "auto_match": True,
    "driver_expressions": {"expressions": [], "transition_frames": 20},
    "motion_factor": 1,
    "normalization_factor": 1,
    "sharpen": True,
    "show_watermark": False,
}


@dataclass(frozen=True)
class Look:
    """A talk at one moment: its status, and where its video is if it is done."""

    talk: Talk
    status: str
    result_url: str = ""


def moment(at: float) -> str:
    """A time as the service writes it: ISO 8601 with milliseconds, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at * 1000) % 1000:03d}Z"


def created(talk: Talk) -> dict[str, Any]:
    """The answer to the order; it carries nothing besides what is declared."""
    return {
        "id": talk.id,
        "object": "talk",
        "created_at": moment(talk.at),
        "created_by": USER_ID,
        "status": "created",
    }


def declared(look: Look) -> dict[str, Any]:
    """A talk with the keys of the description alone."""
    talk, body = look.talk, look.talk.body
    sound = body["script"].get("audio_url", "")
    answer = {
        "id": talk.id,
        "user_id": USER_ID,
        "source_url": body["source_url"],
        "driver_url": "bank://lively/",
        "created_by": USER_ID,
        "created_at": moment(talk.at),
        "modified_at": moment(talk.at),
        "status": look.status,
        # A recording is not told by the address it was given by.
        "audio_url": f"{_BUCKET}/{quote(sound.split('/', 3)[-1])}?X-Amz-Expires=86400",
        "config": dict(body.get("config", {})),
    }
    if look.status != "created":
        # This one comes without its zone.
        answer["started_at"] = moment(talk.at).removesuffix("Z")
    if look.status == "done":
        answer["result_url"] = look.result_url
        answer["metadata"] = _metadata(talk)
    return answer


def lifelike(look: Look, *, names: bool) -> dict[str, Any]:
    """What real bodies carry besides: an e-mail address among it. ``names``: our own words too."""
    talk, body = look.talk, look.talk.body
    config = body.get("config", {})
    answer: dict[str, Any] = {
        "user": _user(),
        "script": {"length": round(talk.seconds * 15), "subtitles": False, **body["script"]},
        "face": {
            "mask_confidence": -1,
            "detection": [143, 51, 366, 345],
            "overlap": "no",
            "size": 512,
            "top_left": [0, 0],
            "face_id": 0,
            "detect_confidence": 0.9996,
        },
        "subtitles": False,
        "config": {
            **config,
            **_LEGACY,
            "result_format": f".{config.get('result_format', 'mp4')}",
            "logo": {"url": "ai", "position": [0, 0]},
        },
    }
    if names:
        answer |= {key: body[key] for key in ("name", "user_data") if key in body}
    if look.status in ("created", "started"):
        stamp = round(talk.at * 1000)
        answer["pending_url"] = f"s3://d-id-talks-prod/{USER_ID}/{talk.id}/{stamp}.mp4"
    if look.status == "done":
        answer["duration"] = round(talk.seconds, 2)
    if look.status in ("error", "rejected"):
        answer["error"] = talk.error
    return answer


def credits(ledger: Ledger, now: float) -> dict[str, Any]:
    """What is left on the account; one without a plan has an empty list."""
    item = {
        "owner_id": USER_ID,
        "created_at": moment(now - 86_400),
        "modified_at": moment(now),
        "remaining": ledger.credits,
        "total": ledger.total,
        "expire_at": moment(now + 30 * 86_400),
        "valid_from": moment(now - 86_400),
        "plan_group": "deid-lite",
        "product_billing_interval": "month",
    }
    items = [item] if ledger.total else []
    return {"credits": items, "remaining": ledger.credits, "total": ledger.total}


def _metadata(talk: Talk) -> dict[str, Any]:
    return {
        "driver_url": "bank://lively/driver-06/original",
        "mouth_open": False,
        "num_faces": 1,
        "num_frames": round(talk.seconds * 25),
        "processing_fps": 49.8,
        "resolution": list(talk.size),
        "size_kib": 1340.2,
    }


def _user() -> dict[str, Any]:
    return {
        "id": USER_ID,
        "email": EMAIL,
        "name": EMAIL,
        "owner_id": USER_ID,
        "authorizer": "basic",
        "plan": "deid-lite",
        "features": ["stitch", "clips:write", f"credit:{SECONDS_A_CREDIT}s"],
    }
