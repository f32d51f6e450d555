"""What Windows does otherwise, as far as that can be told on any system."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from avatar_core.children import reader_gone
from avatar_core.errors import InputError
from avatar_core.settings import load_settings
from renderer.assemble import kept_by_windows
from renderer.script.reading import read_script
from renderer.whole_file import put_in_place


@pytest.mark.parametrize(
    ("failure", "system", "gone"),
    [
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "posix", True),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "nt", True),
        (OSError(errno.EINVAL, "Invalid argument"), "nt", True),
        (OSError(errno.EINVAL, "Invalid argument"), "posix", False),
        (OSError(errno.ENOSPC, "No space left on device"), "nt", False),
    ],
)
def test_a_pipe_that_nobody_reads_is_known_by_what_the_system_calls_it(
    failure: OSError, system: str, gone: bool
) -> None:
    assert reader_gone(failure, system) is gone


@pytest.mark.parametrize(
    "name", ["con.mp4", "Aux.mp4", "NUL", "com1.mp4", "lpt9.a.mp4", "con .mp4", "a:b.mp4"]
)
def test_a_name_that_windows_keeps_for_itself_is_known(name: str) -> None:
    assert kept_by_windows(name)


@pytest.mark.parametrize("name", ["film.mp4", "concert.mp4", "com.mp4", "com10.mp4", "a con.mp4"])
def test_a_name_that_only_looks_like_one_is_free(name: str) -> None:
    assert not kept_by_windows(name)


class Scanner:
    """Holds every new file until it has been waited for ``free_after`` times, as Windows has it."""

    def __init__(self, free_after: int) -> None:
        self._free_after = free_after
        self.waited: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)

    def replace(self, draft: Path, target: Path) -> None:
        if len(self.waited) < self._free_after:
            raise PermissionError(errno.EACCES, "The process cannot access the file")
        draft.replace(target)


def test_a_file_that_a_scanner_holds_is_put_in_place_once_it_lets_go(tmp_path: Path) -> None:
    draft, target = tmp_path / "draft", tmp_path / "job.json"
    draft.write_text("whole")
    scanner = Scanner(free_after=2)
    put_in_place(draft, target, pauses=(1, 2, 3), wait=scanner.wait, replace=scanner.replace)
    assert target.read_text() == "whole"
    assert scanner.waited == [1, 2]


def test_a_file_that_stays_held_is_told(tmp_path: Path) -> None:
    scanner = Scanner(free_after=9)
    with pytest.raises(PermissionError):
        put_in_place(
            tmp_path / "a", tmp_path / "b", pauses=(1,), wait=scanner.wait, replace=scanner.replace
        )
    assert scanner.waited == [1]


PATHS = {
    "film.yaml": (r'speakers: {a: {portrait: "C:\Users\lan.png"}}', "Use single quotes"),
    "other.yaml": (r'speakers: {a: {portrait: "..\hình.png"}}', "Use single quotes"),
    "film.json": (r'{"scenes": [{"audio": "C:\voice.wav"}]}', r"write / or \\"),
    "avatar.toml": ('[backends.sadtalker]\nroot = "C:\\SadTalker"', "in single quotes: root ="),
    "users.toml": ('[backends.sadtalker]\nroot = "C:\\Users\\lan"', "in single quotes: root ="),
}


@pytest.mark.parametrize("name", PATHS)
def test_a_path_with_backslashes_is_told_with_the_way_to_write_it(
    name: str, tmp_path: Path
) -> None:
    text, advice = PATHS[name]
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        if name.endswith(".toml"):
            load_settings(config=path, env={}, cwd=tmp_path)
        else:
            read_script(path)
    assert advice in str(caught.value)
