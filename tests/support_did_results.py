"""The finished videos of the stand-in for D-ID: signed links to another host, as Amazon's S3 has
them (its REST authentication by query string, version 2)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from urllib.parse import quote, unquote

from avatar_core.backend import Size
from avatar_core.testing import Answer, Recorded
from support_did_behaviour import Behaviour
from support_did_bodies import USER_ID
from support_did_ledger import Talk
from support_did_media import talk_video

_XML = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{}</Code><Message>{}</Message></Error>'
_TYPES = {"mp4": "video/mp4", "mov": "video/quicktime"}


class Results:
    """The host that keeps the videos; ``host`` is its address."""

    def __init__(self, house: Behaviour) -> None:
        self._house = house
        self.host = ""

    def link(self, talk: Talk) -> str:
        """Where the video is for now; another one at each call, as time goes by."""
        container = talk.body.get("config", {}).get("result_format", "mp4")
        path = f"/{quote(USER_ID)}/{talk.id}/{round(talk.at * 1000)}.{container}"
        expires = str(round(self._house.clock.wall() + self._house.link_seconds))
        signature = self._signature(path, expires)
        self._house.signatures.append(signature)
        query = f"AWSAccessKeyId=X&Expires={expires}&Signature={quote(signature, safe='')}"
        return f"{self.host}{path}?{query}"

    def serve(self, request: Recorded, clip: str) -> Answer:
        """``clip`` is what is wrong with this one video, "" for nothing."""
        if "authorization" in request.headers:
            self._house.blame("GET result", ["the Authorization header was sent along"])
            return _refused(400, "InvalidArgument", "Only one auth mechanism allowed")
        expires = request.query.get("Expires", "")
        signed = self._signature(request.path, expires)
        if request.query.get("Signature", "") != signed:
            return _refused(403, "SignatureDoesNotMatch", "The request signature does not match")
        if self._house.clock.wall() >= float(expires):
            return _refused(403, "AccessDenied", "Request has expired")
        found = re.fullmatch(r"/.+/([^/]+)/\d+\.(\w+)", unquote(request.path))
        talk = self._house.ledger.talk(found[1]) if found else None
        if talk is None or found is None:
            return _refused(404, "NoSuchKey", "The specified key does not exist.")
        kind = clip or self._house.clip
        video = talk_video(talk.seconds, Size(*talk.size), kind, found[2])
        return Answer(200, video, {"Content-Type": _TYPES[found[2]]})

    def _signature(self, path: str, expires: str) -> str:
        key = self._house.ledger.signing_key.encode()
        digest = hmac.new(key, f"{path}\n{expires}".encode(), hashlib.sha1).digest()
        return base64.b64encode(digest).decode()


def _refused(status: int, code: str, message: str) -> Answer:
    return Answer(status, _XML.format(code, message), {"Content-Type": "application/xml"})
