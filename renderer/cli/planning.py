"""`avatar plan` and `avatar estimate`: what a render would do, before it does anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from renderer.cli import streams
from renderer.cli.json_lines import json_output
from renderer.cli.rendering import chain_of, split_assignments

if TYPE_CHECKING:
    from renderer.planning.plan import Estimate, Plan
    from renderer.renderer import SmartVideoRenderer

T = TypeVar("T")
Variables = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The script that is asked about, and what is said beside it."""

    script: Path
    backend: str | None = None
    config: Path | None = None
    assignments: tuple[str, ...] = ()


def show_plan(question: Question, *, as_json: bool) -> None:
    """Print what a render would do now; raises `InputError`."""

    def plan(renderer: SmartVideoRenderer, variables: Variables) -> Plan:
        return renderer.plan(question.script, variables=variables)

    if as_json:
        from renderer.planning.as_json import plan_as_json

        with json_output() as lines:
            lines.write(plan_as_json(_answer(question, plan)))
        return
    from renderer.cli.plan_tables import print_plan

    print_plan(streams.out(), _answer(question, plan))


def show_estimate(question: Question, *, as_json: bool) -> None:
    """Print length, price and time in short, and what every other backend would take."""

    def estimate(renderer: SmartVideoRenderer, variables: Variables) -> Estimate:
        return renderer.estimate(question.script, variables=variables)

    if as_json:
        from renderer.planning.as_json import estimate_as_json

        with json_output() as lines:
            lines.write(estimate_as_json(_answer(question, estimate)))
        return
    from renderer.cli.plan_tables import print_estimate

    print_estimate(streams.out(), _answer(question, estimate))


def _answer(question: Question, ask: Callable[[SmartVideoRenderer, Variables], T]) -> T:
    from renderer.renderer import SmartVideoRenderer

    overrides, variables = split_assignments(question.assignments)
    with SmartVideoRenderer(
        chain_of(question.backend), config=question.config, overrides=overrides
    ) as renderer:
        return ask(renderer, variables)
