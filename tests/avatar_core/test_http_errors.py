"""Every status, every failure of a connection, every error page: what it means to the policy."""

from __future__ import annotations

import re
import socket
import ssl
from datetime import UTC, datetime
from email.utils import format_datetime
from http.client import BadStatusLine, IncompleteRead, RemoteDisconnected

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr
from urllib3.connection import HTTPConnection
from urllib3.exceptions import (
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
)

from avatar_core.errors import AvatarError, Category
from avatar_core.http_address import authorization, called, host_of, may_know, without_user_info
from avatar_core.http_errors import content_error, failure_error, kind_of, status_error
from avatar_core.http_tables import CLASSES, FAILURES, HINTS, STATUSES, Hint
from avatar_core.http_text import LONGEST_MESSAGE, LONGEST_PAUSE, pause_of, said, shown
from avatar_core.secrets import hide, reveal

NOW = 1_767_225_600.0
C = Category

# Status, category, whether an order may exist after it.
EXPECTED: list[tuple[int, Category, bool]] = [
    (300, C.SERVER, True),
    (304, C.SERVER, True),
    (400, C.INVALID_INPUT, False),
    (401, C.AUTH, False),
    (402, C.QUOTA, False),
    (403, C.AUTH, False),
    (404, C.UNSUPPORTED, False),
    (405, C.UNSUPPORTED, False),
    (406, C.UNSUPPORTED, False),
    (407, C.AUTH, False),
    (408, C.TIMEOUT, False),
    (409, C.RATE_LIMIT, False),
    (410, C.UNSUPPORTED, False),
    (413, C.INVALID_INPUT, False),
    (415, C.INVALID_INPUT, False),
    (418, C.UNSUPPORTED, False),
    (422, C.INVALID_INPUT, False),
    (423, C.RATE_LIMIT, False),
    (425, C.RATE_LIMIT, False),
    (429, C.RATE_LIMIT, False),
    (451, C.INVALID_INPUT, False),
    (499, C.UNSUPPORTED, False),
    (500, C.SERVER, True),
    (501, C.UNSUPPORTED, False),
    (502, C.SERVER, True),
    (503, C.SERVER, True),
    (504, C.TIMEOUT, True),
    (505, C.UNSUPPORTED, False),
    (507, C.SERVER, True),
    (509, C.QUOTA, False),
    (511, C.CONNECTIVITY, False),
    (520, C.SERVER, True),
    (521, C.CONNECTIVITY, False),
    (522, C.CONNECTIVITY, True),
    (523, C.CONNECTIVITY, False),
    (524, C.TIMEOUT, True),
    (525, C.CONNECTIVITY, False),
    (526, C.CONNECTIVITY, False),
    (529, C.RATE_LIMIT, False),
    (530, C.CONNECTIVITY, False),
    (598, C.TIMEOUT, True),
    (599, C.TIMEOUT, True),
    (777, C.SERVER, True),
]


def error_for(
    status: int,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    *,
    order: bool = True,
    hints: tuple[Hint, ...] = (),
) -> AvatarError:
    return status_error(
        "D-ID (api.d-id.com)", status, headers, body, now=NOW, order=order, hints=hints
    )


@pytest.mark.parametrize(("status", "category", "unanswered"), EXPECTED)
def test_a_status_has_a_category_and_says_whether_an_order_may_exist(
    status: int, category: Category, unanswered: bool
) -> None:
    error = error_for(status)
    assert (error.category, error.unanswered, error.status) == (category, unanswered, status)
    assert not error_for(status, order=False).unanswered


def test_every_row_of_the_table_is_tested() -> None:
    assert set(STATUSES) <= {status for status, _, _ in EXPECTED}


@given(st.integers(100, 999))
def test_whatever_the_status_there_is_one_sentence_and_a_next_step(status: int) -> None:
    error = error_for(status)
    assert re.fullmatch(r"D-ID \(api\.d-id\.com\) [^.\n]+ \(HTTP \d+\)\.", error.message)
    assert error.advice


