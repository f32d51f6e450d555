"""`avatar backends` and `avatar doctor`: how what was found is shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from renderer.cli import streams
from renderer.cli.json_lines import json_output
from renderer.cli.streams import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from avatar_core.plugins import FailedPlugin
    from renderer.doctor import Diagnosis
    from renderer.health import Probe

_MARKS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "broken": ("BROKEN", "red")}


def list_backends(config: Path | None, *, as_json: bool) -> None:
    """Print every avatar backend with what its own check says."""
    from avatar_core.plugins import load_plugins
    from avatar_core.settings import load_settings
    from renderer.health import probe_backends

    def look() -> tuple[list[Probe], list[FailedPlugin]]:
        loaded = load_settings(config=config)
        plugins = load_plugins()
        return probe_backends(plugins, loaded), plugins.failed

    if as_json:
        with json_output() as lines:
            probes, failed = look()
            reasons = [{"plugin": f.name, "reason": f.reason} for f in failed]
            lines.write({"backends": [p.to_json() for p in probes], "failed": reasons})
        return
    probes, failed = look()
    console = streams.out()
    console.print(_backend_table(probes), soft_wrap=False)
    _show_failed(console, failed)


def show_diagnosis(config: Path | None, *, as_json: bool) -> int:
    """Print what the doctor found; 1 when something essential is broken, else 0."""
    from renderer.doctor import diagnose

    if as_json:
        with json_output() as lines:
            diagnosis = diagnose(config)
            lines.write(diagnosis.to_json())
        return int(diagnosis.broken)
    diagnosis = diagnose(config)
    console = streams.out()
    console.print(_finding_table(diagnosis), soft_wrap=False)
    if diagnosis.origins:
        console.print(_settings_table(diagnosis), soft_wrap=False)
    if diagnosis.broken:
        console.print("Something essential is broken: see BROKEN above.", style="red")
    else:
        console.print("Everything essential works.", style="green")
    return int(diagnosis.broken)


def _backend_table(probes: Sequence[Probe]) -> Table:
    table = _table("Backend", "What it is", "Works here", "From")
    for probe in probes:
        mark, style = _MARKS["ok"] if probe.ok else ("no", "yellow")
        health = _sentence(mark, probe.message, probe.advice)
        cells = (probe.name, printable(probe.summary), health, printable(probe.owner))
        table.add_row(*cells, style=None if probe.ok else style)
    return table


def _show_failed(console: Console, failed: Sequence[FailedPlugin]) -> None:
    for plugin in failed:
        console.print(f"Warning: {printable(plugin)}", style="yellow")


def _finding_table(diagnosis: Diagnosis) -> Table:
    table = _table("Part", "What", "State", "Found")
    for finding in diagnosis.findings:
        mark, style = _MARKS[finding.state]
        text = _sentence("", finding.message, finding.advice)
        style_or_none = None if finding.state == "ok" else style
        table.add_row(finding.group, printable(finding.name), mark, text, style=style_or_none)
    return table


def _settings_table(diagnosis: Diagnosis) -> Table:
    table = _table("Setting", "Value", "Where it came from")
    for key, origin in diagnosis.origins.items():
        table.add_row(key, printable(_value(diagnosis.settings, key)), printable(origin))
    return table


def _value(settings: dict[str, Any], dotted: str) -> str:
    value: Any = settings
    for part in dotted.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return "-" if value in (None, [], ()) else str(value)


def _sentence(mark: str, message: str, advice: str | None) -> str:
    # A backend's own words, and an exception's, seldom end as a sentence does.
    ends = "" if not message or not advice or message.endswith((".", "!", "?")) else "."
    text = " ".join(part for part in (f"{message}{ends}", advice) if part)
    return printable(f"{mark}: {text}" if mark else text)


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
