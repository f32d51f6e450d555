"""Which optional package is missing, and the command that installs it."""

from __future__ import annotations

import sys

_EXTRA_OF = {
    "espeakng_loader": "espeak",
    "gtts": "online-voices",
    "edge_tts": "online-voices",
    "flask": "server",
    "pyngrok": "server",
    "waitress": "server",
}


def _python() -> str:
    """This Python as it is typed: the first ``pip`` on the path may be another one's, which would
    install beside us, or find a stranger's package of our name."""
    found = sys.executable or "python"
    return f'"{found}"' if " " in found else found


def install_advice(module: str, distribution: str | None = None) -> str:
    """What to do when ``module`` cannot be imported; ``distribution`` is who needs it."""
    package = module.partition(".")[0]
    extra = _EXTRA_OF.get(package)
    if extra is not None:
        return f'Install it with: {_python()} -m pip install "avatar-core[{extra}]"'
    again = f", or install {distribution} again" if distribution else ""
    return f"Install the package that provides {package!r}{again}."
