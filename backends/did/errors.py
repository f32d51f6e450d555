"""What D-ID says when it refuses, and what that means for a user.

Its own errors are ``{"kind", "description", "details"}``; the gateway in front of it and the store
of its results say it in their own ways, most of which `avatar_core.http_tables` knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from avatar_core.errors import ADVICE, AvatarError, Category
from avatar_core.http_tables import Hint
from avatar_core.http_text import shown
from avatar_core.secrets import MASK

NAME = "D-ID"
PASSING = (Category.RATE_LIMIT, Category.SERVER, Category.CONNECTIVITY, Category.TIMEOUT)
# Looks in a row that may fail for one of these before the policy is asked what to do about it.
BLIPS = 2
_PORTRAIT = "Use another portrait: one person, from the front, the whole face well lit and free."
_NARRATION = "Change what is said in the scene, or use another recording."
_TOP_UP = "Buy credits at D-ID or wait until your plan renews; what is finished is kept."
_KEY = (
    "Set DID_API_KEY to the whole key as D-ID Studio showed it, USER:PASSWORD; if it is lost, "
    "make a new one there."
)
_WHERE = "Unset DID_API_URL, or correct it: https://api.d-id.com, without a path."
_OPTIONS = "Check backends.did.logo and backends.did.driver_expressions; else update avatar-core."
_LATER = "Render again later."


@dataclass(frozen=True, slots=True)
class Kind:
    """``says`` goes on after the name of the service."""

    category: Category
    says: str
    advice: str | None = None


# In answers and in talks that failed. All are listed in docs/did.md.
KINDS: dict[str, Kind] = {
    "AuthorizationError": Kind(Category.AUTH, "did not accept the key", _KEY),
    "InsufficientCreditsError": Kind(Category.QUOTA, "has no credits left for this", _TOP_UP),
    "PermissionError": Kind(
        Category.UNSUPPORTED,
        "does not include this in your plan",
        "Leave the feature that it names out (backends.did.stitch = false), or change your plan.",
    ),
    "FaceError": Kind(Category.INVALID_INPUT, "found no usable face in the portrait", _PORTRAIT),
    "InvalidFaceError": Kind(
        Category.INVALID_INPUT, "found no usable face in the portrait", _PORTRAIT
    ),
    "SourceError": Kind(Category.INVALID_INPUT, "cannot use the portrait", _PORTRAIT),
    "ImageModerationError": Kind(
        Category.INVALID_INPUT, "does not allow this portrait (moderation)", _PORTRAIT
    ),
    "CelebrityRecognizedError": Kind(
        Category.INVALID_INPUT, "takes the portrait for somebody famous", _PORTRAIT
    ),
    "AudioModerationError": Kind(
        Category.INVALID_INPUT, "does not allow this narration (moderation)", _NARRATION
    ),
    "TextModerationError": Kind(
        Category.INVALID_INPUT, "does not allow these words (moderation)", _NARRATION
    ),
    "InvalidImageResolutionError": Kind(
        Category.INVALID_INPUT,
        "finds the portrait too small or too large",
        "Use a portrait of 160 x 160 to about 3200 x 3200 pixels.",
    ),
    "InvalidFileSizeError": Kind(
        Category.INVALID_INPUT,
        "finds the portrait or the narration too large",
        "Use a smaller portrait (it counts pixels as well as bytes) or a shorter scene.",
    ),
    "InvalidAudioDurationError": Kind(
        Category.INVALID_INPUT,
        "finds the narration too long or too short",
        "Split the scene: a talk has at most ten minutes.",
    ),
    "UnsupportedMimeTypeError": Kind(
        Category.INVALID_INPUT, "takes no files of this kind", "Use another portrait or recording."
    ),
    "LogoError": Kind(
        Category.INVALID_INPUT, "cannot use the logo", "Check backends.did.logo, or leave it out."
    ),
    "ConfigError": Kind(Category.INVALID_INPUT, "did not accept the options", _OPTIONS),
    "ValidationError": Kind(Category.INVALID_INPUT, "did not accept the request", _OPTIONS),
    "NotReadyError": Kind(Category.RATE_LIMIT, "is not done with it yet", _LATER),
    "DriverError": Kind(Category.SERVER, "failed to move the face", _LATER),
    "VideoEnhanceError": Kind(Category.SERVER, "failed to finish the video", _LATER),
    "UnknownError": Kind(Category.SERVER, "failed on its side", _LATER),
    "InternalServerError": Kind(Category.SERVER, "failed on its side", _LATER),
}
_UNKNOWN_KIND = Kind(Category.SERVER, "failed to make the clip", _LATER)
_REJECTED = Kind(
    Category.INVALID_INPUT,
    "rejected the portrait or the narration",
    "Its moderation objects: use another portrait or another text.",
)
_REFUSALS = range(400, 500)
_AT_THE_DOOR = (
    Hint(
        "wrong address",
        r"invalid key=value pair|requires 'credential' parameter|missing authentication token",
        Category.UNSUPPORTED,
        "has nothing at this address",
        _WHERE,
        statuses={403},
    ),
    Hint("key denied", "explicit deny", Category.AUTH, "did not accept the key", _KEY, {403}),
    Hint("no key", r'"message"\s*:\s*"unauthorized"', Category.AUTH, None, _KEY, {401}),
    Hint(
        "gateway's patience",
        "endpoint request timed out",
        Category.TIMEOUT,
        None,
        "Render again later: what was ordered is looked for before anything else is ordered.",
        {504},
    ),
    # Every form that a script may have is complained of, so this names texts and voices, too.
    Hint(
        "narration's address",
        r'(?=.*"ValidationError").*\bscript\b',
        Category.INVALID_INPUT,
        "did not accept the address of the narration, whatever else it complains of",
        "Render again, so that the narration is sent anew; else update avatar-core.",
        statuses={400},
        quotes=False,
    ),
    Hint(
        "one of the uploads",
        r"invalid (actor|audio|source|image) url|failed to validate script",
        Category.INVALID_INPUT,
        "cannot use the portrait or the narration that was sent",
        "Render again, so that they are sent anew; else use another portrait.",
        statuses={400},
    ),
)
HINTS: tuple[Hint, ...] = (
    *_AT_THE_DOOR,
    *(
        Hint(name, rf'"kind"\s*:\s*"{name}"', kind.category, kind.says, kind.advice, _REFUSALS)
        for name, kind in KINDS.items()
    ),
)
_OF_THE_PORTRAIT = (
    "FaceError", "InvalidFaceError", "ImageModerationError", "CelebrityRecognizedError",
)  # fmt: skip
# Of an upload that is no longer there, the service says one of these.
_STALE = re.compile(r"BadRequestError|NotFoundError|SourceError|invalid \w+ url", re.IGNORECASE)
# As they are, and as they look in an address.
_PEOPLE = re.compile(
    r"[\w.+-]+(@|%40)[\w-]+(\.[\w-]+)+|\b[\w-]+(\||%7C)[0-9a-f]{16,}\b", re.IGNORECASE
)


def impersonal(text: str) -> str:
    """``text`` without e-mail addresses and account numbers, which real answers carry."""
    return _PEOPLE.sub(MASK, text)


def is_kind(failure: AvatarError, kind: str) -> bool:
    """Whether the service called its refusal ``kind``."""
    return kind in failure.message


def blames_portrait(failure: AvatarError) -> bool:
    """Whether the picture itself was refused, by whoever looked at it."""
    return any(is_kind(failure, kind) for kind in _OF_THE_PORTRAIT)


def told_again(failure: AvatarError) -> AvatarError:
    """The same refusal for another scene: each has an exception of its own."""
    return AvatarError(
        failure.category, failure.message, advice=failure.advice, status=failure.status
    )


def may_be_stale(failure: AvatarError) -> bool:
    """Whether the service refused the order for an upload that it no longer has."""
    if failure.status not in (400, 404) or failure.unanswered:
        return False
    return _STALE.search(failure.message) is not None


def talk_failed(status: str, kind: str, description: str) -> AvatarError:
    """Why a talk has ended without a video.

    Nothing published says that a failed talk is free, so it counts as paid and is not ordered
    again unasked.
    """
    usual = _REJECTED if status == "rejected" else _UNKNOWN_KIND
    known = KINDS.get(kind, usual)
    why = ": ".join(filter(None, (kind, description)))
    told = f"{NAME} {known.says}" + (f": {shown(why)}" if why else "")
    return AvatarError(
        known.category,
        impersonal(f"{told.rstrip('.')}."),
        advice=known.advice or ADVICE[known.category],
        billed=True,
    )


def strange_status(status: str) -> AvatarError:
    """A talk is in a state that did not exist when this was written; it is left alone."""
    return AvatarError(
        Category.UNSUPPORTED,
        f"{NAME} says that the talk is {shown(status, 40)!r}, which is not known here.",
        advice="Render again later to see what became of it, or update avatar-core.",
    )


def talk_gone() -> AvatarError:
    return AvatarError(
        Category.SERVER,
        f"{NAME} no longer has the talk that was ordered.",
        advice="Render again to order another one: it was deleted, or the key is of another "
        "account.",
        billed=True,
    )


def no_such_answer(what: str, *, unanswered: bool = False) -> AvatarError:
    return AvatarError(
        Category.SERVER,
        f"{NAME} answered without {what}.",
        advice="Render again later; if it stays so, update avatar-core.",
        unanswered=unanswered,
    )


def cannot_be_known(why: str) -> AvatarError:
    """Whether an order arrived cannot be found out: the policy tells the user so."""
    return AvatarError(Category.UNSUPPORTED, f"{NAME} cannot be asked for the order: {why}.")


def link_refused(failure: AvatarError) -> AvatarError:
    """The store of results says nothing of our key, whatever status it uses."""
    return AvatarError(
        Category.CONNECTIVITY,
        f"{NAME} has the video, but does not give it out: {failure.message}",
        advice="Render again: the same talk is asked for a new link, and not paid again.",
        status=failure.status,
    )