@pytest.mark.parametrize("status", range(400, 500))
def test_no_refusal_leaves_an_order_open(status: int) -> None:
    assert not error_for(status).unanswered


def test_turned_away_with_a_time_to_come_back_leaves_no_order_open() -> None:
    assert error_for(503).unanswered
    assert error_for(503, headers={"Retry-After": "soon"}).unanswered
    assert not error_for(503, headers={"retry-after": "30"}).unanswered
    assert error_for(502, headers={"Retry-After": "30"}).unanswered


OFFLINE = b"<html><body>The endpoint xyz.ngrok-free.app is offline. ERR_NGROK_3200</body></html>"
ORIGIN = b"Unable to reach the origin service. The service may be down: "
PAGES: dict[str, tuple[int, bytes, Category, bool]] = {
    "ngrok: tunnel offline": (404, OFFLINE, C.CONNECTIVITY, False),
    "ngrok: nothing behind the tunnel": (502, b"<p>ERR_NGROK_8012</p>", C.CONNECTIVITY, False),
    "ngrok: month used up": (403, b"ERR_NGROK_727", C.QUOTA, False),
    "ngrok: too many requests": (429, b"ERR_NGROK_734", C.RATE_LIMIT, False),
    "ngrok: warning page": (200, b"ERR_NGROK_6024", C.UNSUPPORTED, False),
    "ngrok: anything else": (502, b"ERR_NGROK_3004", C.CONNECTIVITY, True),
    "Cloudflare: tunnel closed": (
        530, b'{"title":"Error 1033: Cloudflare Tunnel error","status":530,"error_code":1033}',
        C.CONNECTIVITY, False),
    "Cloudflare: nothing behind the tunnel": (
        502, ORIGIN + b"dial tcp 127.0.0.1:5000: connect: connection refused",
        C.CONNECTIVITY, False),
    "Cloudflare: silence behind the tunnel": (502, ORIGIN + b"EOF", C.CONNECTIVITY, True),
    "gateway: nobody behind it": (503, b"no healthy upstream", C.CONNECTIVITY, False),
    "AWS: no such path": (
        403, b'{"message":"Invalid key=value pair (missing equal-sign) in Authorization header"}',
        C.UNSUPPORTED, False),
    "AWS: used up": (429, b'{"message":"Limit Exceeded"}', C.QUOTA, False),
    "S3: link run out": (
        403, b'<?xml version="1.0"?><Error><Code>AccessDenied</Code>'
        b"<Message>Request has expired</Message></Error>", C.CONNECTIVITY, False),
    "too fast": (
        429, b'{"error":"Quota exceeded for limit requests per minute"}', C.RATE_LIMIT, False),
    "no credit": (
        429, b'{"error":{"code":"insufficient_quota","message":"You are out."}}', C.QUOTA, False),
    "http for https": (
        400, b"<center>The plain HTTP request was sent to HTTPS port</center>",
        C.INVALID_INPUT, False),
}  # fmt: skip


@pytest.mark.parametrize("hint", HINTS, ids=lambda hint: hint.name)
def test_a_known_page_tells_more_than_its_status(hint: Hint) -> None:
    status, body, category, unanswered = PAGES[hint.name]
    error = error_for(status, body)
    assert (error.category, error.unanswered) == (category, unanswered)
    assert hint.says is None or hint.says in error.message
    assert hint.advice is None or error.advice == hint.advice


@pytest.mark.parametrize(
    ("status", "body", "category"),
    [
        (400, b'{"kind":"InsufficientCreditsError","description":"not enough credits"}', C.QUOTA),
        (403, b"Your account has no credits left", C.QUOTA),
        (429, b"You exceeded your current quota, please check your plan", C.QUOTA),
        (429, b'{"message":"Too Many Requests"}', C.RATE_LIMIT),
        (500, b"out of credits", C.SERVER),
        (404, b"Tunnel abc.ngrok.io not found", C.CONNECTIVITY),
        (404, b'{"kind":"NotFoundError","description":"talk not found"}', C.UNSUPPORTED),
        (530, b"<title>Argo Tunnel error</title>", C.CONNECTIVITY),
        (504, b'{"message":"Endpoint request timed out"}', C.TIMEOUT),
        (403, b'{"Message":"User is not authorized with an explicit deny"}', C.AUTH),
        (401, b'{"error":"needs 1033 credits"}', C.AUTH),
    ],
)
def test_words_of_a_body_count_only_where_they_mean_it(
    status: int, body: bytes, category: Category
) -> None:
    assert error_for(status, body).category is category


