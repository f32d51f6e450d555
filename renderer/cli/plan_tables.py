"""Plans as people read them: a table of scenes and their backends, then the sums."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from avatar_core.backend import CREDITS, Cost
from renderer.cli.streams import printable
from renderer.planning.plan import Alternative, Estimate, Plan, RungPlan, ScenePlan, Span
from renderer.report.words import count, lasting, listed, price

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_UNKNOWN = "not known"
_PRESENTERS_ONLY = "for the presenters alone: speaking and composing come on top"


class Notes:
    """Reasons, each told once under a number: many scenes skip a backend for the same one."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> str:
        return f"({self._numbers.setdefault(text, len(self._numbers) + 1)})"

    def show(self, console: Console) -> None:
        for text, number in self._numbers.items():
            console.print(f"({number}) {printable(text)}")


def print_plan(console: Console, plan: Plan) -> None:
    """The scenes, the sums, what is sent out, the settings that count, and what to know."""
    notes = Notes()
    console.print(_scene_table(plan, notes), soft_wrap=False)
    notes.show(console)
    for line in (*_sums(plan), *_sent(plan)):
        console.print(printable(line))
    console.print(_settings_table(plan), soft_wrap=False)
    _print_warnings(console, plan)


def print_estimate(console: Console, estimate: Estimate) -> None:
    """The sums, the scenes that cost something, and a line for every loaded backend."""
    for line in _sums(estimate.plan):
        console.print(printable(line))
    if any(scene.costs or scene.unpriced for scene in estimate.plan.scenes):
        notes = Notes()
        console.print("What each scene costs:")
        console.print(_price_table(estimate.plan, notes), soft_wrap=False)
        notes.show(console)
    if estimate.plan.presented:
        notes = Notes()
        console.print("With one backend alone (--backend NAME):")
        console.print(_backend_table(estimate.alternatives, notes), soft_wrap=False)
        notes.show(console)
    _print_warnings(console, estimate.plan)


def _print_warnings(console: Console, plan: Plan) -> None:
    for warning in plan.warnings:
        console.print(f"Warning: {printable(warning)}", style="yellow")


def _scene_table(plan: Plan, notes: Notes) -> Table:
    table = _table("Scene", "Length", "Backend", "What happens", "Price", "Time")
    for scene in plan.scenes:
        first = (scene.id, _length(scene.seconds, exact=scene.exact))
        if not scene.rungs:
            table.add_row(*map(printable, first), "-", "nobody is seen", "", "")
        for number, rung in enumerate(scene.rungs):
            head = first if number == 0 else ("", "")
            cells = (*head, rung.backend, *_rung(rung, scene, notes))
            table.add_row(*map(printable, cells), style=None if rung.chosen else "dim")
        if plan.longest_chain > 1:
            table.add_section()
    return table


def _price_table(plan: Plan, notes: Notes) -> Table:
    """The scenes that cost something, or may; a job that several share is the first one's."""
    table = _table("Scene", "Length", "Backend", "Price")
    for scene in plan.scenes:
        rung = scene.chosen
        if rung is None or not (scene.costs or scene.unpriced or rung.reason):
            continue
        told = _UNKNOWN if scene.unpriced else price(scene.costs)
        if rung.reason:
            told += f" {notes.number(f'{rung.backend}: {rung.reason}')}"
        length = _length(scene.seconds, exact=scene.exact)
        table.add_row(*map(printable, (scene.id, length, rung.backend, told)))
    return table


def _rung(rung: RungPlan, scene: ScenePlan, notes: Notes) -> tuple[str, str, str]:
    """What happens at a rung, its price and its time."""
    if rung.state == "skip":
        why = " ".join(part for part in (rung.reason, rung.advice) if part)
        return f"skipped {notes.number(f'{rung.backend}: {why}')}", "", ""
    if rung.state == "made":
        return _in_turn("made already", rung, scene), _earlier(rung.paid), ""
    time = _time(rung.seconds)
    if rung.state == "fetch":
        does = f"is fetched {notes.number(f'{rung.backend}: {rung.reason}')}"
        return _in_turn(does, rung, scene), _earlier(rung.paid), time
    together = f" {notes.number(f'{rung.backend}: {rung.reason}')}" if rung.reason else ""
    return _in_turn(f"makes it{together}", rung, scene), _price(rung.price), time


def _in_turn(does: str, rung: RungPlan, scene: ScenePlan) -> str:
    if not rung.chosen:
        return f"if those above fail: {does}"
    return f"{does}, the second time" if scene.remade else does


