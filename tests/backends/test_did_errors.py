"""What D-ID refuses, and what a user is told of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from avatar_core.errors import Category
from avatar_core.policy.table import TABLE
from avatar_core.testing import Answer, ScriptedServer
from backends.did import errors
from backends.did.backend import DidBackend
from support_did_bodies import EMAIL, USER_ID
from support_did_jobs import Stage, options
from support_house import table_keys

IMAGE = Answer(201, {"url": "s3://d-id-images-prod/auth0|1/img_1/face.jpg", "id": "img_1"})
AUDIO = Answer(201, {"url": "s3://d-id-audios-prod/auth0|1/A1/voice.wav", "id": "A1"})
CREATED = Answer(201, {"id": "tlk_1", "status": "created"})


def refusal(status: int, kind: str, description: str = "as it says", **more: Any) -> Answer:
    return Answer(status, {"kind": kind, "description": description, **more})


@pytest.fixture()
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as scripted:
        scripted.on("POST", "/images", IMAGE).on("POST", "/audios", AUDIO)
        scripted.on("POST", "/talks", CREATED)
        yield scripted


@pytest.fixture()
def stage(server: ScriptedServer, tmp_path: Path) -> Stage:
    return Stage(DidBackend(options(server.url)), tmp_path)


UNION = {
    "body.script.input": {"message": "'input' is required"},
    "body.script": {"message": "Could not match the union against any of the items"},
    "body.script.audio_url": {"message": "Not match in '^(https|s3)://'"},
}
# The route that refuses, how, the category, and what is said.
REFUSED: dict[str, tuple[str, Answer, Category, str]] = {
    "no credits for a talk": (
        "/talks", refusal(402, "InsufficientCreditsError", "not enough credits"),
        Category.QUOTA, "no credits left"),
    "no credits for an upload": (
        "/images", refusal(402, "InsufficientCreditsError"), Category.QUOTA, "no credits left"),
    "a feature of a dearer plan": (
        "/talks", refusal(403, "PermissionError", "user has no permission for stitch"),
        Category.UNSUPPORTED, "user has no permission for stitch"),
    "a union that blames texts": (
        "/talks", refusal(400, "ValidationError", "validation error", details=UNION),
        Category.INVALID_INPUT, "the address of the narration, whatever else"),
    "an option": (
        "/talks", refusal(400, "ValidationError", "validation error",
                          details={"body.config.logo": {"message": "invalid"}}),
        Category.INVALID_INPUT, "did not accept the request"),
    "a portrait of too many pixels": (
        "/talks", refusal(400, "InvalidFileSizeError", "file size exceeded 10 MB"),
        Category.INVALID_INPUT, "too large"),
    "a portrait that is too small": (
        "/images", refusal(400, "InvalidImageResolutionError"),
        Category.INVALID_INPUT, "too small or too large"),
    "a narration that is too long": (
        "/audios", refusal(400, "InvalidAudioDurationError"), Category.INVALID_INPUT, "too long"),
    "a kind of file": (
        "/audios", refusal(415, "UnsupportedMimeTypeError"),
        Category.INVALID_INPUT, "takes no files of this kind"),
    "a body beyond the gateway's limit": (
        "/images", Answer(413, {"message": "Request Too Long"}),
        Category.INVALID_INPUT, "files too large"),
    "no face": (
        "/talks", refusal(400, "InvalidFaceError"), Category.INVALID_INPUT, "no usable face"),
    "a portrait that moderation refuses": (
        "/images", refusal(451, "ImageModerationError"),
        Category.INVALID_INPUT, "does not allow this portrait"),
    "somebody famous": (
        "/talks", refusal(451, "CelebrityRecognizedError"), Category.INVALID_INPUT, "famous"),
    "a narration that moderation refuses": (
        "/audios", refusal(451, "AudioModerationError"),
        Category.INVALID_INPUT, "does not allow this narration"),
    "words that moderation refuses": (
        "/talks", refusal(451, "TextModerationError"),
        Category.INVALID_INPUT, "does not allow these words"),
    "options": ("/talks", refusal(400, "ConfigError"), Category.INVALID_INPUT, "the options"),
    "a pause": (
        "/talks", Answer(429, {"message": "Too Many Requests"}, {"Retry-After": "7"}),
        Category.RATE_LIMIT, "asks for a pause"),
    "a failure of its own": (
        "/audios", refusal(500, "UnknownError", "Internal Server Error"),
        Category.SERVER, "failed on its side"),
    "a kind of error that is new": (
        "/talks", refusal(400, "BrandNewError"), Category.INVALID_INPUT, "BrandNewError"),
    "a refusal that is no JSON": (
        "/talks", Answer(400, "nope"), Category.INVALID_INPUT, "did not accept"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_says_what_is_wrong_and_what_to_do(
    case: str, server: ScriptedServer, stage: Stage
) -> None:
    route, answer, category, said = REFUSED[case]
    server.on("POST", route, answer)
    failure = stage.failure(stage.request(), stage.job())
    assert (failure.category, failure.status) == (category, answer.status)
    assert said in failure.message
    assert failure.advice
    assert not failure.unanswered and not failure.billed
    assert server.count("POST", "/talks") <= 1, "nothing is repeated by the backend itself"
    assert failure.retry_after == (7 if answer.status == 429 else None)


@pytest.mark.parametrize("kind", [name for name in errors.KINDS if "Moderation" in name])
def test_what_moderation_refuses_is_never_asked_again(kind: str) -> None:
    for status in ("rejected", "error"):
        decision = TABLE[errors.talk_failed(status, kind, "").category]
        assert not decision.retry and not decision.step_down


# What a talk came to: its status, its error, the category, and what is said.
ENDED: dict[str, tuple[str, Any, Category, str]] = {
    "no face": ("error", {"kind": "FaceError", "description": "face not detected", "details": {}},
                Category.INVALID_INPUT, "no usable face in the portrait: FaceError: face not"),
    "the source": ("error", {"kind": "SourceError"}, Category.INVALID_INPUT, "the portrait"),
    "the logo": ("error", {"kind": "LogoError"}, Category.INVALID_INPUT, "the logo"),
    "its driver": ("error", {"kind": "DriverError"}, Category.SERVER, "move the face"),
    "anything": ("error", {"kind": "NeverSeenError", "description": "Oh."}, Category.SERVER,
                 "failed to make the clip: NeverSeenError: Oh."),
    "no reason": ("error", None, Category.SERVER, "failed to make the clip."),
    "a text": ("error", "it broke", Category.SERVER, "it broke"),
    "moderation": ("rejected", {"kind": "AudioModerationError"}, Category.INVALID_INPUT,
                   "does not allow this narration"),
    "moderation without a reason": ("rejected", None, Category.INVALID_INPUT, "rejected the"),
}  # fmt: skip


@pytest.mark.parametrize("case", ENDED)
def test_a_talk_that_failed_counts_as_paid_and_is_dead_unless_the_scene_is_to_blame(
    case: str, server: ScriptedServer, stage: Stage
) -> None:
    status, error, category, said = ENDED[case]
    server.on("GET", "/talks/tlk_1", Answer(200, {"id": "tlk_1", "status": status, "error": error}))
    failure = stage.failure(stage.request(), stage.job())
    assert (failure.category, failure.billed) == (category, True)
    assert said in failure.message
    assert (stage.told[-1] == "dead") == (category is not Category.INVALID_INPUT)


@pytest.mark.parametrize("status", ["processing", "DONE", "failed"])
def test_a_status_that_is_not_known_stops_and_leaves_the_talk_alone(
    status: str, server: ScriptedServer, stage: Stage
) -> None:
    server.on("GET", "/talks/tlk_1", Answer(200, {"id": "tlk_1", "status": status}))
    failure = stage.failure(stage.request(), stage.job())
    assert failure.category is Category.UNSUPPORTED
    assert repr(status) in failure.message
    assert "dead" not in stage.told
    assert server.count("GET", "/talks/tlk_1") == 1
    stage.backend.cancel("tlk_1")
    assert server.count("DELETE", "/talks/tlk_1") == 0


@pytest.mark.parametrize(
    ("route", "answer", "said"),
    [
        ("/images", Answer(201, {"id": "img_1"}), "the address of what was uploaded"),
        ("/audios", Answer(200, []), "something that is not JSON"),
        ("/talks", Answer(201, {"status": "created"}), "the talk's id"),
        ("/talks", Answer(200, "<html>"), "something that is not JSON"),
    ],
)
def test_an_answer_without_what_counts_is_the_services_fault(
    route: str, answer: Answer, said: str, server: ScriptedServer, stage: Stage
) -> None:
    server.on("POST", route, answer).on("GET", "/talks", Answer(200, {"talks": []}))
    failure = stage.failure(stage.request(), stage.job())
    assert failure.category is Category.SERVER
    assert said in failure.message
    assert failure.unanswered == (route == "/talks"), "a talk may exist whose id did not come"


def test_a_gateway_that_gave_up_is_no_reason_to_shorten_the_scene(
    server: ScriptedServer, stage: Stage
) -> None:
    server.on("POST", "/talks", Answer(504, {"message": "Endpoint request timed out"}))
    server.on("GET", "/talks", Answer(200, {"talks": []}))
    failure = stage.failure(stage.request(), stage.job())
    assert (failure.category, failure.unanswered) == (Category.TIMEOUT, True)
    assert "looked for" in failure.advice
    assert server.count("GET", "/talks") == 3, "looked for before anybody else is asked"


def test_nobody_is_named_in_what_is_told(server: ScriptedServer, stage: Stage) -> None:
    talk = {
        "id": "tlk_1",
        "status": "error",
        "user": {"email": EMAIL, "id": USER_ID},
        "error": {"kind": "UnknownError", "description": f"no quota for {EMAIL} ({USER_ID})"},
    }
    server.on("GET", "/talks/tlk_1", Answer(200, talk))
    said = [stage.failure(stage.request(), stage.job())]
    server.on("POST", "/talks", refusal(403, "PermissionError", f"{EMAIL} may not, {USER_ID}"))
    said.append(stage.failure(stage.request(2.0), stage.job()))
    for failure in said:
        text = f"{failure!r} {failure} {failure.message} {failure.advice} {stage.told}"
        assert EMAIL not in text and USER_ID not in text
        assert "**********" in failure.message


def test_every_kind_of_error_is_in_the_documentation() -> None:
    listed = table_keys("docs/did.md")
    assert {kind for kind in errors.KINDS if kind not in listed} == set()
