"""ngrok: an account and a token, and an address that stays the same."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from avatar_core.errors import InputError
from avatar_core.extras import install_advice
from backends.colab.server.ngrok_errors import ngrok_error

_START_SECONDS = 30
_REQUEST_SECONDS = 15.0


class NgrokTunnel:
    """``token`` None: the one in ngrok's own configuration file; else the program is given one
    with the token in it, which nobody else may read. ``url`` asks for one of the account's
    addresses. ``program`` and ``config`` replace pyngrok's places for them; it fetches the program
    when it is not there.
    """

    def __init__(
        self,
        token: SecretStr | None = None,
        *,
        url: str | None = None,
        program: Path | None = None,
        config: Path | None = None,
    ) -> None:
        self._token = token
        self._url = url
        self._program = program
        self._config = config
        self._settings: Any = None
        self._private: tempfile.TemporaryDirectory[str] | None = None
        self._public: str | None = None

    def open(self, port: int) -> str:
        options = {"url": self._url} if self._url else {}
        tunnel = self._asked(lambda ngrok, settings: ngrok.connect(
            # By its number: where localhost means ::1 first, nobody would be there.
            f"http://127.0.0.1:{port}", pyngrok_config=settings, **options
        ))  # fmt: skip
        self._public = str(tunnel.public_url).replace("http://", "https://", 1)
        return self._public

    def alive(self) -> bool:
        from pyngrok import process

        return self._settings is not None and process.is_process_running(self._settings.ngrok_path)

    def close(self) -> None:
        if self._settings is None:
            return
        from pyngrok import ngrok

        with contextlib.suppress(Exception):
            if self._public is not None and self.alive():
                ngrok.disconnect(self._public, self._settings)
        with contextlib.suppress(Exception):
            ngrok.kill(self._settings)
        if self._private is not None:
            self._private.cleanup()
            self._private = None

    def _asked(self, ask: Callable[[Any, Any], Any]) -> Any:
        try:
            from pyngrok import ngrok
            from pyngrok.conf import PyngrokConfig
            from pyngrok.exception import PyngrokError
        except ModuleNotFoundError as failure:
            raise InputError(
                "The tunnel needs a package that is not installed: pyngrok.",
                advice=install_advice("pyngrok"),
            ) from failure
        self._settings = PyngrokConfig(
            ngrok_path=str(self._program) if self._program else None,
            config_path=self._configuration(),
            startup_timeout=_START_SECONDS,
            request_timeout=_REQUEST_SECONDS,
            # Ctrl-C is ours: the tunnel is closed in order, not killed beside us.
            start_new_session=True,
        )
        # It would become an option of the program, which every user of the machine can see.
        self._settings.auth_token = None
        try:
            return ask(ngrok, self._settings)
        except (PyngrokError, OSError) as failure:
            self.close()
            told = [str(failure), *(str(getattr(failure, name, "") or "") for name in _TELLING)]
            raise ngrok_error("\n".join(told)) from failure

    def _configuration(self) -> str | None:
        """The configuration file for the program, None for its own. See
        https://ngrok.com/docs/agent/config/v3 for the form."""
        if self._token is None:
            return str(self._config) if self._config else None
        if self._private is None:
            self._private = tempfile.TemporaryDirectory(prefix="avatar-ngrok-")
        path = Path(self._private.name) / "ngrok.yml"
        secret = json.dumps(self._token.get_secret_value())
        path.write_text(f"version: 3\nagent:\n  authtoken: {secret}\n", encoding="utf-8")
        return str(path)


# Where pyngrok's errors keep what ngrok itself said.
_TELLING = ("ngrok_error", "body", "reason")
