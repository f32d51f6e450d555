"""The documentation as the package carries it: its pages, and the sections of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from avatar_core.errors import EnvironmentFault, InputError
from avatar_core.nearest import did_you_mean
from avatar_core.pages import COMMAND

FIRST = "index"
_HEADING = re.compile(r"^(#+) +(.+?) *$")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_PICTURE = re.compile(r"!\[[^\]]*\]\([^)]*\)\n?")
_ROW = re.compile(r"^\| \[(.+?)\]\(([\w-]+)\.md\) \| (.+?) \|$", flags=re.M)
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Section:
    """``name`` is what stands behind the # of a link, ``depth`` 1 for the page itself; ``text``
    is Markdown, with the sections below it."""

    name: str
    title: str
    depth: int
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """``name`` is that of its file, without the ending."""

    name: str
    text: str


def pages() -> dict[str, Page]:
    """Every page by its name, the first page first. Raises `EnvironmentFault` where an
    installation lacks them."""
    files = sorted(_folder().glob("*.md"), key=lambda path: (path.stem != FIRST, path.stem))
    return {path.stem: Page(path.stem, path.read_text(encoding="utf-8")) for path in files}


def contents() -> list[tuple[str, str, str]]:
    """Of every page its name, its title and whom it is for, as the first page lists them."""
    rows = _ROW.findall(pages()[FIRST].text)
    return [(name, title, whom.replace("`", "")) for title, name, whom in rows]


def found(link: str) -> str:
    """A page, or one section of it, as Markdown whose links name commands.

    ``link`` is ``colab``, ``colab#no-face`` or a page's path; what clings to it when it is copied
    out of a sentence does no harm. Raises `InputError`, with the nearest name, for what is not
    there.
    """
    name, _, section = link.strip(" \t`'\".,;:()").partition("#")
    known, name = pages(), re.sub(r"^(.*/)?(.+?)(\.md)?$", r"\2", name)
    page = known.get(name.lower())
    if page is None:
        raise InputError(f"There is no page {name!r}.", advice=_other_page(name, known))
    return _for_reading(_part(page, section.lower()) if section else page.text, page.name)


def sections_of(text: str) -> list[Section]:
    """The sections of a page in their order; the first is the page itself."""
    lines = text.splitlines(keepends=True)
    heads = list(_headings(lines))
    sections: list[Section] = []
    for number, (start, depth, title) in enumerate(heads):
        ends = (line for line, other, _ in heads[number + 1 :] if other <= depth)
        body = "".join(lines[start : next(ends, len(lines))])
        name = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        sections.append(Section(name, title.replace("`", ""), depth, body))
    return sections


def _part(page: Page, name: str) -> str:
    sections = {section.name: section for section in reversed(sections_of(page.text))}
    section = sections.get(name)
    if section is None:
        raise InputError(
            f"The page {page.name} has no section {name!r}.",
            advice=f"{did_you_mean(name, sections)} The whole page: {COMMAND} {page.name}",
        )
    return section.text


def _headings(lines: list[str]) -> Iterator[tuple[int, int, str]]:
    """The number of each heading's line, its depth and its words."""
    fenced = False
    for number, line in enumerate(lines):
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced and (match := _HEADING.match(line)):
            yield number, len(match[1]), match[2]


def _for_reading(text: str, page: str) -> str:
    """Without pictures, and with links that a terminal can follow; code stays as it is."""
    pieces = re.split(r"(^ *```.*?^ *```$)", text, flags=re.M | re.S)
    for number in range(0, len(pieces), 2):
        prose = _PICTURE.sub("", pieces[number])
        pieces[number] = _LINK.sub(lambda match: _spelled(match[1], match[2], page), prose)
    return "".join(pieces)


def _spelled(words: str, target: str, page: str) -> str:
    if "://" in target:
        return target if words in target else f"{words} ({target})"
    file, _, section = target.partition("#")
    if file and not re.fullmatch(r"[\w-]+\.md", file):
        # What a checkout has beside its pages.
        return words
    name = file.removesuffix(".md") or page
    return f"{words} (`{COMMAND} {name}{'#' if section else ''}{section}`)"


def _other_page(name: str, known: dict[str, Page]) -> str:
    return f"{did_you_mean(name, known)} All pages: {COMMAND}"


def _folder() -> Path:
    """Beside this file where the package was installed, beside the package in a checkout."""
    here = Path(__file__).parent
    for folder in (here / "docs", here.parent / "docs"):
        if (folder / f"{FIRST}.md").is_file():
            return folder
    raise EnvironmentFault(
        "The documentation is not in this installation.",
        advice="Install avatar-core again.",
    )