def test_the_code_that_ngrok_puts_into_a_header_is_seen() -> None:
    error = error_for(404, b"", {"Ngrok-Error-Code": "ERR_NGROK_3200"})
    assert error.category is C.CONNECTIVITY


def test_a_backend_s_own_hints_come_first() -> None:
    crash = Hint("crash", "gfpgan", C.SERVER, "crashed in its enhancer", "Use enhancer none.")
    kind = Hint("plan", "PermissionError", C.UNSUPPORTED, statuses={403})
    body = b'{"error":"inference.py --enhancer gfpgan failed, out of credits"}'
    error = error_for(400, body, hints=(kind, crash))
    assert error.category is C.SERVER
    assert "crashed in its enhancer (HTTP 400)" in error.message
    assert error.advice == "Use enhancer none."
    plan = error_for(403, b'{"kind":"PermissionError"}', hints=(kind,))
    assert "cannot do this" in plan.message
    assert plan.advice != STATUSES[403].advice


def test_a_hint_may_leave_out_what_the_service_says() -> None:
    crash = Hint("crash", "Traceback", C.SERVER, "crashed", quotes=False)
    error = error_for(500, b'{"error":"Traceback (most recent call last)"}', hints=(crash,))
    assert error.message == "D-ID (api.d-id.com) crashed (HTTP 500)."


# --- what the service says -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error":"No video generated"}', "No video generated"),
        (b'{"message":"Unauthorized"}', "Unauthorized"),
        (b'{"Message":"explicit deny"}', "explicit deny"),
        (b'{"kind":"FaceError","description":"no face."}', "FaceError: no face"),
        (b'{"error":{"type":"x","message":"deep"}}', "x: deep"),
        (b'{"detail":[{"loc":["body"],"msg":"field required"}]}', "field required"),
        (b'{"errors":["one","two"]}', "one; two"),
        (b'{"title":"Bad","detail":"It is bad"}', "It is bad"),
        (b'{"error":null,"message":"other"}', "other"),
        (b'{"error":{"code":"only_code"}}', "only_code"),
        (b'{"status":"x"}', ""),
        (b'"just text"', "just text"),
        (b"[]", ""),
        (b'{"error":', ""),
        (b'{"error":' * 9 + b'"far down"' + b"}" * 9, ""),
        (b"plain words\nand more", "plain words"),
        (b"<html><head><title>502 Bad\n Gateway</title></head><body>x</body></html>",
         "502 Bad Gateway"),
        (b"<Error><Code>AccessDenied</Code><Message>Gone &amp; over</Message></Error>",
         "AccessDenied: Gone & over"),
        (b"<html></html>", ""),
        (b"", ""),
        (b"\xff\xfe\x00", "\ufffd\ufffd"),
    ],
)  # fmt: skip
def test_the_service_s_own_words_are_found(body: bytes, text: str) -> None:
    assert said(body) == text


def test_a_body_nested_too_deep_says_nothing() -> None:
    assert said(b"[" * 60_000) == ""
    assert said(b'{"error":' * 9_000) == ""


@given(st.binary(max_size=400))
def test_nothing_that_a_service_sends_breaks_the_telling(body: bytes) -> None:
    text = said(body)
    assert len(text) <= LONGEST_MESSAGE
    assert text.isprintable() or not text


