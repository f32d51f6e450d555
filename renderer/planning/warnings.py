"""What a plan warns of before anything is done."""

from __future__ import annotations

from collections.abc import Iterator

from avatar_core.chain import LAST_RUNG
from avatar_core.policy.settings import PolicySettings
from renderer.film import Film, FilmScene
from renderer.planning.plan import Plan, ScenePlan


def warnings_of(plan: Plan, film: Film, policy: PolicySettings) -> tuple[str, ...]:
    """Sentences: the script's own, then what would go wrong or come as a surprise."""
    found = [*film.warnings]
    for planned, scene in zip(plan.scenes, film.scenes, strict=True):
        found += [f"{scene.id}: {text}" for text in _of_scene(planned, scene, policy)]
    found += [*_of_prices(plan, policy), *_of_time(plan, policy)]
    return tuple(dict.fromkeys(found))


def _of_scene(planned: ScenePlan, scene: FilmScene, policy: PolicySettings) -> Iterator[str]:
    if scene.text is not None and planned.voice is None:
        language = scene.speech.voice.language
        yield f"No voice that is loaded speaks {language}: see avatar doctor."
    if planned.failure is not None:
        yield f"Nobody would deliver its presenter. {planned.failure}"
    if planned.remade:
        yield "Its presenter is made twice, so that the film keeps one look (redo_earlier = true)."
    chosen = planned.chosen
    if chosen is None or chosen.seconds is None or chosen.state != "make":
        return
    limit = policy.attempt_seconds(chosen.backend, chosen.limit)
    if chosen.backend != LAST_RUNG and chosen.seconds.usual > limit:
        yield (
            f"{chosen.backend} usually takes {chosen.seconds.usual:.0f} s for it, and one call may "
            f"take {limit:g} s: raise deadline.attempt, or shorten the scene."
        )


def _of_prices(plan: Plan, policy: PolicySettings) -> Iterator[str]:
    paid = sorted({s.chosen.backend for s in plan.scenes if s.unpriced and s.chosen is not None})
    for backend in paid:
        yield (
            f"The price of {backend} is not known beforehand, and it would be paid all the same. "
            "Set budget.allow_unknown_price = false to keep it from being used."
        )
    spans = {cost.currency for cost in plan.costs}
    if plan.budget is not None and spans - {policy.budget.currency}:
        yield (
            f"The budget is in {policy.budget.currency} and does not limit prices in "
            f"{', '.join(sorted(spans - {policy.budget.currency}))}."
        )


def _of_time(plan: Plan, policy: PolicySettings) -> Iterator[str]:
    limit = policy.deadline.film
    if limit is not None and plan.time.usual > limit:
        yield (
            f"The presenters usually take {plan.time.usual:.0f} s, and all of them may take "
            f"{limit:g} s (deadline.film): the last scenes would become still pictures."
        )
