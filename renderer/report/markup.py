"""HTML that escapes by itself: whatever is not `Markup` yet is taken for text."""

from __future__ import annotations

import html
from collections.abc import Iterable

from avatar_core.secrets import scrub

# HTML allows none of them, as text or as a character reference; tab and new line stay.
_CONTROLS = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(127, 160)], "�")
# Elements without an end tag (HTML Living Standard, "void elements").
_VOID = frozenset({"br", "img", "link", "meta", "track"})


class Markup(str):
    """Text that is HTML already and goes into the page as it is."""

    __slots__ = ()


Content = str | Iterable["Content"] | None


def plain(value: object) -> str:
    """What a reader sees of ``value``: no secrets, nothing that a file cannot hold."""
    text = scrub(str(value)).replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROLS)
    # File names may hold bytes that are no text (PEP 383).
    return text.encode("utf-8", "replace").decode()


def markup(content: Content) -> Markup:
    """``content`` as HTML: text escaped, several things one after the other, None nothing."""
    if content is None:
        return Markup()
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        return Markup(html.escape(plain(content)))
    return Markup("".join(markup(part) for part in content))


def tag(name: str, /, *content: Content, **attributes: str | float | bool | None) -> Markup:
    """An element. ``class_`` stands for ``class`` and ``data_start`` for ``data-start``; an
    attribute that is None or False is left out, one that is True has no value."""
    opened = "".join([f"<{name}", *(_attribute(*pair) for pair in attributes.items()), ">"])
    return Markup(opened if name in _VOID else f"{opened}{markup(content)}</{name}>")


def _attribute(name: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    written = name.rstrip("_").replace("_", "-")
    if value is True:
        return f" {written}"
    shown = value if isinstance(value, Markup) else html.escape(plain(value))
    return f' {written}="{shown}"'