def _sums(plan: Plan) -> Iterator[str]:
    guessed = "" if plan.exact else " (~: guessed, until it is spoken)"
    title = f"{plan.title!r}, " if plan.title else ""
    length = _length(plan.seconds, exact=plan.exact)
    yield f"Film: {title}{length}{guessed}, {count(len(plan.scenes), 'scene')}."
    if not plan.presented:
        yield "Presenters: none."
        return
    made = len(plan.presented) - len(plan.to_make)
    yield f"Presenters: {len(plan.to_make)} to make, {made} made already."
    if plan.degraded:
        yield f"Expected to fall back: {listed(plan.degraded)}."
    yield f"Expected price: {_expected(plan)}."
    yield f"At most: {_at_most(plan)}."
    if plan.to_make:
        yield f"Expected time: {_film_time(plan)}."


def _expected(plan: Plan) -> str:
    told = price(plan.costs)
    if plan.unpriced:
        extra = f"{_UNKNOWN} beforehand for {listed(plan.unpriced)}"
        told = f"{told}, and {extra}" if plan.costs else extra
    if plan.fetched:
        told += f", and {price(plan.fetched)} that was ordered by earlier runs"
    return told


def _at_most(plan: Plan) -> str:
    told = f"{_UNKNOWN}, as a price is not" if plan.most is None else price(plan.most)
    if plan.budget is None:
        return f"{told} (no budget is set: budget.max_cost)" if told != "nothing" else told
    used = f", of which {price([plan.counted])} is used already" if plan.counted.amount else ""
    return f"{told} (the budget is {_amount(plan.budget)}{used})"


def _amount(cost: Cost) -> str:
    unit = "credits" if cost.currency == CREDITS else cost.currency
    return price([cost]) if cost.amount else f"0 {unit}"


def _film_time(plan: Plan) -> str:
    known = _time(plan.time)
    if plan.untimed:
        names = listed(plan.untimed)
        if not plan.time.most:
            return f"{_UNKNOWN}: no clip of {names} was made here yet"
        known += f" and what {names} takes, of which no clip was made here yet"
    return f"{known}, {_PRESENTERS_ONLY}{_declared(plan)}"


def _declared(plan: Plan) -> str:
    if not plan.declared:
        return ""
    return f" ({listed(plan.declared)}: as declared, until a clip was made here)"


def _sent(plan: Plan) -> Iterator[str]:
    if not plan.sendings:
        yield "Sent out: nothing."
    for sending in plan.sendings:
        when = " if another backend fails" if sending.fallback else ""
        many = len(sending.scenes)
        scenes = "all scenes" if many == len(plan.scenes) > 1 else listed(sending.scenes)
        yield f"Sent out{when}: the {sending.what} of {scenes}, to {sending.to}."


def _settings_table(plan: Plan) -> Table:
    table = _table("Setting", "Value", "Where it came from")
    for one in plan.settings:
        where = f"{one.origin} ({', '.join(one.scenes)})" if one.scenes else one.origin
        table.add_row(*map(printable, (one.key, one.value, where)))
    return table


def _backend_table(alternatives: Sequence[Alternative], notes: Notes) -> Table:
    table = _table("Backend", "Makes", "Price", "Time", "Uploads", "Network")
    for one in alternatives:
        makes = "all" if one.alone else f"{one.makes} of {one.presenters}"
        if one.reason:
            makes += f" {notes.number(f'{one.backend}: {one.reason}')}"
        costs = _UNKNOWN if one.costs is None else price(one.costs)
        sums = (costs, _time(one.time)) if one.makes else ("", "")
        cells = (one.backend, makes, *sums, _said(one.uploads), _said(one.needs_network))
        table.add_row(*map(printable, cells), style=None if one.makes else "dim")
    return table


def _said(it_does: bool | None) -> str:
    return "" if it_does is None else "yes" if it_does else "no"


def _length(seconds: float, *, exact: bool) -> str:
    return lasting(seconds) if exact else f"~{lasting(seconds)}"


def _price(cost: Cost | None) -> str:
    return _UNKNOWN if cost is None else price([cost])


def _earlier(paid: Cost) -> str:
    return f"paid: {price([paid])}" if paid.amount else "nothing"


def _time(span: Span | None) -> str:
    if span is None:
        return _UNKNOWN
    usual, least, most = lasting(span.usual), lasting(span.least), lasting(span.most)
    return usual if least == most else f"{least} to {most}"


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
