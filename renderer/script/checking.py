"""Every name, file and text of a script looked up; what is wrong is told with its line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from avatar_core.nearest import did_you_mean
from renderer.script import models as m
from renderer.script.colors import hex_color, nearest_color
from renderer.script.files import Kind, locate, problem_with
from renderer.script.mistakes import Mistakes
from renderer.script.syntax import key_path

M = TypeVar("M", bound=m.Model)
Rule = Callable[["Checker", Any, str], Any]


@dataclass(frozen=True, slots=True)
class Checker:
    """Walks a script; ``known_backends`` and ``known_engines`` None means: not checked here."""

    base: Path
    mistakes: Mistakes
    speakers: tuple[str, ...] = ()
    scenes: int = 0
    pronunciations: Mapping[str, str] = field(default_factory=dict)
    known_backends: Sequence[str] | None = None
    known_engines: Sequence[str] | None = None
    rules: Mapping[type[m.Model], Rule] = field(default_factory=dict)

    def visit(self, model: M, at: tuple[str | int, ...] = ()) -> M:
        """``model`` with absolute paths, hexadecimal colours and long forms only."""
        changed: dict[str, Any] = {}
        for name in type(model).model_fields:
            if name in model.model_fields_set:
                value = getattr(model, name)
                new = self._visit_value(name, value, (*at, name))
                if new is not value:
                    changed[name] = new
        # A copy keeps which fields were set, and with it the cascade.
        model = model.model_copy(update=changed) if changed else model
        rule = self.rules.get(type(model))
        return cast("M", rule(self, model, key_path(at))) if rule else model

    def _visit_value(self, name: str, value: Any, at: tuple[str | int, ...]) -> Any:
        if isinstance(value, m.Model):
            return self.visit(value, at)
        if name == "background" and isinstance(value, str):
            return self.rules[m.Background](self, m.Background(src=value), key_path(at))
        if name in ("scenes", "overlays") and isinstance(value, tuple):
            return tuple(self.visit(each, (*at, i)) for i, each in enumerate(value))
        if name == "speakers":
            return {key: self.visit(each, (*at, key)) for key, each in value.items()}
        if name in ("color", "active_color"):
            return self.color(value, key_path(at))
        return value

    def color(self, value: str, at: str) -> str:
        """``value`` as ``#rrggbb``."""
        found = hex_color(value)
        if found is None:
            close = nearest_color(value)
            hint = f'Did you mean "{close}"?' if close else 'Write it as "#1b4332".'
            self.mistakes.tell(f'"{value[:40]}" is no colour.', at, hint)
        return found or value

    def file(self, raw: Path | str, at: str, *wanted: Kind, optional: bool = False) -> Path:
        """The absolute path; ``optional`` files only give a warning when they are unusable."""
        path = locate(raw, self.base)
        problem = problem_with(path, raw, wanted)
        if problem and optional:
            advice = f"A card with the speaker's name is shown instead. {problem.advice}"
            self.mistakes.warn(problem.message, at, advice)
        elif problem:
            self.mistakes.tell(problem.message, at, problem.advice)
        return path

    def name(self, what: str, name: str, known: Iterable[str] | None, at: str) -> None:
        """``name`` must be among the ``known``, where these are known."""
        names = tuple(known) if known is not None else None
        if names is not None and name not in names:
            self.mistakes.tell(f'there is no {what} "{name[:60]}".', at, did_you_mean(name, names))
