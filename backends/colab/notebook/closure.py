"""Which of our modules a few of them need, found by reading them, without importing any."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("avatar_core", "backends")
# How a module is named that is loaded by its name, such as "backends.static.backend:StaticBackend".
_NAMED = re.compile(rf"({'|'.join(PACKAGES)})(\.\w+)+(:\w+)?")


@dataclass(frozen=True, slots=True)
class Closure:
    """``modules`` by dotted name, each with its file; ``foreign`` are the top-level names of the
    packages of others that they import."""

    modules: dict[str, Path]
    foreign: frozenset[str]


def closure_of(roots: Iterable[str], without: Container[str] = ()) -> Closure:
    """The modules that ``roots`` need, themselves and their packages included.

    A module is needed when it is imported anywhere, also inside a function, or named in a string;
    what is imported for type checkers alone is not. Packages in ``without`` are left out: what
    imports them can do without them.
    """
    modules: dict[str, Path] = {}
    foreign: set[str] = set()
    waiting = [name for root in roots for name in _with_parents(root)]
    while waiting:
        name = waiting.pop()
        file = module_file(name)
        if name in modules or file is None or ".".join(name.split(".")[:2]) in without:
            continue
        modules[name] = file
        for wanted in mentions(file.read_text(encoding="utf-8")):
            if wanted.partition(".")[0] in PACKAGES:
                waiting += _with_parents(wanted)
            else:
                foreign.add(wanted.partition(".")[0])
    own = sys.stdlib_module_names | {"__future__"}
    return Closure(dict(sorted(modules.items())), frozenset(foreign - own))


def module_file(name: str) -> Path | None:
    """The file of one of our modules, None if there is no such module."""
    top, *rest = name.split(".")
    path = package_folder(top).joinpath(*rest)
    if (path / "__init__.py").is_file():
        return path / "__init__.py"
    file = path.with_name(path.name + ".py")
    return file if rest and file.is_file() else None


def package_folder(package: str) -> Path:
    """Where a top-level package of ours lies."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"the package {package} is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


def modules_below(package: str) -> list[str]:
    """Every module of a package of ours, by its dotted name."""
    top, *rest = package.split(".")
    folder = package_folder(top).joinpath(*rest)
    files = [path.relative_to(folder).with_suffix("") for path in folder.rglob("*.py")]
    return sorted(".".join([package, *(p for p in f.parts if p != "__init__")]) for f in files)


def _with_parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def mentions(code: str) -> Iterator[str]:
    """The modules, and perhaps names in them, that a module's ``code`` needs when it runs."""
    for node in _walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            if node.module.partition(".")[0] in PACKAGES:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and _NAMED.fullmatch(str(node.value)):
            yield str(node.value).partition(":")[0]


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but what stands under `if TYPE_CHECKING`."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for other in child.orelse:
                yield from _walk(other)
        else:
            yield from _walk(child)
