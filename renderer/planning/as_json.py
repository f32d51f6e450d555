"""Plans for programs: the same facts under names that do not change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from avatar_core.backend import Cost
from renderer.planning.plan import Alternative, Estimate, Plan, RungPlan, ScenePlan, Span


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """The object of `avatar plan --json`."""
    return {
        "event": "planned",
        **_totals(plan),
        "scenes": [_scene(scene) for scene in plan.scenes],
        "sends": [asdict(sending) for sending in plan.sendings],
        "settings": [asdict(setting) for setting in plan.settings],
        "warnings": list(plan.warnings),
    }


def estimate_as_json(estimate: Estimate) -> dict[str, Any]:
    """The object of `avatar estimate --json`."""
    return {
        "event": "estimated",
        **_totals(estimate.plan),
        "scenes": [_scene_price(scene) for scene in estimate.plan.scenes],
        "backends": [_alternative(one) for one in estimate.alternatives],
        "warnings": list(estimate.plan.warnings),
    }


def _totals(plan: Plan) -> dict[str, Any]:
    return {
        "title": plan.title,
        "seconds": _rounded(plan.seconds),
        "exact": plan.exact,
        "presenters": len(plan.presented),
        "to_make": len(plan.to_make),
        "degraded": list(plan.degraded),
        "costs": _costs(plan.costs),
        "unpriced": list(plan.unpriced),
        "fetched": _costs(plan.fetched),
        "most": None if plan.most is None else _costs(plan.most),
        "budget": None if plan.budget is None else _cost(plan.budget),
        "counted": _cost(plan.counted),
        "time": _span(plan.time),
        "untimed": list(plan.untimed),
        "declared": list(plan.declared),
        "workers": plan.workers,
    }


def _scene(scene: ScenePlan) -> dict[str, Any]:
    return {
        "id": scene.id,
        "line": scene.line,
        "seconds": _rounded(scene.seconds),
        "narration": _rounded(scene.narration),
        "exact": scene.exact,
        "voice": scene.voice,
        "speaks": scene.speaks,
        "presenter": scene.presenter,
        "backend": scene.backend,
        "degraded": scene.degraded,
        "remade": scene.remade,
        "costs": _costs(scene.costs),
        "unpriced": scene.unpriced,
        "failure": scene.failure,
        "rungs": [_rung(rung) for rung in scene.rungs],
    }


def _scene_price(scene: ScenePlan) -> dict[str, Any]:
    """A scene in short, as in `avatar plan --json`."""
    names = ("id", "seconds", "exact", "backend", "costs", "unpriced")
    told = _scene(scene)
    return {name: told[name] for name in names}


def _rung(rung: RungPlan) -> dict[str, Any]:
    return {
        "backend": rung.backend,
        "state": rung.state,
        "chosen": rung.chosen,
        "reason": rung.reason or None,
        "advice": rung.advice,
        "price": None if rung.price is None else _cost(rung.price),
        "paid": _cost(rung.paid),
        "time": None if rung.seconds is None else _span(rung.seconds),
        "uploads": rung.uploads,
        "needs_network": rung.needs_network,
    }


def _alternative(one: Alternative) -> dict[str, Any]:
    return {
        "backend": one.backend,
        "alone": one.alone,
        "makes": one.makes,
        "costs": None if one.costs is None else _costs(one.costs),
        "time": None if one.time is None else _span(one.time),
        "uploads": one.uploads,
        "needs_network": one.needs_network,
        "reason": one.reason or None,
    }


def _costs(costs: Sequence[Cost]) -> list[dict[str, Any]]:
    return [_cost(cost) for cost in costs]


def _cost(cost: Cost) -> dict[str, Any]:
    return {"amount": float(cost.amount), "currency": cost.currency}


def _span(span: Span) -> dict[str, float]:
    return {name: _rounded(value) for name, value in asdict(span).items()}


def _rounded(seconds: float) -> float:
    return round(seconds, 3)
