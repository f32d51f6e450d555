"""What is wrong with a server or its tunnel: each case its own category, sentence and section."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from avatar_core.backend import AvatarBackend, Job
from avatar_core.errors import AvatarError, Category
from avatar_core.health import LIMIT_SECONDS
from avatar_core.testing import Answer, Cut, Raw, ScriptedServer, Silence, media
from backends.colab import errors, v0_errors
from backends.colab.api import HEALTH_SECONDS, ColabApi
from backends.colab.config import ColabOptions
from backends.colab.server.refusals import KINDS
from backends.sadtalker.faults import FAULTS
from support_colab import (
    ENHANCER,
    NO_FACE,
    STAMP,
    Service,
    address,
    backend_at,
    failed,
    ngrok,
    serving,
)
from support_house import read

C = Category
WARNING_PAGE = (
    "<!DOCTYPE html><html><head><title>ngrok</title></head><body>You are about to visit ... "
    "set the ngrok-skip-browser-warning header</body></html>"
)
READY = "ready: Tesla T4, 14000 MB free; 0 running, 0 waiting"
CLOUDFLARE = "<html><title>Argo Tunnel error | x | Cloudflare</title>error code: 1033</html>"


@dataclass(frozen=True)
class Case:
    """``step`` is what answers; ``words`` and the section of ``advice`` are what is told."""

    step: Any
    category: Category
    words: str
    section: str
    retry_after: float | None = None


PAGES: dict[str, Case] = {
    "tunnel offline": Case(
        ngrok(3200, 404), C.CONNECTIVITY, "tunnel that is offline", "tunnel-offline"
    ),
    "tunnel not found": Case(
        ngrok(3209, 404), C.CONNECTIVITY, "tunnel that is offline", "tunnel-offline"
    ),
    "agent unreachable": Case(
        ngrok(3210, 502), C.CONNECTIVITY, "tunnel that is offline", "tunnel-offline"
    ),
    "nothing listens": Case(
        ngrok(8012, 502), C.CONNECTIVITY, "behind which no server runs", "server-not-running"
    ),
    "cut short": Case(ngrok(3004, 502), C.SERVER, "broke off", "server-not-running"),
    "interstitial": Case(ngrok(6024, 200), C.UNSUPPORTED, "warning page", "interstitial"),
    "interstitial without code": Case(
        Answer(200, WARNING_PAGE), C.UNSUPPORTED, "warning page", "interstitial"
    ),
    "localtunnel": Case(
        Answer(401, "<h1>Tunnel Password</h1>"), C.UNSUPPORTED, "password page", "interstitial"
    ),
    "rate limit": Case(ngrok(702, 429, 7), C.RATE_LIMIT, "asks for a pause", "rate-limit", 7.0),
    "rate limit of the minute": Case(
        ngrok(734, 429), C.RATE_LIMIT, "asks for a pause", "rate-limit"
    ),
    "bandwidth": Case(ngrok(725, 429), C.QUOTA, "month is used up", "quota"),
    "connections": Case(ngrok(726, 403), C.QUOTA, "month is used up", "quota"),
    "requests": Case(ngrok(727, 429), C.QUOTA, "month is used up", "quota"),
    "account blocked": Case(ngrok(3208, 403), C.AUTH, "ngrok does not accept", "ngrok-token"),
    "address refused": Case(ngrok(9040, 403), C.AUTH, "refuses this network", "tunnel-offline"),
    "any other of ngrok": Case(
        ngrok(9999, 500), C.CONNECTIVITY, "tunnel that failed", "tunnel-offline"
    ),
    # The header is ngrok's alone, whatever the rest pretends.
    "ngrok with our stamp": Case(
        Answer(404, {"status": "ok"}, {**STAMP, "ngrok-error-code": "ERR_NGROK_3200"}),
        C.CONNECTIVITY,
        "tunnel that is offline",
        "tunnel-offline",
    ),
    "cloudflared closed": Case(
        Answer(530, CLOUDFLARE), C.CONNECTIVITY, "tunnel that is offline", "tunnel-offline"
    ),
    "cloudflared without server": Case(
        Answer(502, "Unable to reach the origin service. connection refused"),
        C.CONNECTIVITY,
        "behind which no server runs",
        "server-not-running",
    ),
    "404 of somebody else": Case(
        Answer(404, "<h1>Not Found</h1>"), C.UNSUPPORTED, "not an avatar server", "not-our-server"
    ),
    "a home page": Case(
        Answer(200, "<h1>It works!</h1>"), C.UNSUPPORTED, "not an avatar server", "not-our-server"
    ),
    "json of somebody else": Case(
        Answer(200, {"status": "up"}), C.UNSUPPORTED, "not an avatar server", "not-our-server"
    ),
    "a list": Case(Answer(200, []), C.UNSUPPORTED, "not an avatar server", "not-our-server"),
    "a login of somebody else": Case(
        Answer(401, "Login"), C.UNSUPPORTED, "not an avatar server", "not-our-server"
    ),
    "a gateway": Case(
        Answer(503, "busy", {"Retry-After": "3"}), C.SERVER, "overloaded", "server-not-running", 3.0
    ),
    "wrong token": Case(
        Answer(
            401, {"error": failed("token_wrong", "auth", "The token is not this server's.")}, STAMP
        ),
        C.AUTH,
        "token is not this server",
        "wrong-token",
    ),
    "a fault of the server": Case(
        Answer(500, {"error": failed("internal_error", "backend_bug")}, STAMP),
        C.BACKEND_BUG,
        "internal_error",
        "crashed",
    ),
    "nothing at all": Case(Cut(reset=False), C.CONNECTIVITY, "without an answer", "tunnel-offline"),
    "not http": Case(Raw(b"SSH-2.0-OpenSSH_9.6\r\n"), C.CONNECTIVITY, "not HTTP", "tunnel-offline"),
}


UNKNOWN = (
    "cut short",
    "any other of ngrok",
    "a fault of the server",
    "nothing at all",
    "not http",
    "cloudflared without server",
)


@pytest.mark.parametrize("name", PAGES)
def test_before_use_the_check_tells_what_is_wrong_in_one_sentence(name: str) -> None:
    case = PAGES[name]
    with serving() as server:
        server.then(case.step)
        with pytest.raises(AvatarError) as told:
            backend_at(address(server.url)).check()
    judged(told.value, case, server)


@pytest.mark.parametrize("name", PAGES)
def test_a_render_that_meets_it_is_told_the_same(name: str, tmp_path: Path) -> None:
    case = PAGES[name]
    with serving() as server:
        server.on("POST", "/v1/jobs", case.step)
        failure = failure_of(backend_at(address(server.url)), tmp_path)
    judged(failure, case, server)
    # Only of these nobody knows whether the order arrived: it is looked for.
    assert failure.unanswered is (name in UNKNOWN)


def judged(failure: AvatarError, case: Case, server: ScriptedServer) -> None:
    assert failure.category is case.category, failure.message
    assert case.words in failure.message
    assert f"avatar docs colab#{case.section}" in failure.advice
    assert failure.retry_after == case.retry_after
    assert failure.message.count("\n") == 0
    assert f"Colab (127.0.0.1:{server.port})" in failure.message


# --- what our own server says of itself ----------------------------------------------------


@pytest.mark.parametrize(
    ("service", "token", "category", "words", "section"),
    [
        (Service(), None, C.AUTH, "wants a token, and the address has none", "wrong-token"),
        (Service(), "another-token", C.AUTH, "did not accept the token", "wrong-token"),
        (Service(health={"protocol": 2, "version": "2.0.0"}), "", C.UNSUPPORTED,
         "speaks protocol 2, this side 1", "versions-differ"),
        (Service(health={"protocol": None}), "", C.UNSUPPORTED, "speaks protocol",
         "versions-differ"),
        (Service(health={"protocol": float("inf")}), "", C.UNSUPPORTED, "speaks protocol",
         "versions-differ"),
        (Service(health={"ready": False, "problem": "This machine shows no GPU"}), "",
         C.UNSUPPORTED, "cannot work: This machine shows no GPU", "no-gpu"),
        (Service(health={"ready": False, "problem": "Weights are missing"}), "",
         C.UNSUPPORTED, "cannot work: Weights are missing", "missing-weights"),
        (Service(health={"engines": ["wav2lip"]}), "", C.UNSUPPORTED,
         "has no engine 'sadtalker'", "engine). See: avatar docs colab#the-backends-options"),
    ],
)  # fmt: skip
def test_a_server_that_cannot_serve_us_says_why(
    service: Service, token: str | None, category: Category, words: str, section: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    with serving(service) as server:
        url = address(server.url) if token == "" else address(server.url, token)
        health = backend_at(url).check()
        failure = failure_of(backend_at(url), tmp_path)
    assert (health.ok, health.category) == (False, category)
    assert words in health.message
    assert section in (health.advice or "")
    assert (failure.category, failure.message) == (category, health.message)
    assert not service.jobs


@pytest.mark.parametrize(
    ("version", "todo"),
    [("0.9.3", "avatar docs install#updating"), ("0.0.4", "avatar notebook")],
)
def test_versions_that_differ_work_with_a_warning_on_what_to_do(
    version: str, todo: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(Service(health={"version": version})) as server:
        backend = backend_at(address(server.url))
        health = backend.check()
        backend.check()
    assert health.ok
    assert f"The server has version {version}" in health.message
    assert todo in health.message and "avatar docs colab#versions-differ" in health.message
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_last_number_that_differs_is_nothing_to_tell() -> None:
    with serving(Service(health={"version": "0.1.99"})) as server:
        assert backend_at(address(server.url)).check().message == READY


def test_a_healthy_server_tells_its_gpu_and_queue() -> None:
    with serving() as server:
        health = backend_at(address(server.url)).check()
        (request,) = server.requests
    assert health.ok
    assert health.details["gpu"] == "Tesla T4, 14000 MB free"
    assert health.details["queue"] == "0 running, 0 waiting"
    assert health.message == READY
    assert request.headers["ngrok-skip-browser-warning"]
    assert request.headers["user-agent"].startswith("avatar-core/")


def test_without_an_address_it_says_what_to_set_and_asks_nobody(tmp_path: Path) -> None:
    backend = backend_at("")
    health = backend.check()
    assert (health.ok, health.message) == (False, "COLAB_API_URL is not set.")
    assert failure_of(backend, tmp_path).category is C.UNSUPPORTED


def test_a_server_that_never_answers_is_given_less_than_who_asks_would_wait() -> None:
    assert 4 < HEALTH_SECONDS < LIMIT_SECONDS
    with serving() as server:
        server.then(Silence())
        api = ColabApi(ColabOptions(url=address(server.url)))
        with pytest.raises(AvatarError) as told:
            api.health(seconds=0.2)
    assert told.value.category is C.TIMEOUT
    assert "avatar docs colab#time-out" in told.value.advice


def test_a_check_without_an_answer_speaks_of_the_notebook_and_of_no_scene() -> None:
    with serving() as server:
        server.then(Answer(504, "gateway"))
        with pytest.raises(AvatarError) as told:
            backend_at(address(server.url)).check()
    assert told.value.category is C.TIMEOUT
    assert told.value.advice.startswith("Look whether the notebook still runs")
    assert told.value.advice.endswith("See: avatar docs colab#time-out")


# --- what becomes of a job -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "category", "section"),
    [
        (NO_FACE, C.INVALID_INPUT, "no-face"),
        (ENHANCER, C.SERVER, "gfpgan-crash"),
        (failed("gpu_memory", "server"), C.SERVER, "out-of-memory"),
        (failed("cuda_loop", "server"), C.SERVER, "no-gpu"),
        (failed("weights_missing", "unsupported"), C.UNSUPPORTED, "missing-weights"),
        (failed("too_long", "timeout"), C.TIMEOUT, "time-out"),
        (failed("from_the_future", "enchanted"), C.SERVER, "server-not-running"),
        ({}, C.SERVER, "server-not-running"),
    ],
)
def test_a_job_that_failed_is_told_as_the_server_tells_it(
    error: Any, category: Category, section: str, tmp_path: Path
) -> None:
    with serving(Service(polls=0, outcomes=[error])) as server:
        failure = failure_of(backend_at(address(server.url)), tmp_path)
    assert failure.category is category
    assert f"avatar docs colab#{section}" in failure.advice
    assert failure.message.startswith(error.get("message", "Colab"))


@pytest.mark.parametrize(
    ("body", "category", "words", "section"),
    [
        (
            "Command 'python inference.py --enhancer gfpgan' returned non-zero exit status 1.",
            C.SERVER,
            "lost its enhancer",
            "gfpgan-crash",
        ),
        (
            "Command 'inference.py --enhancer RestoreFormer' returned non-zero exit status 1.",
            C.SERVER,
            "lost its enhancer",
            "gfpgan-crash",
        ),
        (
            "Command 'python inference.py' returned non-zero exit status 1.",
            C.INVALID_INPUT,
            "could not animate the picture",
            "no-face",
        ),
        (
            "Inference failed: TypeError: exceptions must derive from BaseException",
            C.INVALID_INPUT,
            "No face was found",
            "no-face",
        ),
        (
            "Inference failed: torch.cuda.OutOfMemoryError: CUDA out of memory. gfpgan",
            C.SERVER,
            "memory of the GPU",
            "out-of-memory",
        ),
        (
            "Inference failed: No module named 'facexlib'",
            C.UNSUPPORTED,
            "no complete SadTalker",
            "missing-weights",
        ),
        ("Processing timeout (>2 minutes)", C.TIMEOUT, "gave up after two minutes", "time-out"),
        ("No video generated", C.BAD_OUTPUT, "made no video", "time-out"),
        (
            "/bin/sh: python3.8: command not found",
            C.UNSUPPORTED,
            "no complete SadTalker",
            "missing-weights",
        ),
        (
            "[Errno 2] No such file or directory: 'SadTalker'",
            C.UNSUPPORTED,
            "no complete SadTalker",
            "missing-weights",
        ),
        ("something else", C.SERVER, "failed on its side", "server-not-running"),
    ],
)
def test_an_old_server_s_text_becomes_a_category_and_a_sentence(
    body: str, category: Category, words: str, section: str, tmp_path: Path
) -> None:
    answer = Answer(500, {"error": body, "stdout": "", "command": "python inference.py"})
    with serving(Service(first=True, outcomes=[answer])) as server:
        failure = failure_of(backend_at(server.url), tmp_path)
    assert failure.category is category, failure.message
    assert words in failure.message
    assert f"avatar docs colab#{section}" in failure.advice
    assert "inference.py" not in failure.message


def test_every_refusal_of_the_server_and_fault_of_the_engine_has_a_section_to_read_on() -> None:
    sections = headings()
    for code, kind in KINDS.items():
        assert errors.section_of(code, kind.category) in sections, code
    for fault in FAULTS:
        assert errors.section_of(fault.code, fault.category) in sections, fault.code


def test_every_section_that_advice_names_is_on_the_page() -> None:
    hints = (*errors.HINTS, *v0_errors.FIRST_HINTS)
    named = set(re.findall(r"avatar docs colab#([\w-]+)", " ".join(h.advice or "" for h in hints)))
    named |= set(errors._SECTIONS.values()) | {section for _, section in errors._CODES}
    named |= {"versions-differ"}
    assert named - headings() == set()


def headings() -> set[str]:
    found = re.findall(r"^#+ (.+)$", read("docs/colab.md"), flags=re.M)
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in found}


def failure_of(backend: AvatarBackend, folder: Path) -> AvatarError:
    """What `generate` raises."""
    (folder / "job").mkdir(exist_ok=True)
    request = media.request(folder, 1.0)
    with pytest.raises(AvatarError) as told:
        backend.generate(request, Job(folder / "job", reference="av-test-1"))
    return told.value
