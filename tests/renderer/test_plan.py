"""A plan says what a render would do, and does nothing of it."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_core.backend import Capabilities, Cost
from avatar_core.errors import InputError
from renderer.film import Film
from renderer.planning.plan import Plan, RungPlan
from renderer.renderer import SmartVideoRenderer
from renderer.script.models import Limits, Scene, VideoScript
from support_films import SMALL, film_of_tones, write_tone
from support_plans import LOST, PAID, Finding, Stage, Tally, paid_now, with_chains

CLOUD = Capabilities(costs_money=True, uploads=True, needs_network=True)


@pytest.fixture
def stage(tmp_path: Path) -> Callable[..., Stage]:
    """Makes machines that share one store; the first backend is the preferred one."""

    def make(*backends: Tally, **more: Any) -> Stage:
        chain = {"backend": backends[0].name, "fallback": [b.name for b in backends[1:]]}
        return Stage(tmp_path, *backends, **chain, **more)

    return make


def film_on(stage: Stage, folder: Path, count: int = 2, **more: Any) -> Film:
    return stage.film(film_of_tones(folder, count, **more))


def first_rung(plan: Plan, scene: int = 0) -> RungPlan:
    return plan.scenes[scene].rungs[0]


def test_a_plan_asks_no_backend_for_anything_but_its_price(stage: Any, tmp_path: Path) -> None:
    cloud = Tally("cloud", can=CLOUD)
    there = stage(cloud)
    plan = there.plan(film_on(there, tmp_path, 3))
    assert [scene.backend for scene in plan.scenes] == ["cloud"] * 3
    assert cloud.asked == []


def test_a_plan_leaves_nothing_behind_in_the_store(stage: Any, tmp_path: Path) -> None:
    there = stage(Tally())
    there.plan(film_on(there, tmp_path))
    left = [p for p in there.store.root.rglob("*") if p.is_file() and p.suffix != ".lock"]
    assert left == []


def test_every_scene_has_its_rungs_in_order_and_the_last_is_static(
    stage: Any, tmp_path: Path
) -> None:
    there = stage(Tally("one"), Tally("two"))
    (scene,) = there.plan(film_on(there, tmp_path, 1)).scenes
    assert [(rung.backend, rung.state) for rung in scene.rungs] == [
        ("one", "make"), ("two", "make"), ("static", "make"),
    ]  # fmt: skip
    assert [rung.chosen for rung in scene.rungs] == [True, False, False]
    assert not scene.degraded


REASONS = {
    "too long": (Capabilities(max_seconds=0.3), {}, {}, "takes 0.3 s"),
    "too large": (Capabilities(max_pixels=100), {}, {}, "this backend takes 100"),
    "another sound": (Capabilities(audio_formats=("mp3",)), {}, {}, "takes mp3"),
    "fence of the settings": (CLOUD, {"allow_upload": False}, {}, "the setting allow_upload"),
    "fence of the script": (CLOUD, {}, {"allow_upload": False}, "limits.allow_upload"),
    "film's budget": (PAID, {"budget__max_cost": "0.02"}, {}, "the film's budget 0.02"),
    "script's budget": (PAID, {}, {"max_cost": 0.01}, "the film's budget 0.01"),
    "own budget": (PAID, {"policies": {"tally": {"max_cost": "0.03"}}}, {}, "budget of tally"),
    "other currency": (PAID, {"budget__max_cost": "9", "budget__currency": "EUR"}, {}, "in USD"),
    "no capabilities": ("everything", {}, {}, "instead of Capabilities"),
}


@pytest.mark.parametrize("why", REASONS)
def test_a_rung_that_is_skipped_says_why(why: str, stage: Any, tmp_path: Path) -> None:
    can, more, limits, told = REASONS[why]
    there = stage(Tally(can=can), **more)  # type: ignore[arg-type]
    film = film_on(there, tmp_path, 1, limits=Limits(**limits))
    plan = there.plan(film)
    assert first_rung(plan).state == "skip"
    assert told in first_rung(plan).reason
    assert plan.scenes[0].backend == "static"
    assert plan.degraded == ("s1",)
    assert plan.costs == ()
    # What a render then says is the same sentence.
    assert there.play(film)["s1"].trail[0].message == first_rung(plan).reason


def test_an_unknown_price_is_refused_where_money_is_limited_and_told_where_it_is_not(
    stage: Any, tmp_path: Path
) -> None:
    limited = stage(Tally(price=None), budget__max_cost="5")
    plan = limited.plan(film_on(limited, tmp_path, 1))
    assert "not known beforehand" in first_rung(plan).reason
    assert (plan.unpriced, plan.most) == ((), ())
    free = stage(Tally(price=None))
    plan = free.plan(film_on(free, tmp_path, 2))
    assert (plan.unpriced, plan.costs, plan.most) == (("s1", "s2"), (), None)
    assert first_rung(plan).price is None
    assert any("price of tally is not known beforehand" in text for text in plan.warnings)


def test_the_budget_runs_out_scene_by_scene(stage: Any, tmp_path: Path) -> None:
    there = stage(Tally(price="0.20"), budget__max_cost="0.25")
    plan = there.plan(film_on(there, tmp_path, 4))
    assert [scene.backend for scene in plan.scenes] == ["tally", "tally", "static", "static"]
    assert plan.costs == (Cost(Decimal("0.20")),)
    assert plan.most == (Cost(Decimal("0.25")),)
    assert plan.budget == Cost(Decimal("0.25"))


def test_what_it_could_cost_at_most_counts_every_rung_that_may_bill(
    stage: Any, tmp_path: Path
) -> None:
    there = stage(Tally("one", "0.20"), Tally("two", "0.40"), policies={"two": {"max_cost": "0.3"}})
    plan = there.plan(film_on(there, tmp_path, 2))
    assert plan.costs == (Cost(Decimal("0.20")),)
    # Two scenes of half a second each: 0.20 of one, and of two 0.40, of which it may have 0.30.
    assert plan.most == (Cost(Decimal("0.50")),)


def test_what_is_made_already_costs_and_takes_nothing(stage: Any, tmp_path: Path) -> None:
    there = stage(Tally())
    film = film_on(there, tmp_path, 2)
    there.play(film)
    plan = there.plan(film)
    assert [first_rung(plan, i).state for i in (0, 1)] == ["made", "made"]
    assert (plan.costs, plan.most, plan.to_make) == ((), (), ())
    assert plan.time.most == 0
    assert first_rung(plan).paid == Cost(Decimal("0.050"))


@pytest.mark.parametrize("is_spoken", [False, True])
def test_a_scene_that_comes_twice_is_made_once(is_spoken: bool, stage: Any, tmp_path: Path) -> None:
    there = stage(Tally())
    script = film_of_tones(tmp_path, 1)
    twin = script.scenes[0].model_copy(update={"id": "again"})
    film = there.film(script.model_copy(update={"scenes": (*script.scenes, twin)}))
    if is_spoken:
        there.narrate(film)
    plan = there.plan(film)
    assert [first_rung(plan, i).state for i in (0, 1)] == ["make", "made"]
    assert plan.costs == (Cost(Decimal("0.050")),)
    assert there.play(film)["again"].cached


def test_two_scenes_that_wait_for_one_job_fetch_it_once(stage: Any, tmp_path: Path) -> None:
    there, tally = left_by_a_dead_process(stage, tmp_path, Tally, "running", "job-1")
    script = film_of_tones(tmp_path, 1)
    twin = script.scenes[0].model_copy(update={"id": "again"})
    film = there.film(script.model_copy(update={"scenes": (*script.scenes, twin)}))
    plan = there.plan(film)
    assert [first_rung(plan, i).state for i in (0, 1)] == ["fetch", "made"]
    assert tally.asked == []


def test_a_degraded_clip_waits_behind_the_backend_that_is_tried_again(
    stage: Any, tmp_path: Path
) -> None:
    fenced = stage(Tally(can=CLOUD), allow_upload=False)
    fenced.play(film_on(fenced, tmp_path, 1))
    plan = stage(Tally(can=CLOUD)).plan(film_on(fenced, tmp_path, 1))
    assert [(rung.state, rung.chosen) for rung in plan.scenes[0].rungs] == [
        ("make", True), ("made", False),
    ]  # fmt: skip


def test_clips_of_earlier_renders_count_for_the_budget(stage: Any, tmp_path: Path) -> None:
    stage(Tally()).play(film_on(stage(Tally()), tmp_path, 2))
    there = stage(Tally(), budget__max_cost="0.12")
    plan = there.plan(film_on(there, tmp_path, 3))
    assert [scene.backend for scene in plan.scenes] == ["tally", "tally", "static"]
    assert plan.counted == Cost(Decimal("0.100"))
    assert plan.most == (Cost(Decimal("0.020")),)


def left_by_a_dead_process(
    make: Any, folder: Path, kind: type[Tally], state: str, remote_id: str | None
) -> tuple[Stage, Tally]:
    """A machine on which a process died while it waited for a job of the first scene."""
    dead = make(kind(fault=LOST), retry__attempts=1, second_try=False)
    dead.play(film_on(dead, folder, 1))
    dead.change_journal(lambda record: {"state": state, "remote_id": remote_id})
    tally = kind()
    return make(tally), tally


@pytest.mark.parametrize(
    ("kind", "state", "remote_id", "told"),
    [
        (Tally, "running", "job-1", "waits to be fetched"),
        (Tally, "cancelled", "job-1", "was asked to stop"),
        (Finding, "ordered", None, "is looked for before another is sent"),
    ],
)
def test_a_job_of_an_earlier_run_is_fetched_and_costs_nothing(
    kind: type[Tally], state: str, remote_id: str | None, told: str, stage: Any, tmp_path: Path
) -> None:
    there, tally = left_by_a_dead_process(stage, tmp_path, kind, state, remote_id)
    film = film_on(there, tmp_path, 1)
    plan = there.plan(film)
    assert (first_rung(plan).state, first_rung(plan).chosen) == ("fetch", True)
    assert told in first_rung(plan).reason
    assert (plan.costs, plan.fetched) == ((), (Cost(Decimal("0.050")),))
    assert tally.asked == []
    assert there.plan(film) == plan
    assert there.play(film)["s1"].trail[-1].resumed
    assert tally.asked[-1] == "fetch"


def test_an_order_that_may_have_been_paid_and_cannot_be_looked_for_is_told(
    stage: Any, tmp_path: Path
) -> None:
    there, _ = left_by_a_dead_process(stage, tmp_path, Tally, "ordered", None)
    plan = there.plan(film_on(there, tmp_path, 1))
    assert first_rung(plan).state == "skip"
    assert "may have been paid" in first_rung(plan).reason


def test_a_paid_clip_that_is_no_good_is_skipped_as_in_a_render_until_the_user_says_so(
    stage: Any, tmp_path: Path
) -> None:
    there, tally = left_by_a_dead_process(stage, tmp_path, Tally, "running", "job-1")
    there.change_journal(lambda record: {"bad": 2, "flaw": "The clip is black."})
    film = film_on(there, tmp_path, 1)
    planned = first_rung(there.plan(film))
    assert planned.state == "skip"
    assert planned.reason == there.play(film)["s1"].trail[0].message
    assert tally.asked == []
    # Both clips count for the film's budget.
    poor = stage(Tally(), budget__reorder_bad=True, budget__max_cost="0.09")
    assert "of the film's budget 0.04 USD" in first_rung(poor.plan(film)).reason
    willing = stage(Tally(), budget__reorder_bad=True, budget__max_cost="0.10")
    plan = willing.plan(film)
    assert (first_rung(plan).state, plan.costs) == ("make", (Cost(Decimal("0.050")),))
    assert paid_now(willing.play(film)["s1"]) == Decimal("0.050")


def test_a_film_of_one_look_falls_as_a_whole(stage: Any, tmp_path: Path) -> None:
    there = stage(Tally(price="0.20"), affinity="film", budget__max_cost="0.15")
    film = film_on(there, tmp_path, 3)
    plan = there.plan(film)
    assert [scene.backend for scene in plan.scenes] == ["tally", "static", "static"]
    assert "keeps one look" in first_rung(plan, 2).reason
    assert plan.most == (Cost(Decimal("0.15")),)


def test_scenes_that_are_made_again_for_one_look_are_paid_and_told(
    stage: Any, tmp_path: Path
) -> None:
    more = {"affinity": "film", "redo_earlier": True, "budget__max_cost": "0.15"}
    there = stage(Tally(price="0.20"), **more)
    plan = there.plan(film_on(there, tmp_path, 3))
    assert {scene.backend for scene in plan.scenes} == {"static"}
    assert [scene.remade for scene in plan.scenes] == [True, False, False]
    assert plan.costs == (Cost(Decimal("0.10")),)
    assert any("made twice" in text for text in plan.warnings)


def test_uploads_are_listed_for_those_asked_first_and_those_on_fallback(
    stage: Any, tmp_path: Path
) -> None:
    there = stage(Tally("one", can=CLOUD), Tally("two", can=CLOUD))
    plan = there.plan(film_on(there, tmp_path, 2))
    assert [(s.to, s.what, s.scenes, s.fallback) for s in plan.sendings] == [
        ("one", "face and voice", ("s1", "s2"), False),
        ("two", "face and voice", ("s1", "s2"), True),
    ]


def test_a_price_that_fails_counts_as_unknown(stage: Any, tmp_path: Path) -> None:
    class Broken(Tally):
        def estimate(self, request: Any) -> Any:
            raise ZeroDivisionError

    there = stage(Broken(), budget__max_cost="5")
    assert "not known" in first_rung(there.plan(film_on(there, tmp_path, 1))).reason
    assert first_rung(stage(Broken()).plan(film_on(there, tmp_path, 1))).price is None


def test_a_price_that_never_comes_is_waited_for_once_and_not_for_long(
    stage: Any, tmp_path: Path
) -> None:
    never, asked = threading.Event(), []

    class Hanging(Tally):
        def estimate(self, request: Any) -> Any:
            asked.append(request)
            never.wait(60)

    there = stage(Hanging(), deadline__check=0.05, budget__max_cost="5")
    plan = there.plan(film_on(there, tmp_path, 1))
    never.set()
    assert "not known beforehand" in first_rung(plan).reason
    assert len(asked) == 1


def test_what_a_free_backend_charges_all_the_same_is_counted(stage: Any, tmp_path: Path) -> None:
    there = stage(Tally(can=Capabilities()))
    plan = there.plan(film_on(there, tmp_path, 2))
    assert plan.costs == plan.most == (Cost(Decimal("0.100")),)


def test_a_narration_that_usually_takes_longer_than_one_call_may_is_warned_of(
    stage: Any, tmp_path: Path
) -> None:
    there = stage(Tally(can=Capabilities(pace=100.0)), deadline__attempt=10)
    (warning,) = there.plan(film_on(there, tmp_path, 1)).warnings
    assert "usually takes 50 s" in warning and "deadline.attempt" in warning


def test_a_backend_that_may_take_its_time_is_not_warned_of(stage: Any, tmp_path: Path) -> None:
    there = stage(Tally(can=Capabilities(pace=300.0, attempt_seconds=300)))
    assert there.plan(film_on(there, tmp_path, 1)).warnings == ()


def test_a_film_that_takes_longer_than_it_may_is_warned_of(stage: Any, tmp_path: Path) -> None:
    there = stage(Tally(can=Capabilities(pace=100.0)), deadline__film=60)
    plan = there.plan(film_on(there, tmp_path, 3))
    assert any("deadline.film" in text for text in plan.warnings)


def test_when_even_the_last_backend_cannot_be_used_the_scene_says_so(
    stage: Any, tmp_path: Path
) -> None:
    there = stage(Tally("static", can=Capabilities(max_seconds=0.1)))
    plan = there.plan(film_on(there, tmp_path, 1))
    assert plan.scenes[0].backend is None
    assert any("Nobody would deliver" in text for text in plan.warnings)


def test_a_film_without_presenters_needs_no_backend(stage: Any, tmp_path: Path) -> None:
    there = stage(Tally())
    plan = there.plan(there.film(VideoScript(output=SMALL, scenes=(Scene(duration=2.0),))))
    assert (plan.presented, plan.seconds, plan.exact) == ((), 2.0, True)


def test_a_recording_that_is_none_is_told_with_the_script(stage: Any, tmp_path: Path) -> None:
    there, bad = stage(Tally()), tmp_path / "bad.wav"
    script = film_of_tones(tmp_path, 1)
    bad.write_bytes(b"this is no sound")
    scene = script.scenes[0].model_copy(update={"audio": bad})
    with pytest.raises(InputError, match=r"bad\.wav"):
        there.plan(there.film(script.model_copy(update={"scenes": (scene,)})))


def test_a_recorded_film_is_as_long_as_planned(stage: Any, tmp_path: Path) -> None:
    there = stage(Tally())
    film = film_on(there, tmp_path, 2)
    before = there.plan(film)
    assert before.exact and all(scene.speaks for scene in before.scenes)
    there.narrate(film)
    after = there.plan(film)
    assert (after.seconds, [s.speaks for s in after.scenes]) == (before.seconds, [False, False])


PRICES = st.sampled_from(["0", "0.10", "0.25", None])
CAN = st.builds(
    Capabilities,
    costs_money=st.just(True),
    uploads=st.booleans(),
    max_seconds=st.sampled_from([None, None, 0.5]),
)
CHAINS = st.sampled_from([("one",), ("two",), ("one", "two"), ("two", "one"), ("static",)])
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "budget__max_cost": st.sampled_from(["0.05", "0.15", "0.30"]),
        "budget__allow_unknown_price": st.booleans(),
        "allow_upload": st.booleans(),
        "affinity": st.sampled_from(["scene", "film"]),
        "redo_earlier": st.booleans(),
        "policies": st.just({"one": {"max_cost": "0.10"}}),
    },
)


@settings(max_examples=25)
@given(
    prices=st.tuples(PRICES, PRICES),
    can=st.tuples(CAN, CAN),
    lengths=st.lists(st.sampled_from([0.4, 0.8]), min_size=2, max_size=4),
    chains=st.lists(CHAINS, min_size=4, max_size=4),
    said=SETTINGS,
    made=st.integers(0, 2),
)
def test_a_render_does_what_the_plan_says_and_costs_what_it_says(
    prices: Any, can: Any, lengths: list[float], chains: Any, said: dict[str, Any], made: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        backends = [Tally(n, p, c) for n, p, c in zip(("one", "two"), prices, can, strict=True)]
        there = Stage(folder, *backends, **said)
        script = film_of_tones(folder, len(lengths))
        scenes = [
            scene.model_copy(update={"audio": write_tone(folder / f"{i}.wav", seconds, 200 + i)})
            for i, (scene, seconds) in enumerate(zip(script.scenes, lengths, strict=True))
        ]
        script = script.model_copy(update={"scenes": tuple(scenes)})
        film = with_chains(there.film(script), chains[: len(lengths)])
        _make_some(folder, backends, film, made)
        there.narrate(film)
        plan, played = there.plan(film), there.play(film)
    # What a price that nobody knows turns out to be leaves less of the budget than was planned.
    if said.get("budget__max_cost") and any(scene.unpriced for scene in plan.scenes):
        return
    for scene in plan.scenes:
        outcome = played[scene.id]
        known = sum((cost.amount for cost in scene.costs), Decimal(0))
        assert scene.backend == outcome.clip.backend
        assert scene.unpriced or known == paid_now(outcome)
        assert (scene.chosen is not None and scene.chosen.state == "made") == outcome.cached
    if plan.most is not None:
        spent = sum((paid_now(outcome) for outcome in played.values()), Decimal(0))
        assert spent <= sum((cost.amount for cost in plan.most), Decimal(0))


def _make_some(folder: Path, backends: list[Tally], film: Film, made: int) -> None:
    if made:
        Stage(folder, *backends).play(replace(film, scenes=film.scenes[:made]))


@pytest.mark.parametrize("budget", ["0.05", "0.12", None])
def test_a_whole_render_agrees_with_its_plan(
    budget: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    more = {} if budget is None else {"budget.max_cost": budget}
    tally = Tally(can=CLOUD)
    renderer = SmartVideoRenderer(
        tally, workers=1, overrides={"cache_dir": tmp_path / "cache", "report": False, **more}
    )
    script = film_of_tones(tmp_path, 3)
    plan = renderer.plan(script)
    assert tally.asked == []
    result = renderer.render(script, tmp_path / "film.mp4")
    assert [scene.backend for scene in plan.scenes] == [scene.backend for scene in result.scenes]
    assert [scene.seconds for scene in plan.scenes] == [scene.seconds for scene in result.scenes]
    assert (plan.seconds, plan.costs) == (result.seconds, result.costs)
    again = renderer.plan(script)
    assert (again.to_make, again.costs) == ((), ()) or budget is not None
