"""Whether a lost order has become a talk: found, certainly not there, or not to be known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_core.backend import AvatarRequest
from avatar_core.errors import AvatarError, Category
from avatar_core.testing import Answer, Recorded, ScriptedServer
from backends.did.api import Listed, Talk
from backends.did.backend import DidBackend
from backends.did.lookup import _match
from support_did_jobs import options

OURS = "av-0123456789abcdef-0a1b2c3d"
ASKED: AvatarRequest = None  # type: ignore[assignment]
Body = dict[str, Any]


def talk(number: int, **more: Any) -> Body:
    at = f"2026-01-05T10:{number // 60:02d}:{number % 60:02d}.000Z"
    return {"id": f"tlk_{number}", "status": "done", "created_at": at, **more}


class Account:
    """Talks, listed ``page`` at a time; whether the list and the single look tell names."""

    def __init__(
        self, talks: list[Body], page: int = 100, *, listed: bool = True, single: bool = True
    ) -> None:
        self.talks, self.page, self.listed, self.single = talks, page, listed, single
        self.pages = 0
        self.looks: list[str] = []

    def __call__(self, asked: Recorded) -> Answer:
        name = asked.path.removeprefix("/talks").strip("/")
        if name:
            self.looks.append(name)
            found = next(one for one in self.talks if one["id"] == name)
            return Answer(200, self._seen(found, self.single))
        self.pages += 1
        first = int(asked.query.get("token", "0"))
        body: Body = {
            "talks": [self._seen(t, self.listed) for t in self.talks[first:][: self.page]]
        }
        if first + self.page < len(self.talks):
            body["token"] = str(first + self.page)
        return Answer(200, body)

    def _seen(self, one: Body, named: bool) -> Body:
        return {k: v for k, v in one.items() if named or k not in ("name", "user_data")}


def find(account: Account) -> str | None:
    with ScriptedServer() as server:
        server.on("GET", "/talks", account)
        for one in account.talks[:30]:
            server.on("GET", f"/talks/{one['id']}", account)
        return DidBackend(options(server.url)).find(ASKED, OURS)


@pytest.mark.parametrize("mark", ["name", "user_data"])
@pytest.mark.parametrize("place", [0, 99, 100, 234])
def test_a_talk_is_found_by_either_mark_wherever_it_is_listed(mark: str, place: int) -> None:
    talks = [talk(number, name="another's") for number in range(235)]
    talks[place] |= {mark: OURS}
    account = Account(talks)
    assert find(account) == f"tlk_{place}"
    assert account.pages == place // 100 + 1, "no page more than needed"


def test_an_account_without_talks_has_not_ours() -> None:
    assert find(Account([])) is None


def test_a_list_that_tells_names_is_believed() -> None:
    account = Account([talk(0), talk(1, name="another's"), talk(2)])
    assert find(account) is None
    assert account.looks == []


def test_where_the_list_tells_no_names_the_newest_are_asked_one_by_one() -> None:
    talks = [talk(number, user_data="another's") for number in range(25)]
    talks[24] |= {"user_data": OURS}
    account = Account(talks, listed=False)
    assert find(account) == "tlk_24"
    assert account.looks[:3] == ["tlk_24", "tlk_23", "tlk_22"]
    assert len(account.looks) == 20


def test_where_all_were_asked_and_tell_names_ours_is_not_there() -> None:
    assert find(Account([talk(n, name="another's") for n in range(20)], listed=False)) is None


@pytest.mark.parametrize(
    "account",
    [
        Account([talk(n, name="another's") for n in range(21)], listed=False),
        Account([talk(0, name=OURS)], listed=False, single=False),
        Account([talk(n) for n in range(3)]),
        Account([talk(n, name="another's") for n in range(60)], page=1),
    ],
    ids=["older ones were not asked", "nothing is told", "nobody has a name", "too many pages"],
)
def test_what_cannot_be_known_is_said_and_not_guessed(account: Account) -> None:
    with pytest.raises(AvatarError) as caught:
        find(account)
    assert caught.value.category is Category.UNSUPPORTED
    assert account.pages <= 50


def test_a_list_that_goes_round_in_circles_ends() -> None:
    with ScriptedServer() as server:
        server.on("GET", "/talks", Answer(200, {"talks": [talk(0, name="x")], "token": "again"}))
        with pytest.raises(AvatarError, match="in circles"):
            DidBackend(options(server.url)).find(ASKED, OURS)
        assert server.count("GET", "/talks") == 2


@pytest.mark.parametrize("answer", [Answer(500), Answer(200, {}), Answer(200, {"talks": "none"})])
def test_a_list_that_does_not_come_is_asked_for_again_later(answer: Answer) -> None:
    with ScriptedServer() as server:
        server.on("GET", "/talks", answer)
        with pytest.raises(AvatarError) as caught:
            DidBackend(options(server.url)).find(ASKED, OURS)
    assert caught.value.category is Category.SERVER


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["done", "created", "started", "error", "rejected"]), min_size=1))
def test_of_several_talks_of_one_order_one_that_lives_is_taken(statuses: list[str]) -> None:
    talks = [Listed(Talk(str(n), status), "", (OURS,)) for n, status in enumerate(statuses)]
    found = _match(talks, OURS)
    assert found is not None
    dead = ("error", "rejected")
    assert (statuses[int(found)] in dead) == all(status in dead for status in statuses)