def test_a_long_message_is_cut_and_kept_on_one_line() -> None:
    text = shown("word\n\x1b[31m" * 100)
    assert len(text) == LONGEST_MESSAGE
    assert text.endswith("…")
    assert not set("\n\x1b") & set(text)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("GET https://s3.amazonaws.com/v.mp4?Signature=abc&x=1 failed",
         "GET https://s3.amazonaws.com/v.mp4 failed"),
        ("see https://me:pw123@host/x#tok", "see https://host/x"),
        ("sent Authorization: Bearer eyJhbGciOi.xyz", "sent Authorization: Bearer **********"),
        ("Basic dXNlcjpwYXNz was wrong", "Basic ********** was wrong"),
        ("basic requirements are unmet", "basic requirements are unmet"),
    ],
)  # fmt: skip
def test_what_is_shown_holds_no_link_s_secret_and_no_credentials(text: str, safe: str) -> None:
    assert shown(text) == safe


def test_known_secrets_do_not_come_back_in_a_service_s_words() -> None:
    hide("sekret-key-4711")
    error = error_for(401, b'{"error":"the key sekret-key-4711 is wrong"}')
    assert "4711" not in error.message


# --- pauses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None), ("", None), ("0", 0.0), ("120", 120.0), (" 7 ", 7.0), ("1.5", 1.5),
        ("-1", None), ("+5", None), ("1e3", None), ("nan", None), ("inf", None), ("٣", None),
        ("soon", None), ("9" * 400, LONGEST_PAUSE), ("86401", LONGEST_PAUSE),
        ("Thu, 01 Jan 2026 00:02:00 GMT", 120.0), ("Thu, 01 Jan 2026 00:02:00 -0000", 120.0),
        ("Thursday, 01-Jan-26 00:02:00 GMT", 120.0), ("Thu Jan  1 00:02:00 2026", 120.0),
        ("Wed, 31 Dec 2025 23:59:59 GMT", None), ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_PAUSE),
        ("Thu, 99 Jan 2026 00:02:00 GMT", None), ("Thu, 01 Jan 99999 00:00:00 GMT", None),
    ],
)  # fmt: skip
def test_a_pause_is_read_in_seconds_and_as_a_date(value: str | None, seconds: float | None) -> None:
    assert pause_of(value, NOW) == seconds


@given(st.text(max_size=60))
@example("Mon, 01 Jan 0000 00:00:00 GMT")
@example("1" * 4000)
def test_no_pause_is_negative_or_endless(value: str) -> None:
    seconds = pause_of(value, NOW)
    assert seconds is None or 0 <= seconds <= LONGEST_PAUSE


@given(st.integers(0, 86_400))
def test_both_forms_of_a_pause_mean_the_same(seconds: int) -> None:
    date = format_datetime(datetime.fromtimestamp(NOW + seconds, UTC), usegmt=True)
    assert pause_of(date, NOW) == pause_of(str(seconds), NOW) == seconds


@pytest.mark.parametrize(
    ("status", "pause"), [(429, 9.0), (503, 9.0), (500, 9.0), (408, 9.0), (401, None), (402, None)]
)
def test_a_pause_is_passed_on_only_where_coming_back_makes_sense(
    status: int, pause: float | None
) -> None:
    assert error_for(status, headers={"Retry-After": "9"}).retry_after == pause


# --- connections ---------------------------------------------------------------------------

NOBODY = HTTPConnection("nobody.invalid")


def raised_from(outer: Exception, cause: Exception) -> Exception:
    outer.__cause__ = cause
    return outer


