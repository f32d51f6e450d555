"""What ngrok's agent complains of, by its codes (https://ngrok.com/docs/errors)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from avatar_core.errors import AvatarError, Category
from avatar_core.http_text import shown
from avatar_core.pages import see


@dataclass(frozen=True, slots=True)
class Complaint:
    """``says`` goes on after the word ngrok."""

    category: Category
    says: str
    advice: str


_DASHBOARD = "https://dashboard.ngrok.com/get-started/your-authtoken"
_NEW_TOKEN = (
    f"Copy the token from {_DASHBOARD} into Colab's Secrets (the key at the left) as "
    f"NGROK_AUTHTOKEN, or set that environment variable. {see('colab#ngrok-token')}"
)
_TOKEN = Complaint(Category.AUTH, "does not accept the token", _NEW_TOKEN)
_NO_TOKEN = Complaint(Category.AUTH, "wants a token of a verified account", _NEW_TOKEN)
_BLOCKED = Complaint(
    Category.AUTH, "has blocked the account",
    "Look into its dashboard, or use --tunnel cloudflared.",
)  # fmt: skip
_OLD = Complaint(
    Category.UNSUPPORTED, "says that its program here is too old",
    "Run: python -c 'from pyngrok import ngrok; ngrok.update()'",
)  # fmt: skip
_SESSIONS = Complaint(
    Category.QUOTA, "says that too many of its programs run for this account",
    "End the others at https://dashboard.ngrok.com/agents, or disconnect the other notebooks. "
    f"{see('colab#ngrok-token')}",
)  # fmt: skip
_ONLINE = Complaint(
    Category.UNSUPPORTED, "says that the address is in use by another session",
    "End that session at https://dashboard.ngrok.com/agents, or disconnect the earlier notebook; "
    f"wait a minute, and start again. {see('colab#ngrok-token')}",
)  # fmt: skip
_DOMAIN = Complaint(
    Category.UNSUPPORTED, "does not give this account that address",
    "Leave --ngrok-url out, or name the domain that the dashboard shows for this account.",
)  # fmt: skip
_ADDRESS = Complaint(
    Category.AUTH, "does not allow this machine's address",
    "Look at the IP restrictions in its dashboard.",
)  # fmt: skip
_USED_UP = Complaint(
    Category.QUOTA, "says that this month's free use is over",
    f"Use --tunnel cloudflared, or wait for the next month. {see('colab#quota')}",
)  # fmt: skip

COMPLAINTS: dict[int, Complaint] = {
    **dict.fromkeys((105, 107), _TOKEN),
    108: _SESSIONS,
    **dict.fromkeys((120, 121), _OLD),
    324: _SESSIONS,
    334: _ONLINE,
    **dict.fromkeys((725, 726, 727), _USED_UP),
    **dict.fromkeys((3208, 8014), _BLOCKED),
    4018: _NO_TOKEN,
    9040: _ADDRESS,
    15002: _DOMAIN,
}
UNKNOWN = Complaint(
    Category.CONNECTIVITY, "could not open the tunnel",
    "Check the network, start again, or use --tunnel cloudflared.",
)  # fmt: skip
_CODE = re.compile(r"ERR_NGROK_(\d+)")


def ngrok_error(printed: str) -> AvatarError:
    """The failure of which ``printed`` (an exception's text, a log) tells."""
    match = _CODE.search(printed)
    complaint = COMPLAINTS.get(int(match[1]), UNKNOWN) if match else UNKNOWN
    told = f" (ERR_NGROK_{match[1]})" if match else ""
    # What is not known is shown: it may be all that helps.
    own = f": {shown(printed, 300)}" if complaint is UNKNOWN and printed else ""
    return AvatarError(
        complaint.category, f"ngrok {complaint.says}{told}{own}.", advice=complaint.advice
    )
