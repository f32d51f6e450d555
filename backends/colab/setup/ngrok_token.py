"""The ngrok token: from Colab's Secrets or the environment, never from a cell."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass

from pydantic import SecretStr

from avatar_core.secrets import hide

NAME = "NGROK_AUTHTOKEN"
_GET_ONE = (
    "Get a free token at https://dashboard.ngrok.com/get-started/your-authtoken. On Colab: the key "
    f"symbol on the left, Add new secret, name {NAME}, paste the token, switch on Notebook access. "
    f"Elsewhere: set the environment variable {NAME} before the notebook is started."
)


@dataclass(frozen=True, slots=True)
class Found:
    """``token`` if there is one; ``says`` in a sentence where it was found or what is wrong."""

    token: SecretStr | None
    says: str
    advice: str = ""


def find_token() -> Found:
    """Look into Colab's Secrets, then into the environment."""
    secret = _from_colab()
    if secret is not None and secret.token:
        return secret
    value = os.environ.get(NAME, "").strip()
    if value:
        return Found(hide(value), f"The environment variable {NAME} is set.")
    return secret or Found(None, "There is no ngrok token.", _GET_ONE)


def _from_colab() -> Found | None:
    """None outside of Colab."""
    try:
        userdata = importlib.import_module("google.colab.userdata")
    except ImportError:
        return None
    try:
        value = str(userdata.get(NAME) or "").strip()
    except Exception as failure:
        # The two kinds of failure are classes of a module that exists on Colab only.
        if type(failure).__name__ == "NotebookAccessError":
            return Found(
                None,
                f"The secret {NAME} exists, and this notebook may not read it.",
                f"The key symbol on the left: switch on Notebook access for {NAME}.",
            )
        return Found(None, f"Colab's Secrets hold no {NAME}.", _GET_ONE)
    if not value:
        return Found(None, f"The secret {NAME} is empty.", _GET_ONE)
    return Found(hide(value), f"Colab's Secrets hold {NAME}.")