def max_retry(reason: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(MaxRetryError(None, "/", reason))  # type: ignore[arg-type]


def new_connection(cause: OSError) -> requests.ConnectionError:
    return max_retry(raised_from(NewConnectionError(NOBODY, "failed"), cause))


def tls(reason: str) -> requests.exceptions.SSLError:
    return requests.exceptions.SSLError(ssl.SSLError(1, reason))


def untrusted() -> ssl.SSLCertVerificationError:
    failure = ssl.SSLCertVerificationError("certificate verify failed")
    failure.verify_message = "certificate has expired"
    return failure


E = requests.exceptions
# The row, the exception, whether the request had arrived.
EXCEPTIONS: list[tuple[str, Exception, bool]] = [
    ("invalid_url", E.MissingSchema("No scheme supplied"), False),
    ("invalid_url", E.InvalidSchema("No connection adapters"), False),
    ("invalid_url", E.InvalidURL("no host"), False),
    ("invalid_header", E.InvalidHeader("line break"), False),
    ("invalid_header", UnicodeEncodeError("latin-1", "ключ", 0, 1, "no"), False),
    ("garbled", E.InvalidHeader("Content-Length contained multiple values"), True),
    ("invalid_json", E.InvalidJSONError("nan"), False),
    ("redirects", E.TooManyRedirects("31"), True),
    ("proxy", E.ProxyError("refused"), False),
    ("proxy", E.InvalidProxyURL("bad"), False),
    ("proxy_password", E.ProxyError("Tunnel connection failed: 407 Proxy Authentication"), False),
    ("certificate", max_retry(E.SSLError(untrusted())), False),
    ("plain_http", tls("[SSL: WRONG_VERSION_NUMBER] wrong version number"), False),
    ("plain_http", tls("[SSL: RECORD_LAYER_FAILURE] record layer failure"), False),
    ("tls", tls("[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] alert"), False),
    ("reset", tls("EOF occurred in violation of protocol"), True),
    ("dns", max_retry(NameResolutionError("nobody.invalid", NOBODY, socket.gaierror(-2))), False),
    ("refused", new_connection(ConnectionRefusedError(111, "refused")), False),
    ("unreachable", new_connection(OSError(113, "No route to host")), False),
    ("connect_timeout", E.ConnectTimeout("timed out"), False),
    ("timeout", E.ReadTimeout("timed out"), True),
    ("timeout", E.ConnectionError(ProtocolError("aborted", TimeoutError("write"))), False),
    ("no_answer", E.ConnectionError(ProtocolError("aborted", RemoteDisconnected("bye"))), True),
    ("upload_cut", E.ConnectionError(ProtocolError("aborted", RemoteDisconnected("bye"))), False),
    ("reset", E.ConnectionError(ProtocolError("aborted", ConnectionResetError(104))), True),
    ("upload_cut", E.ConnectionError(ProtocolError("aborted", BrokenPipeError(32))), False),
    ("broken_answer", E.ChunkedEncodingError(ProtocolError("x", IncompleteRead(b""))), True),
    ("garbled", E.ConnectionError(ProtocolError("aborted", BadStatusLine("hm"))), True),
    ("undecodable", E.ContentDecodingError("not gzip"), True),
    ("other", E.RequestException("?"), True),
    ("other", OSError("?"), True),
]


@pytest.mark.parametrize(("kind", "failure", "arrived"), EXCEPTIONS)
def test_an_exception_is_known_by_what_caused_it(
    kind: str, failure: Exception, arrived: bool
) -> None:
    assert kind_of(failure, arrived=arrived) == kind
    error = failure_error("x", failure, order=True, arrived=arrived)
    meaning = FAILURES[kind]
    assert error.category is meaning.category
    assert error.unanswered is (arrived and meaning.unanswered)


# These are raised by name, or for an answer that came.
NAMED = {"moved", "too_large", "not_json", "not_media", "empty"}


def test_every_row_of_failures_is_tested() -> None:
    assert {kind for kind, _, _ in EXCEPTIONS} | NAMED == set(FAILURES)


@pytest.mark.parametrize("kind", FAILURES)
def test_every_failure_is_one_sentence_with_a_next_step(kind: str) -> None:
    error = failure_error("D-ID (api.d-id.com)", kind, detail="because")
    assert re.fullmatch(r"D-ID \(api\.d-id\.com\) [^\n]+: because\.", error.message)
    assert error.advice


@pytest.mark.parametrize(
    "kind",
    ["invalid_url", "invalid_header", "invalid_json", "redirects", "proxy", "proxy_password",
     "certificate", "plain_http", "tls", "dns", "refused", "unreachable", "connect_timeout",
     "upload_cut"],
)  # fmt: skip
def test_what_never_arrived_leaves_no_order_open(kind: str) -> None:
    assert not failure_error("x", kind, order=True).unanswered


@pytest.mark.parametrize(
    "kind", ["timeout", "no_answer", "reset", "broken_answer", "garbled", "undecodable", "other"]
)
def test_a_lost_answer_leaves_an_order_open_unless_it_cannot_have_arrived(kind: str) -> None:
    assert failure_error("x", kind, order=True).unanswered
    assert not failure_error("x", kind, order=True, arrived=False).unanswered
    assert not failure_error("x", kind).unanswered


def test_a_failure_that_was_dealt_with_before_is_not_blamed() -> None:
    try:
        try:
            raise ConnectionRefusedError(111, "an earlier attempt")
        except ConnectionRefusedError:
            raise E.ReadTimeout("now") from None
    except E.ReadTimeout as failure:
        assert kind_of(failure) == "timeout"


def test_causes_that_go_round_in_circles_end() -> None:
    first, second = OSError("a"), OSError("b")
    first.__cause__, second.__cause__ = second, first
    assert kind_of(first) == "other"


def test_a_certificate_s_fault_is_named() -> None:
    error = failure_error("x", E.SSLError(untrusted()), arrived=False)
    assert error.message.endswith("is not trusted: certificate has expired.")


def test_a_page_in_place_of_a_video_means_what_the_page_says() -> None:
    error = content_error("x", "not_media", 200, {}, OFFLINE, order=True)
    assert (error.category, error.unanswered) == (C.CONNECTIVITY, False)
    other = content_error("x", "not_media", 200, {}, b'{"error":"no face"}')
    assert (other.category, other.message) == (
        C.BAD_OUTPUT, "x sent a text in place of a file: no face.")  # fmt: skip


# --- addresses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://u:p@api.d-id.com/talks?key=1#x", "api.d-id.com"),
        ("http://127.0.0.1:5000/", "127.0.0.1:5000"),
        ("http://[::1]:80/", "::1:80"),
        ("http://[::1", ""),
        ("http://host:99999/", ""),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_of_an_address_only_the_host_is_shown(url: str, host: str) -> None:
    assert host_of(url) == host
    assert called("", url) == (host or "the service")


@pytest.mark.parametrize(
    ("old", "new", "allowed"),
    [
        ("https://a.com/x", "https://a.com/y", True),
        ("https://a.com", "https://A.com:443/", True),
        ("http://a.com", "https://a.com", True),
        ("https://a.com", "http://a.com", False),
        ("https://a.com", "https://b.com", False),
        ("https://a.com", "https://a.com.evil.com", False),
        ("https://a.com", "https://x.a.com", False),
        ("https://a.com", "https://a.com:8443", False),
        ("http://a.com:8080", "https://a.com", False),
        ("https://a.com", "https://a.com@evil.com/", False),
        ("https://a.com", "ftp://a.com/", False),
        ("https://a.com", "https://[::1", False),
    ],
)
def test_credentials_are_told_to_their_own_origin_only(old: str, new: str, allowed: bool) -> None:
    assert may_know(new, old) is allowed


def test_credentials_are_taken_out_of_an_address() -> None:
    url, auth = without_user_info("https://me%40x:p%3Aw1234@host:5000/api@v1")
    assert (url, reveal(auth)) == ("https://host:5000/api@v1", ["me@x", "p:w1234"])
    assert without_user_info("https://host/a@b") == ("https://host/a@b", None)


def test_a_pair_is_encoded_and_a_whole_value_is_trimmed() -> None:
    assert authorization(("user", SecretStr("pass"))) == {"Authorization": "Basic dXNlcjpwYXNz"}
    assert authorization("Bearer abcdefg\n") == {"Authorization": "Bearer abcdefg"}
    assert authorization(None) == {}
    assert "abcdefg" not in shown("it said Bearer abcdefg")


def test_the_classes_of_statuses_have_their_rows() -> None:
    assert sorted(CLASSES) == [1, 2, 3, 4, 5]
