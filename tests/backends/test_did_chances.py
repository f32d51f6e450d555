"""Any faults in any order, over any renders: D-ID is paid once, and the user told of it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from avatar_core.backend import FREE, Cost
from avatar_core.testing import VirtualClock
from support_did_scenes import Studio, by_did, did
from support_did_service import RESULT, DidService

CREDIT = Cost("0.20")  # type: ignore[arg-type]
DAY = 25 * 3600
ANYWHERE: list[dict[str, Any]] = [
    {"drop": True},
    {"status": 429, "headers": {"Retry-After": "7"}},
    {"status": 429},
    {"status": 500},
    {"status": 502},
    {"status": 503},
    {"status": 504},
    {"status": 200, "body": "<html><body>Welcome to the tunnel</body></html>"},
    {"status": 200, "body": {}},
    {"seconds": 70},
]
FOR_THE_VIDEO: list[dict[str, Any]] = [
    *ANYWHERE,
    *({"clip": kind} for kind in ("black", "short", "truncated", "html")),
    {"seconds": DAY},
]
ROUTES = ("POST /images", "POST /audios", "POST /talks", "GET /talks", "GET /talks/{id}",
          "GET /credits")  # fmt: skip


def _fault(routes: tuple[str, ...], faults: list[dict[str, Any]]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {
            "route": st.sampled_from(routes),
            "answer": st.sampled_from(faults),
            "after_making": st.booleans(),
            "times": st.integers(1, 4),
            "after": st.integers(0, 2),
        }
    )


FAULTS = st.lists(
    st.one_of(
        _fault(("POST /talks",), ANYWHERE), _fault(ROUTES, ANYWHERE),
        _fault((RESULT,), FOR_THE_VIDEO),
    ),
    max_size=6,
)  # fmt: skip


@settings(max_examples=25, deadline=None, phases=[Phase.generate])
@given(faults=FAULTS, renders=st.integers(1, 3), seconds=st.sampled_from([0, 6, 100, 400]))
def test_whatever_goes_wrong_a_scene_is_paid_once_and_told(
    faults: list[dict[str, Any]], renders: int, seconds: float
) -> None:
    clock = VirtualClock()
    with (
        tempfile.TemporaryDirectory() as folder,
        DidService(clock, rendering_seconds=seconds) as service,
    ):
        for fault in faults:
            # Who is turned away for being too many has been given nothing.
            late = fault["after_making"] and fault["answer"].get("status") != 429
            more = {**fault["answer"], "after_making": late}
            service.fail(fault["route"], times=fault["times"], after=fault["after"], **more)
        studio = Studio(service, clock, Path(folder))
        outcomes = [studio.scene() for _ in range(renders)]
        assert service.ledger.paid in ([], [1])
        service.heal()
        service.rendering_seconds = 0
        # What was told to wait has waited.
        clock.advance(DAY)
        outcomes.append(studio.scene())
        said = [entry.message for outcome in outcomes for entry in did(outcome)]
        # What was no good in two renders is fetched no more, and not bought again either.
        spoilt = "was no better" in did(outcomes[-1])[-1].message
        assert by_did(outcomes[-1]) != spoilt, said
        assert (service.ledger.paid, service.violations) == ([1], []), said
        told = sum((cost for one in outcomes for cost in one.costs), FREE)
        # What may have been paid is told as paid, also if it is found out later that it was not.
        assert told == CREDIT or (told.amount > CREDIT.amount and "may have" in " ".join(said))
        assert bool(studio.open_jobs) == spoilt
