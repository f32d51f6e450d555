"""What every status, every failure of a connection and every known error page means."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass

from avatar_core.errors import Category


@dataclass(frozen=True, slots=True)
class Meaning:
    """``says`` goes on after the name of the service; ``advice`` None is the category's.

    ``unanswered`` says that an order (a request that must not be sent twice) may have been
    accepted although this came back instead of its answer.
    """

    category: Category
    says: str
    advice: str | None = None
    unanswered: bool = False


@dataclass(frozen=True, slots=True)
class Hint:
    """A text in an answer that tells more than its status: found by ``pattern`` (a regular
    expression, case ignored) among ``statuses``, None for any. ``unanswered`` None leaves that
    to the status; ``says`` and ``advice`` likewise. ``quotes`` False leaves out what the service
    itself says, such as a whole traceback.
    """

    name: str
    pattern: str
    category: Category
    says: str | None = None
    advice: str | None = None
    statuses: Container[int] | None = None
    unanswered: bool | None = None
    quotes: bool = True

    def fits(self, status: int, evidence: str) -> bool:
        if self.statuses is not None and status not in self.statuses:
            return False
        return re.search(self.pattern, evidence, re.IGNORECASE) is not None


_ADDRESS = "Check the address in the settings, and that the backend's version fits the service."
_WEB_ADDRESS = "Correct the address in the settings: https://, the host, nothing else."
_BUSY = "Wait until it is done with what it was asked before, then render again."
_TUNNEL = "Start the tunnel (or the notebook that opens it) again and use the address it prints."
_BEHIND = "The tunnel stands, the program behind it does not: start that again."
_OVERLOAD = "Render again later."
_PLAN = "Top up the account or wait for the next month, or choose another backend."
_DOWN = "Render again later; if it stays so, ask whoever runs the service."

STATUSES: dict[int, Meaning] = {
    400: Meaning(Category.INVALID_INPUT, "did not accept the request"),
    401: Meaning(Category.AUTH, "did not accept the key"),
    402: Meaning(Category.QUOTA, "has no credit left for this account"),
    403: Meaning(Category.AUTH, "refused access", "Check the key, and what its plan allows."),
    404: Meaning(Category.UNSUPPORTED, "has nothing at this address", _ADDRESS),
    405: Meaning(Category.UNSUPPORTED, "does not know this call", _ADDRESS),
    406: Meaning(Category.UNSUPPORTED, "cannot answer in a form that is understood here", _ADDRESS),
    407: Meaning(
        Category.AUTH, "is behind a proxy that wants a password", "Put it into HTTPS_PROXY."
    ),
    408: Meaning(
        Category.TIMEOUT,
        "waited too long for the request",
        "The upload is slow: check the network.",
    ),
    409: Meaning(Category.RATE_LIMIT, "is not ready for this yet", _BUSY),
    410: Meaning(Category.UNSUPPORTED, "does not offer this any longer", _ADDRESS),
    413: Meaning(
        Category.INVALID_INPUT,
        "finds the files too large",
        "Use a smaller picture or a shorter text.",
    ),
    415: Meaning(
        Category.INVALID_INPUT, "takes no files of this kind", "Use a JPEG or PNG and a WAV or MP3."
    ),
    422: Meaning(Category.INVALID_INPUT, "did not accept the request's values"),
    423: Meaning(Category.RATE_LIMIT, "is not ready for this yet", _BUSY),
    425: Meaning(Category.RATE_LIMIT, "is not ready for this yet", _BUSY),
    429: Meaning(Category.RATE_LIMIT, "asks for a pause"),
    451: Meaning(
        Category.INVALID_INPUT,
        "does not allow this material",
        "Its moderation objects: use another portrait or another text.",
    ),
    500: Meaning(Category.SERVER, "failed on its side", unanswered=True),
    501: Meaning(Category.UNSUPPORTED, "cannot do this", _ADDRESS),
    502: Meaning(Category.SERVER, "gave its gateway no proper answer", unanswered=True),
    # RFC 9110 (15.6.4) leaves open who says so and when: a gateway may after the service has taken
    # the order. With a Retry-After it was turned away at the door, see `http_errors.status_error`.
    503: Meaning(Category.SERVER, "is overloaded or being maintained", _OVERLOAD, unanswered=True),
    504: Meaning(Category.TIMEOUT, "did not answer its gateway in time", unanswered=True),
    505: Meaning(Category.UNSUPPORTED, "does not speak this version of HTTP", _ADDRESS),
    507: Meaning(Category.SERVER, "has no room left on its disks", _DOWN, unanswered=True),
    509: Meaning(Category.QUOTA, "has used up its traffic", _PLAN),
    511: Meaning(
        Category.CONNECTIVITY,
        "is behind a network that wants a login",
        "Log in to the network first.",
    ),
    520: Meaning(Category.SERVER, "gave Cloudflare no proper answer", unanswered=True),
    521: Meaning(Category.CONNECTIVITY, "is down behind Cloudflare", _DOWN),
    522: Meaning(Category.CONNECTIVITY, "did not answer Cloudflare's call", _DOWN, unanswered=True),
    523: Meaning(Category.CONNECTIVITY, "is out of Cloudflare's reach", _DOWN),
    524: Meaning(Category.TIMEOUT, "did not answer Cloudflare in time", unanswered=True),
    525: Meaning(Category.CONNECTIVITY, "has no working TLS behind Cloudflare", _DOWN),
    526: Meaning(Category.CONNECTIVITY, "has no valid certificate behind Cloudflare", _DOWN),
    529: Meaning(Category.RATE_LIMIT, "is overloaded", _OVERLOAD),
    530: Meaning(Category.CONNECTIVITY, "is not connected to Cloudflare", _TUNNEL),
    598: Meaning(Category.TIMEOUT, "did not answer a proxy in time", unanswered=True),
    599: Meaning(Category.TIMEOUT, "did not answer a proxy in time", unanswered=True),
}
# Statuses that no row names, by their first digit.
CLASSES: dict[int, Meaning] = {
    1: Meaning(Category.SERVER, "answered with something unexpected", _DOWN, unanswered=True),
    2: Meaning(Category.SERVER, "answered with something unexpected", _DOWN, unanswered=True),
    3: Meaning(Category.SERVER, "answered with something unexpected", _DOWN, unanswered=True),
    4: Meaning(Category.UNSUPPORTED, "refused the request", _ADDRESS),
    5: Meaning(Category.SERVER, "failed on its side", unanswered=True),
}

_ANY_5XX = range(500, 600)
_ANY_4XX = range(400, 500)
# From the most special to the most general: the first that fits decides.
HINTS: tuple[Hint, ...] = (
    Hint(
        "ngrok: tunnel offline",
        r"ERR_NGROK_3200\b|endpoint\b.{0,200}\bis offline|"
        r"tunnel\b.{0,200}\bnot found",
        Category.CONNECTIVITY,
        "is a tunnel that is closed",
        _TUNNEL,
        unanswered=False,
    ),
    Hint(
        "ngrok: nothing behind the tunnel",
        r"ERR_NGROK_8012\b",
        Category.CONNECTIVITY,
        "is a tunnel with nothing behind it",
        _BEHIND,
        unanswered=False,
    ),
    Hint(
        "ngrok: month used up",
        r"ERR_NGROK_(725|727|4027)\b",
        Category.QUOTA,
        "is a tunnel whose month is used up",
        _PLAN,
        unanswered=False,
    ),
    Hint(
        "ngrok: too many requests",
        r"ERR_NGROK_(702|718|720|734|1214|5001)\b",
        Category.RATE_LIMIT,
        "is a tunnel that asks for a pause",
        unanswered=False,
    ),
    Hint(
        "ngrok: warning page",
        r"ERR_NGROK_6024\b",
        Category.UNSUPPORTED,
        "is a tunnel that shows its warning page",
        "The backend must send the header ngrok-skip-browser-warning.",
        unanswered=False,
    ),
    Hint(
        "ngrok: anything else",
        r"ERR_NGROK_\d+",
        Category.CONNECTIVITY,
        "is a tunnel that failed",
        _TUNNEL,
        statuses={404, *_ANY_5XX},
    ),
    Hint(
        "Cloudflare: tunnel closed",
        r"\berror(_code)?\W{0,8}(code\W{0,3})?1033\b|"
        r"(argo|cloudflare) tunnel error",
        Category.CONNECTIVITY,
        "is a tunnel that is closed",
        _TUNNEL,
        unanswered=False,
    ),
    Hint(
        "Cloudflare: nothing behind the tunnel",
        r"unable to reach the origin service.{0,400}(connection refused|no such host)",
        Category.CONNECTIVITY,
        "is a tunnel with nothing behind it",
        _BEHIND,
        unanswered=False,
    ),
    Hint(
        "Cloudflare: silence behind the tunnel",
        r"unable to reach the origin service",
        Category.CONNECTIVITY,
        "is a tunnel that got no answer",
        _BEHIND,
    ),
    # Envoy and Istio, HAProxy, Traefik: they handed the request to nobody.
    Hint(
        "gateway: nobody behind it",
        r"no healthy upstream|no server is available to handle this request|"
        r"\bno available server\b|upstream connect error.{0,80}reset reason: "
        r"(remote connection failure|(local )?connection failure|overflow)",
        Category.CONNECTIVITY,
        "is a gateway with nobody behind it",
        _OVERLOAD,
        statuses={503},
        unanswered=False,
    ),
    Hint(
        "AWS: no such path",
        r"invalid key=value pair|requires 'credential' parameter|"
        r"missing authentication token",
        Category.UNSUPPORTED,
        "has nothing at this address",
        _ADDRESS,
        statuses={403},
    ),
    Hint(
        "AWS: used up",
        r'"message"\s*:\s*"limit exceeded"',
        Category.QUOTA,
        "has no calls left for this account",
        _PLAN,
        statuses={429},
    ),
    Hint(
        "S3: link run out",
        r"<Code>(AccessDenied|ExpiredToken)|request has expired",
        Category.CONNECTIVITY,
        "no longer gives out this file",
        "Its link has run out: render again to get a fresh one.",
        statuses={400, 403},
    ),
    Hint("too fast", r"per[ _-]?(second|minute)", Category.RATE_LIMIT, statuses={429}),
    Hint(
        "no credit",
        r"insufficient[ _-]?(quota|credit|fund|balance)|"
        r"not enough (credit|fund|balance)|\bno (more )?credits? (left|remaining)|"
        r"out of credits?\b|exceeded your current quota|"
        r"(quota|monthly limit) (is |was |has been )?(exceeded|exhausted|reached|used up)|"
        r"(exceeded|reached) (your|the) (monthly )?quota",
        Category.QUOTA,
        "has no credit left for this account",
        statuses=_ANY_4XX,
    ),
    Hint(
        "http for https",
        r"plain HTTP request was sent to HTTPS port|"
        r"sent an HTTP request to an HTTPS server",
        Category.INVALID_INPUT,
        "speaks only HTTPS at this address",
        "Write https:// instead of http://.",
        statuses={400},
    ),
)

# What can become of a request that got no answer, or no whole one.
FAILURES: dict[str, Meaning] = {
    "invalid_url": Meaning(Category.INVALID_INPUT, "has no valid web address", _WEB_ADDRESS),
    "invalid_header": Meaning(
        Category.AUTH,
        "cannot be called with this key or header",
        "Copy the key again: it holds a line break or a character that keys do not have.",
    ),
    "invalid_json": Meaning(Category.BACKEND_BUG, "would be sent values that JSON does not have"),
    "redirects": Meaning(Category.UNSUPPORTED, "sends requests round in circles", _ADDRESS),
    "moved": Meaning(
        Category.UNSUPPORTED,
        "sends this call elsewhere",
        "Put its new address into the settings.",
        True,
    ),
    "proxy": Meaning(
        Category.CONNECTIVITY,
        "cannot be reached through the proxy",
        "Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY.",
    ),
    "proxy_password": Meaning(
        Category.AUTH, "is behind a proxy that wants a password", "Put it into HTTPS_PROXY."
    ),
    "certificate": Meaning(
        Category.CONNECTIVITY,
        "has a certificate that is not trusted",
        "Check the address and this computer's clock; behind a company's proxy, set "
        "REQUESTS_CA_BUNDLE to the file with its certificate.",
    ),
    "plain_http": Meaning(
        Category.CONNECTIVITY,
        "does not speak HTTPS at this address",
        "Write http:// instead of https://, or correct the port.",
    ),
    "tls": Meaning(Category.CONNECTIVITY, "does not agree on an encrypted connection"),
    "dns": Meaning(
        Category.CONNECTIVITY,
        "is not known to the network",
        "Check the spelling of its address and the network; a tunnel has a new address after "
        "each start.",
    ),
    "refused": Meaning(
        Category.CONNECTIVITY,
        "refused the connection",
        "Start the service, or correct host and port.",
    ),
    "unreachable": Meaning(Category.CONNECTIVITY, "is out of reach", "Check the network."),
    "connect_timeout": Meaning(Category.CONNECTIVITY, "did not take the call in time"),
    "timeout": Meaning(Category.TIMEOUT, "did not answer in time", unanswered=True),
    "no_answer": Meaning(
        Category.CONNECTIVITY, "closed the connection without an answer", unanswered=True
    ),
    "upload_cut": Meaning(
        Category.CONNECTIVITY,
        "cut the connection before it had the whole request",
        "Check the network; the files may also be too large for the service.",
    ),
    "reset": Meaning(Category.CONNECTIVITY, "cut the connection", unanswered=True),
    "broken_answer": Meaning(
        Category.CONNECTIVITY, "sent only a part of its answer", unanswered=True
    ),
    "garbled": Meaning(
        Category.CONNECTIVITY, "answered with something that is not HTTP", _ADDRESS, unanswered=True
    ),
    "undecodable": Meaning(
        Category.BAD_OUTPUT, "sent an answer that cannot be unpacked", unanswered=True
    ),
    "too_large": Meaning(Category.BAD_OUTPUT, "sent more than was to be expected", unanswered=True),
    "not_json": Meaning(Category.SERVER, "answered with something that is not JSON", _DOWN, True),
    "not_media": Meaning(Category.BAD_OUTPUT, "sent a text in place of a file"),
    "empty": Meaning(Category.BAD_OUTPUT, "sent an empty file"),
    "other": Meaning(Category.CONNECTIVITY, "could not be talked to", unanswered=True),
}
