"""The documentation is checked against the code that it speaks of."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from avatar_core import events, hookspecs
from avatar_core.errors import Category
from avatar_core.policy.table import TABLE
from avatar_core.settings import Settings, known_keys, load_settings
from avatar_core.settings_layers import AS_THEY_ARE, ENVIRONMENT_ONLY, OPEN_TABLES, variable_for
from support_house import ROOT, code_blocks, documents, read, table_keys

HOOKS = [name for name, value in vars(hookspecs).items() if hasattr(value, "avatar_core_spec")]
NAMES = [str(path.relative_to(ROOT)) for path in documents()]


def test_there_are_hooks_to_document() -> None:
    assert len(HOOKS) >= 4


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_with_its_exact_arguments(hook: str) -> None:
    arguments = ", ".join(inspect.signature(getattr(hookspecs, hook)).parameters)
    assert f"### `{hook}({arguments})`" in read("docs/plugins.md")


def test_the_plugin_page_documents_no_hook_that_does_not_exist() -> None:
    documented = re.findall(r"^### `(\w+)\(", read("docs/plugins.md"), flags=re.M)
    assert sorted(documented) == sorted(HOOKS)


def test_every_category_of_failure_is_explained() -> None:
    assert {category.value for category in Category} <= table_keys("docs/plugins.md")


def test_every_event_is_listed_with_its_class() -> None:
    known = {kind.event: kind.__name__ for kind in events.Event.__subclasses__()}
    page = read("docs/plugins.md")
    assert known
    assert [f"| `{name}` | `{kind}` |" in page for name, kind in known.items()] == [True] * len(
        known
    )


def test_every_setting_is_listed_with_its_variable() -> None:
    page = read("docs/settings.md")
    keys = known_keys(Settings) - OPEN_TABLES
    missing = [key for key in keys if f"| `{key}` | `{variable_for(key)}` |" not in page]
    assert missing == []


def test_every_variable_that_is_no_setting_is_listed() -> None:
    page = read("docs/settings.md")
    assert [name for name in {*AS_THEY_ARE, *ENVIRONMENT_ONLY} if f"`{name}`" not in page] == []


def test_the_settings_page_lists_no_setting_that_does_not_exist() -> None:
    listed = {key for key in table_keys("docs/settings.md") if key.islower()}
    assert listed <= known_keys(Settings)


@pytest.mark.parametrize("document", NAMES)
def test_every_link_leads_somewhere(document: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", _prose(read(document)))
    files = [link.partition("#")[0] for link in links if "://" not in link]
    folder = (ROOT / document).parent
    assert [link for link in files if link and not (folder / link).exists()] == []


@pytest.mark.parametrize("document", NAMES)
def test_every_section_that_is_linked_exists(document: str) -> None:
    links = re.findall(r"\]\(([^)\s]*)#([^)\s]+)\)", _prose(read(document)))
    here = ROOT / document
    targets = [((here.parent / file) if file else here, section) for file, section in links
               if "://" not in file]  # fmt: skip
    assert [section for file, section in targets if section not in _sections(file)] == []


def test_every_page_is_on_the_first_page_of_the_documentation() -> None:
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert {page for page in pages if f"]({page})" not in read("docs/index.md")} == set()


@pytest.mark.parametrize("document", NAMES)
def test_every_python_example_compiles(document: str) -> None:
    for block in code_blocks(document, "python"):
        ast.parse(block)


@pytest.mark.parametrize("document", NAMES)
def test_every_name_that_an_example_imports_from_us_exists(document: str) -> None:
    missing = []
    for node in (
        n for block in code_blocks(document, "python") for n in ast.walk(ast.parse(block))
    ):
        if isinstance(node, ast.ImportFrom) and _is_ours(node.module):
            module = __import__(node.module or "", fromlist=["_"])
            missing += [a.name for a in node.names if not hasattr(module, a.name)]
    assert missing == []


@pytest.mark.parametrize("document", ["README.md", "docs/settings.md"])
def test_every_settings_example_is_accepted(document: str, tmp_path: Path) -> None:
    for number, block in enumerate(code_blocks(document, "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(block, encoding="utf-8")
        assert isinstance(load_settings(config=file, env={}, cwd=tmp_path).settings, BaseModel)


def test_the_first_script_in_the_readme_is_valid() -> None:
    from ruamel.yaml import YAML

    from renderer.script.models import VideoScript

    scripts = [VideoScript.model_validate(YAML(typ="safe").load(block))
               for block in code_blocks("README.md", "yaml")]  # fmt: skip
    assert [len(script.scenes) for script in scripts] == [3]


@pytest.mark.parametrize("path", sorted(set(re.findall(
    r"`((?:avatar_core|backends|renderer)/[\w./]+)`", read("docs/architecture.md")))))  # fmt: skip
def test_every_room_that_the_architecture_names_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("package", ["avatar_core", "renderer"])
def test_the_architecture_names_every_room(package: str) -> None:
    rooms = {path.parent.name for path in (ROOT / package).glob("*/*.py")}
    page = read("docs/architecture.md")
    assert [room for room in rooms if f"`{package}/{room}/`" not in page] == []


def _is_ours(module: str | None) -> bool:
    return (module or "").partition(".")[0] in ("avatar_core", "renderer", "backends")


def _prose(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def _sections(file: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", _prose(file.read_text(encoding="utf-8")), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("category", Category)
def test_the_page_on_failure_shows_the_table_as_it_is(category: Category) -> None:
    decision = TABLE[category]
    columns = (decision.retry, decision.step_down, decision.counts, decision.closes)
    cells = " | ".join("yes" if yes else "no" for yes in (*columns, decision.passing))
    assert f"| `{category}` | {cells} |" in read("docs/failure.md")
