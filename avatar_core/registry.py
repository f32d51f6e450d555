"""Names of backends and engines, and their classes, which are imported only when they are used."""

from __future__ import annotations

import importlib
import inspect
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel

from avatar_core.errors import EnvironmentFault, InputError
from avatar_core.extras import install_advice
from avatar_core.nearest import did_you_mean

T = TypeVar("T")

# Every name can be written in an environment variable (AVATAR_BACKENDS__<NAME>__<OPTION>).
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_TARGET = re.compile(r"[\w.]+:[\w.]+")


class PluginFault(EnvironmentFault):
    """An installed plugin offers a class that cannot be used."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who registered a name: a plugin (its entry point) of a distribution."""

    plugin: str
    distribution: str | None = None

    def __str__(self) -> str:
        return f"{self.distribution} (plugin {self.plugin})" if self.distribution else self.plugin


@dataclass(frozen=True, slots=True)
class Entry:
    """One registered name; ``target`` is a class or "module:Class"."""

    name: str
    target: type | str
    summary: str
    owner: Owner


@dataclass(frozen=True, slots=True)
class Description:
    """A name for a list; ``conflict`` names all owners where there are several."""

    name: str
    summary: str
    owner: Owner
    conflict: str | None = None


class Registry(Generic[T]):
    """Lazy name -> class. ``kind`` is what messages call an entry ("avatar backend")."""

    def __init__(self, kind: str, base: type[T]) -> None:
        self.kind = kind
        self.base = base
        self._entries: dict[str, list[Entry]] = {}
        self._loaded: dict[str, type[T]] = {}
        # Importing one backend may ask for another.
        self._lock = threading.RLock()

    def register(
        self, name: str, target: type | str, summary: str = "", *, owner: Owner | None = None
    ) -> None:
        """Add a name. Several owners of one name make the name unusable, see `load`."""
        self.add(make_entry(name, target, summary, owner or Owner("this program")))

    def add(self, entry: Entry) -> None:
        self._entries.setdefault(entry.name, []).append(entry)

    def overlaid(self, classes: Mapping[str, type[T]]) -> Registry[T]:
        """A copy in which these names stand for these classes, whoever else owns them."""
        copy: Registry[T] = Registry(self.kind, self.base)
        copy._entries = dict(self._entries)
        for name, found in classes.items():
            copy._entries[name] = [Entry(name, found, "", Owner("this program"))]
        return copy

    def names(self) -> tuple[str, ...]:
        """All names in alphabetical order; imports nothing."""
        return tuple(sorted(self._entries))

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def describe(self) -> tuple[Description, ...]:
        """What is registered, in alphabetical order; imports nothing."""
        return tuple(self._description(name) for name in self.names())

    def load(self, name: str) -> type[T]:
        """The class called ``name``.

        Raises `InputError` for an unknown name or one with several owners, `PluginFault` where
        the class cannot be imported or does not keep to the contract.
        """
        entry = self._single(name)
        with self._lock:
            if name not in self._loaded:
                self._loaded[name] = self._checked(entry, _import(entry, self.kind))
            return self._loaded[name]

    def _description(self, name: str) -> Description:
        entries = self._entries[name]
        conflict = _owners(entries) if len(entries) > 1 else None
        return Description(name, entries[0].summary, entries[0].owner, conflict)

    def _single(self, name: str) -> Entry:
        entries = self._entries.get(name)
        if entries is None:
            raise InputError(
                f"There is no {self.kind} {name!r}.", advice=did_you_mean(name, self._entries)
            )
        if len(entries) > 1:
            raise InputError(
                f"Two plugins claim the {self.kind} {name!r}: {_owners(entries)}.",
                advice="Uninstall one of them, or name the plugins to load in AVATAR_PLUGINS.",
            )
        return entries[0]

    def _checked(self, entry: Entry, found: object) -> type[T]:
        complaint = self._complaint(found)
        if complaint is None and isinstance(found, type):
            return found
        raise PluginFault(
            f"The {self.kind} {entry.name!r} of {entry.owner} cannot be used: {complaint}.",
            advice="Report it to its author, and choose another one.",
        )

    def _complaint(self, found: object) -> str | None:
        """What is wrong with the class, told from cheapest to dearest."""
        base = self.base.__name__
        if not isinstance(found, type) or not issubclass(found, self.base):
            return f"it is not a subclass of {base}"
        if inspect.isabstract(found):
            return f"it lacks {', '.join(sorted(getattr(found, '__abstractmethods__', ())))}"
        if not isinstance(getattr(found, "name", None), str):
            return "it has no name"
        options: object = getattr(found, "Options", BaseModel)
        if not (isinstance(options, type) and issubclass(options, BaseModel)):
            return "its Options is not a pydantic model"
        if not isinstance(getattr(found, "revision", ""), str):
            return "its revision is not a text"
        wanted, has = getattr(self.base, "api_version", None), getattr(found, "api_version", None)
        if wanted != has:
            return f"it was written for version {has} of the contract, and this is {wanted}"
        return None


def make_entry(name: str, target: type | str, summary: str, owner: Owner) -> Entry:
    """A checked entry; raises ValueError, which is the plugin author's to read."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is not a name: use small letters, digits and single underscores"
        )
    if not isinstance(target, type) and not (isinstance(target, str) and _TARGET.fullmatch(target)):
        raise ValueError(f'{target!r} is neither a class nor "module:Class"')
    return Entry(name, target, summary, owner)


def _owners(entries: list[Entry]) -> str:
    return " and ".join(str(entry.owner) for entry in entries)


def _import(entry: Entry, kind: str) -> object:
    if isinstance(entry.target, type):
        return entry.target
    module_name, _, path = entry.target.partition(":")
    try:
        found: object = importlib.import_module(module_name)
        for part in path.split("."):
            found = getattr(found, part)
        return found
    except ModuleNotFoundError as failure:
        raise PluginFault(
            f"The {kind} {entry.name!r} needs the package {failure.name!r}, "
            "which is not installed.",
            advice=install_advice(failure.name or "", entry.owner.distribution),
        ) from failure
    except KeyboardInterrupt:
        raise
    except BaseException as failure:
        raise PluginFault(
            f"The {kind} {entry.name!r} of {entry.owner} cannot be loaded: "
            f"{type(failure).__name__}: {failure}.",
            advice="Report it to its author, and choose another one.",
        ) from failure
