"""The nearest right name for a wrong one, as every message about an unknown name gives it."""

from __future__ import annotations

from collections.abc import Iterable

_FEW = 8


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The name in ``known`` that ``word`` was probably meant to be, or None."""
    import difflib

    by_folded = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence for a message: the nearest right name, and all of them where they are few."""
    names = sorted(known)
    if not names:
        return "There is none to choose from."
    close = nearest(word, names)
    listed = f"Known: {', '.join(names)}."
    if close is None:
        return listed
    return f"Did you mean {close!r}?" + (f" {listed}" if len(names) <= _FEW else "")
