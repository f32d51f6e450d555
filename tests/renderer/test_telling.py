"""What the stages of a render tell their listeners."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal

from avatar_core.backend import Cost
from avatar_core.errors import Category
from avatar_core.events import AttemptEnded, Event, EventBus, SceneFinished, StageProgress, Warned
from avatar_core.trail import TrailEntry
from renderer.result import SceneResult
from renderer.speech.narration import SpeechAttempt
from renderer.telling import Telling, presenter_event, speech_event


def test_an_attempts_event_carries_everything_that_its_trail_entry_knows() -> None:
    entry = TrailEntry(
        "did", Category.SERVER, "It broke.", "Wait.", 1.5, 2.0, Cost(Decimal("0.5"), "EUR"),
        skipped=True, cached=True, resumed=True, attempt=3, step=2, passing=True,
    )  # fmt: skip
    event = presenter_event("hook", entry)
    same = [field.name for field in fields(TrailEntry) if field.name != "cost"]
    assert [getattr(event, name) for name in same] == [getattr(entry, name) for name in same]
    assert (event.scene, event.kind, event.cost, event.currency) == ("hook", "avatar", 0.5, "EUR")


def test_a_voice_that_was_not_asked_has_no_attempt() -> None:
    spoke = SpeechAttempt("espeak", None, "", seconds=0.4)
    left_out = SpeechAttempt("edge", None, "It does not speak vi-VN.", skipped=True)
    kept = SpeechAttempt("espeak", None, "", cached=True)
    told = [speech_event("hook", one) for one in (spoke, left_out, kept)]
    assert [event.attempt for event in told] == [1, 0, 0]
    assert {(event.kind, event.scene) for event in told} == {("speech", "hook")}


def test_what_is_odd_about_a_scene_is_told_before_that_it_is_finished() -> None:
    heard: list[Event] = []
    telling = Telling(EventBus(heard.append))
    telling.scene(SceneResult("hook", "static", True, False, 4.0, warnings=("too small",)))
    assert [type(event) for event in heard] == [Warned, SceneFinished]
    assert heard[0] == Warned(message="too small", scene="hook")


def test_every_voice_of_a_scene_is_told_in_its_order() -> None:
    heard: list[Event] = []
    tried = [SpeechAttempt("edge", "timeout", "silence"), SpeechAttempt("espeak", None, "")]
    Telling(EventBus(heard.append)).speech("hook", tried)
    assert [e.backend for e in heard if isinstance(e, AttemptEnded)] == ["edge", "espeak"]


def test_progress_belongs_to_a_scene_or_to_the_film() -> None:
    heard: list[Event] = []
    telling = Telling(EventBus(heard.append))
    telling.stage("hook", "speech")(0.5, "half")
    telling.stage(None, "film")(1.0, "")
    assert heard == [
        StageProgress(scene="hook", stage="speech", fraction=0.5, message="half"),
        StageProgress(scene=None, stage="film", fraction=1.0),
    ]
