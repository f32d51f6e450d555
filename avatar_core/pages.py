"""Where a message sends its reader: a page of the documentation, by the command that shows it.

The pages travel with the package, so the command works where no checkout is, and without network.
"""

from __future__ import annotations

COMMAND = "avatar docs"


def see(link: str) -> str:
    """The end of an advice: ``link`` is the name of a page, or of a section in it
    (``colab#no-face``). No full stop follows, so that the command can be copied to its end."""
    return f"See: {COMMAND} {link}"
