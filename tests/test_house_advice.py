"""Where messages send their reader, there is something to read, also without a checkout."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from avatar_core.errors import InputError
from avatar_core.pages import see
from backends.colab import errors as colab
from backends.colab.server.ngrok_errors import COMPLAINTS
from backends.colab.server.refusals import KINDS
from backends.sadtalker.faults import CUDA_LOOP, FAULTS
from renderer import manual
from support_house import PACKAGES, ROOT, python_files

OURS = [path for path in python_files() if path.relative_to(ROOT).parts[0] in PACKAGES]
_SHOWN = re.compile(r"\bavatar docs ([\w-]+(?:#[\w-]+)?)")


def links_in(tree: ast.AST) -> Iterator[str]:
    """What is written out: arguments of `see`, and commands inside texts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "see":
            yield from (a.value for a in node.args
                        if isinstance(a, ast.Constant) and isinstance(a.value, str))  # fmt: skip
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _SHOWN.findall(node.value)


def links_of_tables() -> set[str]:
    """What is put together of a table's words."""
    sections = {*colab._SECTIONS.values(), *(section for _, section in colab._CODES)}
    texts = [hint.advice or "" for hint in colab.HINTS]
    texts += [kind.advice for kind in (*KINDS.values(), *COMPLAINTS.values())]
    codes = {fault.code for fault in (*FAULTS, CUDA_LOOP.fault)}
    return {
        *(f"colab#{section}" for section in sections),
        *(f"sadtalker#{code}" for code in codes),
        *(link for text in texts for link in _SHOWN.findall(text)),
    }


def texts_of(tree: ast.AST) -> Iterator[str]:
    """Every text of a module but what explains it to its readers."""
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


LINKS = {path: set(links_in(ast.parse(path.read_text("utf-8")))) for path in OURS}


def test_every_page_and_section_that_a_message_names_is_there() -> None:
    links = links_of_tables().union(*LINKS.values())
    assert len(links) > 30
    missing = []
    for link in sorted(links):
        try:
            assert manual.found(link).strip()
        except InputError as failure:
            missing.append(str(failure))
    assert missing == []


def test_no_message_names_a_file_that_only_a_checkout_has() -> None:
    named = {
        f"{path.relative_to(ROOT)}: {text[:60]}"
        for path in OURS
        for text in texts_of(ast.parse(path.read_text("utf-8")))
        if re.search(r"\bdocs/\S*\.md|\b[\w-]+\.md#", text)
    }
    assert named == set()


@pytest.mark.parametrize("link", ["colab", "colab#no-face", "sadtalker#no_face"])
def test_the_command_that_advice_ends_with_can_be_copied_to_its_end(link: str) -> None:
    assert see(link).endswith(f"avatar docs {link}")


@pytest.mark.parametrize("page", [path.stem for path in sorted((ROOT / "docs").glob("*.md"))])
def test_every_page_can_be_shown_whole_and_in_parts(page: str) -> None:
    whole = manual.found(page)
    assert whole.startswith("# ")
    for section in manual.sections_of((ROOT / "docs" / f"{page}.md").read_text("utf-8")):
        assert manual.found(f"{page}#{section.name}").startswith("#" * section.depth + " ")


@pytest.mark.parametrize("page", [path.stem for path in sorted((ROOT / "docs").glob("*.md"))])
def test_every_link_of_a_page_is_a_command_that_leads_somewhere(page: str) -> None:
    shown = re.sub(r"^ *```.*?^ *```$", "", manual.found(page), flags=re.M | re.S)
    assert re.findall(r"\]\([^)]*\)", shown) == []
    for link in re.findall(r"\(`avatar docs ([^`]+)`\)", shown):
        assert manual.found(link)


def test_every_page_is_in_the_list_of_pages() -> None:
    assert [name for name, _, _ in manual.contents()] != []
    assert {name for name, _, _ in manual.contents()} | {"index"} == set(manual.pages())


def test_the_pages_of_a_checkout_are_its_own() -> None:
    folder = Path(manual.__file__).parent
    assert not (folder / "docs").exists()
    assert manual.pages()["colab"].text == (ROOT / "docs" / "colab.md").read_text("utf-8")
