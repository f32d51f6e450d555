"""Where the project's own files lie, and the code that its documentation shows."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("avatar_core", "backends", "renderer")
# What the project consists of; a checkout may hold other folders (.venv, out) beside it.
FOLDERS = (*PACKAGES, "benchmarks", "docs", "examples", "notebooks", "tests", ".ci")
TEXT_SUFFIXES = {
    *(".py", ".md", ".toml", ".yaml", ".yml", ".json", ".ipynb", ".svg", ".txt", ".cfg", ".sh", "")
}


def project_files() -> list[Path]:
    """Every file of the project, caches left out."""
    nested = [path for name in FOLDERS for path in (ROOT / name).rglob("*")]
    files = [path for path in (*ROOT.iterdir(), *nested) if path.is_file()]
    return sorted(path for path in files if "__pycache__" not in path.parts)


def text_files() -> list[Path]:
    hidden = {".env", ".coverage"}
    return [p for p in project_files() if p.suffix in TEXT_SUFFIXES and p.name not in hidden]


def python_files() -> list[Path]:
    return [path for path in project_files() if path.suffix == ".py"]


def documents() -> list[Path]:
    return [path for path in project_files() if path.suffix == ".md"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def code_blocks(document: str, language: str) -> list[str]:
    """The fenced blocks of one language in a document, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```", read(document), flags=re.M | re.S)


def table_keys(document: str) -> set[str]:
    """What stands in backticks in the first cell of a table's rows."""
    return set(re.findall(r"^\| `([^`]+)`", read(document), flags=re.M))
