"""The record of one remote job: written before it counts, stopped once, never mixed up."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_core.backend import Cost
from avatar_core.errors import AvatarError, Category
from avatar_core.journal import JobRecord, MemoryJournal
from avatar_core.orders import Order
from avatar_core.testing import VirtualClock

KEY = "0123456789abcdef0123456789abcdef"
PRICE = Cost(Decimal("0.5"))


class FullDisk(MemoryJournal):
    """Fails to write records of the states in ``refused``."""

    def __init__(self, *refused: str) -> None:
        super().__init__()
        self.refused = refused

    def write(self, record: JobRecord) -> None:
        if record.state in self.refused:
            raise OSError(28, "No space left on device")
        super().write(record)


def order_of(journal: MemoryJournal | None = None, **more: Any) -> Order:
    order = Order(
        journal if journal is not None else MemoryJournal(),
        KEY, backend="did", scene="s1", clock=VirtualClock(), **more,
    )  # fmt: skip
    order.begin(PRICE)
    return order


def state(journal: MemoryJournal) -> tuple[str, str | None] | None:
    record = journal.find(KEY)
    return None if record is None else (record.state, record.remote_id)


def test_an_order_is_on_record_before_it_is_sent_and_its_job_before_it_is_waited_for() -> None:
    journal = MemoryJournal()
    order = order_of(journal)
    assert (state(journal), order.exists) == (None, False)
    order.placed()
    assert (state(journal), order.is_unanswered) == (("ordered", None), True)
    record = journal.find(KEY)
    assert record is not None
    assert (record.reference, record.cost, record.scene) == (order.reference, PRICE, "s1")
    assert record.at == VirtualClock().wall()
    order.named("job-1")
    assert (state(journal), order.is_unanswered) == (("running", "job-1"), False)
    order.named(None)
    assert (state(journal), order.exists) == (None, False)


def test_a_new_process_finds_what_the_old_one_wrote() -> None:
    journal = MemoryJournal()
    first = order_of(journal)
    first.placed()
    first.named("job-1")
    second = Order(journal, KEY, backend="did")
    assert (second.remote_id, second.reference) == ("job-1", first.reference)
    assert (second.expected, second.sent_at) == (PRICE, VirtualClock().wall())
    second.begin(Cost(Decimal(9)))
    assert (second.reference, second.expected) == (first.reference, PRICE)


@given(key=st.text("0123456789abcdef", min_size=1, max_size=64) | st.none())
def test_a_reference_is_short_plain_and_new_for_each_order(key: str | None) -> None:
    order = Order(MemoryJournal(), key)
    references = set()
    for _ in range(5):
        order.begin(PRICE)
        order.placed()
        references.add(order.reference)
        assert re.fullmatch(r"[A-Za-z0-9-]{1,40}", order.reference)
        order.named("job")
        order.named(None)
    assert len(references) == 5


def test_a_refusal_forgets_an_order_and_not_a_job() -> None:
    journal = MemoryJournal()
    order = order_of(journal)
    order.refused()
    order.placed()
    order.refused()
    assert state(journal) is None
    order.placed()
    order.named("job-1")
    order.refused()
    assert state(journal) == ("running", "job-1")


def test_a_paid_job_is_ordered_once_for_each_time_that_was_allowed() -> None:
    order = order_of(paid=True)
    order.placed()
    order.named("job-1")
    order.named(None)
    with pytest.raises(AvatarError, match="not ordered unasked") as caught:
        order.placed()
    assert caught.value.category is Category.SERVER
    order.begin(PRICE)
    order.placed()
    free = order_of()
    for _ in range(3):
        free.placed()
        free.named(None)


def test_an_order_that_cannot_be_written_down_is_not_sent() -> None:
    order = order_of(FullDisk("ordered"))
    with pytest.raises(OSError, match="No space"):
        order.placed()
    assert not order.exists


def test_a_job_that_cannot_be_written_down_can_be_stopped_all_the_same() -> None:
    journal = FullDisk("running")
    order = order_of(journal)
    order.placed()
    with pytest.raises(OSError, match="No space"):
        order.named("job-1")
    assert state(journal) == ("ordered", None)
    assert order.to_stop() == "job-1"


def test_that_a_job_is_stopped_need_not_be_written_down_to_be_done() -> None:
    order = order_of(FullDisk("cancelled"))
    order.placed()
    order.named("job-1")
    assert (order.to_stop(), order.to_stop()) == ("job-1", None)


def test_each_job_is_stopped_once_whoever_asks() -> None:
    order = order_of()
    order.placed()
    order.named("job-1")
    barrier = threading.Barrier(8, timeout=60)

    def ask(name: str | None) -> str | None:
        barrier.wait()
        return order.to_stop(name)

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(ask, [None, "job-1"] * 4))
    assert [name for name in told if name] == ["job-1"]


def test_what_an_earlier_process_stopped_is_not_stopped_again() -> None:
    journal = MemoryJournal()
    first = order_of(journal)
    first.placed()
    first.named("job-1")
    first.to_stop()
    assert state(journal) == ("cancelled", "job-1")
    assert Order(journal, KEY).to_stop() is None
    assert Order(journal, KEY).to_stop("job-1") is None


def test_an_answer_that_comes_late_is_written_down_and_its_job_stopped() -> None:
    journal, late = MemoryJournal(), list[str]()
    order = order_of(journal, on_late=late.append)
    order.placed()
    order.close()
    order.named("job-1", order.reference)
    assert (late, state(journal)) == (["job-1"], ("running", "job-1"))


def test_a_late_answer_whose_job_a_later_try_goes_on_with_is_left_alone() -> None:
    journal, late = MemoryJournal(), list[str]()
    order = order_of(journal, on_late=late.append)
    order.placed()
    order.close()
    later = Order(journal, KEY)
    later.named("job-1")
    order.named("job-1", order.reference)
    assert (late, state(journal)) == ([], ("running", "job-1"))


def test_a_late_answer_does_not_take_the_place_of_a_newer_order() -> None:
    journal, late = MemoryJournal(), list[str]()
    order = order_of(journal, on_late=late.append)
    order.placed()
    order.close()
    later = Order(journal, KEY)
    later.forget()
    later.begin(PRICE)
    later.placed()
    later.named("job-2")
    order.named("job-1", order.reference)
    assert (late, state(journal)) == (["job-1"], ("running", "job-2"))


def test_within_one_try_an_older_order_s_answer_is_told_by_its_reference() -> None:
    journal, late = MemoryJournal(), list[str]()
    order = order_of(journal, on_late=late.append)
    old = order.reference
    order.placed()
    order.forget()
    order.begin(PRICE)
    order.placed()
    order.named("job-2", order.reference)
    order.named(None, old)
    order.named("job-1", old)
    assert (late, state(journal)) == (["job-1"], ("running", "job-2"))


def test_a_late_answer_is_stopped_even_if_it_cannot_be_written_down() -> None:
    late: list[str] = []
    order = order_of(FullDisk("running"), on_late=late.append)
    order.placed()
    order.close()
    with pytest.raises(OSError, match="No space"):
        order.named("job-1", order.reference)
    assert late == ["job-1"]


def test_only_the_job_that_is_meant_is_forgotten() -> None:
    journal = MemoryJournal()
    order = order_of(journal)
    order.placed()
    order.named("job-2")
    order.forget("job-1")
    assert state(journal) == ("running", "job-2")
    order.forget("job-2")
    assert state(journal) is None


def test_without_a_key_nothing_reaches_the_journal() -> None:
    journal = MemoryJournal()
    for key in (None, ""):
        order = Order(journal, key)
        order.begin(PRICE)
        order.placed()
        order.named("job-1")
        assert order.remote_id == "job-1"
    assert journal._records == {}


def test_a_remote_id_that_is_a_number_is_kept_as_text() -> None:
    order = order_of()
    order.named(17)  # type: ignore[arg-type]
    assert order.remote_id == "17"


_DEEDS = st.lists(
    st.sampled_from(["begin", "placed", "named", "dead", "refused", "stop", "forget", "again"]),
    max_size=30,
)


@given(deeds=_DEEDS)
def test_memory_and_journal_never_differ(deeds: list[str]) -> None:
    journal = MemoryJournal()
    order, number = order_of(journal), 0
    for deed in deeds:
        if deed == "begin":
            order.begin(PRICE)
        elif deed == "named":
            number += 1
            order.named(f"job-{number}")
        elif deed == "dead":
            order.named(None)
        elif deed == "stop":
            order.to_stop()
        elif deed == "again":
            order = Order(journal, KEY, backend="did")
        else:
            getattr(order, deed)()
        record = journal.find(KEY)
        assert order.exists == (record is not None)
        assert order.remote_id == (record.remote_id if record else None)
        assert record is None or (record.state == "ordered") == (record.remote_id is None)
