"""The store: complete or not at all, made once, found again in any process."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from avatar_core.cancel import CancelToken
from avatar_core.errors import Cancelled, EnvironmentFault
from renderer.store import FileHashes, Store, content_key


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def writes(text: str, calls: list[str] | None = None) -> Any:
    def build(target: Path, work: Path) -> dict[str, Any]:
        if calls is not None:
            calls.append(text)
        target.write_text(text, encoding="utf-8")
        return {"length": len(text)}

    return build


def unfinished(store: Store) -> list[Path]:
    return [p for p in (store.root / "tmp").glob("*/*") if p.name != "owner.lock"]


def test_an_artifact_is_made_once_and_found_again(store: Store) -> None:
    calls: list[str] = []
    first = store.make("speech", "ab12", ".txt", writes("xin chào", calls))
    again = store.make("speech", "ab12", ".txt", writes("xin chào", calls))
    assert calls == ["xin chào"]
    assert first.fresh and not again.fresh
    assert again.path.read_text(encoding="utf-8") == "xin chào"
    assert again.meta == {"length": 8}


def test_another_store_on_the_same_folder_finds_it(store: Store, tmp_path: Path) -> None:
    store.make("speech", "ab12", ".txt", writes("hello"))
    assert Store(tmp_path / "cache").find("speech", "ab12") is not None


def test_a_build_that_fails_leaves_nothing_behind(store: Store) -> None:
    def fails(target: Path, work: Path) -> dict[str, Any]:
        target.write_text("half", encoding="utf-8")
        raise RuntimeError("the power went out")

    with pytest.raises(RuntimeError):
        store.make("segment", "ab12", ".mp4", fails)
    assert store.find("segment", "ab12") is None
    assert unfinished(store) == []


@pytest.mark.parametrize("damage", ["truncate", "delete", "garbage note", "empty note"])
def test_a_damaged_artifact_does_not_count_and_is_made_again(store: Store, damage: str) -> None:
    made = store.make("segment", "ab12", ".txt", writes("whole"))
    note = made.path.with_suffix(".json")
    if damage == "truncate":
        made.path.write_text("wh", encoding="utf-8")
    elif damage == "delete":
        made.path.unlink()
    else:
        note.write_text("{" if damage == "garbage note" else "", encoding="utf-8")
    assert store.find("segment", "ab12") is None
    assert store.make("segment", "ab12", ".txt", writes("whole")).fresh


def test_threads_that_want_the_same_artifact_make_it_once(store: Store) -> None:
    calls: list[str] = []
    gate = threading.Barrier(8)

    def want(_: int) -> bool:
        gate.wait()
        return store.make("speech", "cd34", ".txt", writes("once", calls)).fresh

    with ThreadPoolExecutor(8) as pool:
        fresh = list(pool.map(want, range(8)))
    assert calls == ["once"]
    assert fresh.count(True) == 1


def _want_in_process(root: str, log: str) -> None:
    def build(target: Path, work: Path) -> dict[str, Any]:
        with Path(log).open("a", encoding="utf-8") as stream:
            stream.write(f"{os.getpid()}\n")
        target.write_text("x" * 1000, encoding="utf-8")
        return {}

    Store(Path(root)).make("avatar", "ee55", ".mp4", build)


def test_processes_that_want_the_same_artifact_make_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    arguments = (str(tmp_path / "cache"), str(tmp_path / "log"))
    workers = [context.Process(target=_want_in_process, args=arguments) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(300)
    assert len((tmp_path / "log").read_text(encoding="utf-8").splitlines()) == 1


def test_a_killed_maker_blocks_nobody(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import os, sys
        from pathlib import Path
        from renderer.store import Store
        def build(target, work):
            target.write_text("half")
            os.kill(os.getpid(), 9)
        Store(Path(sys.argv[1])).make("avatar", "ff66", ".mp4", build)
    """)
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False, timeout=300)
    store = Store(tmp_path)
    assert store.find("avatar", "ff66") is None
    assert unfinished(store) == []
    assert store.make("avatar", "ff66", ".mp4", writes("whole")).path.read_text() == "whole"


def test_a_finished_file_that_is_a_link_is_kept_by_its_content(store: Store) -> None:
    with store.work_dir() as work:
        (work / "real.mp4").write_bytes(b"clip")
        (work / "clip.mp4").symlink_to("real.mp4")
        kept = store.put("avatar", "ab12", work / "clip.mp4", {})
    assert not kept.path.is_symlink()
    assert kept.path.read_bytes() == b"clip"


def test_a_new_store_leaves_the_work_of_a_living_one_alone(store: Store, tmp_path: Path) -> None:
    with store.work_dir() as work:
        Store(tmp_path / "cache")
        assert work.is_dir()


def test_waiting_for_another_maker_can_be_cancelled(store: Store) -> None:
    token = CancelToken()
    token.cancel()
    with store.locked("speech", "ab", CancelToken()), pytest.raises(Cancelled):
        store.make("speech", "ab", ".txt", writes("never"), cancel=token)


def test_a_cache_folder_that_is_a_file_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("not a folder", encoding="utf-8")
    with pytest.raises(EnvironmentFault, match="AVATAR_CACHE_DIR"):
        Store(tmp_path / "cache")


def test_a_key_does_not_depend_on_the_order_of_its_parts() -> None:
    assert content_key(a=1, b="ỗ") == content_key(b="ỗ", a=1)
    assert content_key(a=1) != content_key(a="1")


def test_a_file_is_known_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    hashes = FileHashes()
    one, two = tmp_path / "one.png", tmp_path / "two.png"
    one.write_bytes(b"same")
    two.write_bytes(b"same")
    assert hashes(one) == hashes(two)
    two.write_bytes(b"changed")
    assert hashes(one) != hashes(two)


def test_a_file_of_the_same_size_and_date_is_read_again(tmp_path: Path) -> None:
    hashes, file, other = FileHashes(), tmp_path / "take.wav", tmp_path / "take2.wav"
    for path, content in ((file, b"first"), (other, b"other")):
        path.write_bytes(content)
        os.utime(path, (1e9, 1e9))
    before = hashes(file)
    other.replace(file)
    assert hashes(file) != before


def test_a_name_that_is_no_utf8_has_a_key_of_its_own() -> None:
    first, second = (content_key(target=name) for name in ("d\udce9", "d\udce8"))
    assert first != second
