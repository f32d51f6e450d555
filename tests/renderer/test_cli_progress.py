"""Progress and the summary at the end, on a terminal and in a pipe."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from avatar_core.backend import Cost
from avatar_core.errors import Category
from avatar_core.events import Event, RenderStarted, SceneFinished, StageProgress, Warned
from avatar_core.trail import TrailEntry
from renderer.cli.completion import Completion
from renderer.cli.progress import Bars, Lines, progress_view
from renderer.cli.summary import show_result
from renderer.result import RenderResult, SceneResult
from support_cli import CONTROLS

SCENES, STAGES = ("hook", "guest", "end"), ("speech", "avatar", "segment")
START = RenderStarted(title="Tea", scenes=SCENES, stages=STAGES)

stages = st.one_of(
    st.tuples(st.sampled_from(SCENES), st.sampled_from(STAGES)),
    st.tuples(st.none(), st.sampled_from(["joins", "sound", "film", "unheard of"])),
)


def finished(scene: str, *, degraded: bool = False, cached: bool = False) -> SceneFinished:
    return SceneFinished(
        id=scene, backend="static", degraded=degraded, cached=cached, seconds=2.5, cost=0.0
    )


def whole_render() -> list[Event]:
    """Every event of a render in the order in which they come."""
    events: list[Event] = [START]
    for scene in SCENES:
        for stage in STAGES:
            events.append(StageProgress(scene=scene, stage=stage, fraction=0.5, message="half"))
        events.append(finished(scene))
    events.append(Warned(message="The music is short.", scene="end", advice="Loop it."))
    for stage in ("joins", "sound", "film"):
        events.append(StageProgress(scene=None, stage=stage, fraction=1.0))
    return events


@given(st.lists(st.tuples(stages, st.floats(0, 1))))
def test_progress_never_goes_back_and_never_passes_the_end(
    steps: list[tuple[tuple[str | None, str], float]],
) -> None:
    completion, before = Completion(), 0.0
    completion(START)
    for (scene, stage), fraction in steps:
        completion(StageProgress(scene=scene, stage=stage, fraction=fraction))
        assert before <= completion.fraction <= 1.0
        before = completion.fraction


def test_a_whole_render_ends_at_exactly_all_of_it() -> None:
    completion = Completion()
    for event in whole_render():
        completion(event)
    assert completion.fraction == pytest.approx(1.0)


def test_a_scene_from_the_cache_is_complete_at_once() -> None:
    completion = Completion()
    completion(START)
    completion(finished("hook", cached=True))
    assert completion.of_scene("hook") == pytest.approx(1.0)
    assert completion.of_scene("guest") == 0.0


def test_events_before_the_start_are_no_trouble() -> None:
    completion = Completion()
    completion(StageProgress(scene="hook", stage="speech", fraction=0.5))
    assert completion.of_scene("hook") == 0.0
    assert 0.0 <= completion.fraction <= 1.0


def test_a_pipe_gets_a_line_for_each_scene_and_nothing_that_moves_a_cursor() -> None:
    printed = io.StringIO()
    view = progress_view(Console(file=printed, width=60, soft_wrap=True))
    assert isinstance(view, Lines)
    for event in whole_render():
        view(event)
    view.close()
    lines = printed.getvalue().splitlines()
    assert lines[0] == "Rendering 3 scenes ..."
    assert lines[1] == "[1/3] hook: 2.5 s, presenter by static"
    assert lines[-1] == "Warning: end: The music is short. Loop it."
    assert not set(printed.getvalue()) & set(CONTROLS)


def test_a_line_says_what_was_degraded_and_what_was_unchanged() -> None:
    printed = io.StringIO()
    view = Lines(Console(file=printed, markup=False, highlight=False))
    view(START)
    view(finished("hook", degraded=True, cached=True))
    assert printed.getvalue().splitlines()[-1].endswith("presenter by static, degraded, unchanged")


def test_a_warning_from_outside_cannot_reach_the_terminal_as_an_escape_sequence() -> None:
    printed = io.StringIO()
    Lines(Console(file=printed))(Warned(message="\x1b[2Jgone", advice="\x07"))
    assert not set(printed.getvalue()) & set(CONTROLS)


def test_a_terminal_gets_bars_with_scene_stage_and_time_and_its_cursor_back() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120, legacy_windows=False)
    view = progress_view(console)
    assert isinstance(view, Bars)
    for event in whole_render():
        view(event)
        view._progress.refresh()
    view.close()
    view.close()
    shown = screen.getvalue()
    assert "hook" in shown and "presenter: half" in shown and "writing the film" in shown
    assert "The music is short." in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1


def test_what_is_waited_for_at_the_end_is_said_in_a_pipe_too() -> None:
    printed = io.StringIO()
    view = Lines(Console(file=printed, width=100))
    view(START)
    view(StageProgress(scene=None, stage="again", fraction=0.0, message="in 14 s"))
    assert printed.getvalue().splitlines()[-1] == "Trying again what fell back: in 14 s ..."


def test_a_scene_that_is_tried_again_gets_a_bar_of_its_own_until_that_is_over() -> None:
    view = Bars(Console(file=io.StringIO(), force_terminal=True, width=120))
    again = StageProgress(scene="hook", stage="avatar", fraction=0.25, message="asking cloud")
    for event in (START, finished("hook", degraded=True), again):
        view(event)
    bar = view._progress.tasks[-1]
    assert (bar.description, bar.completed) == ("hook", 0.25)
    assert bar.fields["stage"] == "presenter: asking cloud"
    view(StageProgress(scene="hook", stage="avatar", fraction=1.0))
    view.close()
    assert [task.description for task in view._progress.tasks] == ["film"]


def test_bars_that_never_began_close_in_silence() -> None:
    screen = io.StringIO()
    Bars(Console(file=screen, force_terminal=True)).close()
    assert screen.getvalue().strip() == ""


def failed(backend: str, category: Category | None, message: str, **more: bool) -> TrailEntry:
    return TrailEntry(backend, category, message, "Start it again.", 0.0, 1.0, **more)


def summary_of(*scenes: SceneResult, said: tuple[str, ...] = ()) -> str:
    printed = io.StringIO()
    film = Path("/films") / "a film with a rather long name that must never be cut or wrapped.mp4"
    result = RenderResult(film, 12.5, scenes, (film.with_suffix(".srt"),), warnings=("Odd.",))
    console = Console(file=printed, width=80, markup=False, highlight=False, soft_wrap=True)
    show_result(console, result, 3.2, said)
    return printed.getvalue()


def test_the_summary_names_the_film_its_scenes_and_who_made_them() -> None:
    shown = summary_of(
        SceneResult("hook", "colab", False, False, 4.0, (Cost(Decimal("0.25")),)),
        SceneResult("voice-only", None, False, True, 8.5),
    )
    last = shown.splitlines()[-1]
    assert last.endswith("a film with a rather long name that must never be cut or wrapped.mp4")
    assert "colab" in shown and "unchanged" in shown
    assert "0.25 USD" in shown
    assert "Nothing fell back." in shown


def test_the_summary_says_what_fell_back_and_why() -> None:
    trail = (
        failed("colab", Category.CONNECTIVITY, "The notebook is gone."),
        failed("did", None, "It costs money and was not named.", skipped=True),
        TrailEntry("static", None, "made", None, 2.0, 0.1),
    )
    shown = summary_of(SceneResult("hook", "static", True, False, 4.0, trail=trail))
    assert "fell back" in shown
    reason = "hook: colab failed (connectivity): The notebook is gone. Start it again."
    assert reason in shown
    assert "hook: did was left out: It costs money" in shown
    assert "static failed" not in shown


def test_a_reason_that_many_scenes_share_is_told_once() -> None:
    down = failed("cloud", Category.SERVER, "It is down.")
    alone = [f"it is left alone for another {n} s" for n in range(30)]
    shown = summary_of(
        SceneResult("a", "static", True, False, 4.0, trail=(down, down)),
        *(
            SceneResult(
                f"s{n}",
                "static",
                True,
                False,
                4.0,
                trail=(failed("cloud", None, why, skipped=True),),
            )
            for n, why in enumerate(alone)
        ),
        SceneResult("b", "static", True, False, 4.0, trail=(down,)),
    )
    reasons = shown.partition("and why:\n")[2].splitlines()[:3]
    assert reasons[0] == "  a and b: cloud failed (server): It is down. Start it again. (3 times)"
    # An exception's words are made a sentence, or the advice would run into them.
    crash = failed("cloud", Category.BACKEND_BUG, "ZeroDivisionError: oops")
    assert "oops. Start it again." in summary_of(
        SceneResult("a", "static", True, False, 4.0, trail=(crash,))
    )
    assert reasons[1].startswith(
        "  s0, s1, s2, s3, s4 and 25 more scenes: cloud was left out: it is"
    )
    assert "cloud" not in reasons[2]


def test_a_warning_that_was_said_is_not_said_again() -> None:
    scene = SceneResult("hook", "static", False, False, 4.0, warnings=("Soft picture.",))
    assert summary_of(scene).count("Warning: ") == 2
    assert summary_of(scene, said=("hook: Soft picture.", "Odd.")).count("Warning: ") == 0
