"""What a program on this machine did, told by its exit code, its signal and its last words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_core.errors import AvatarError, Category
from avatar_core.http_tables import Hint
from avatar_core.http_text import LONGEST_MESSAGE
from avatar_core.process_errors import (
    CODES,
    PROCESS_HINTS,
    SIGNALS,
    process_error,
    start_error,
)
from avatar_core.secrets import hide

C = Category


def run(source: str) -> AvatarError:
    """The error for a real Python program."""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, check=False)
    return process_error("SadTalker", done.returncode, done.stderr)


@pytest.mark.parametrize(
    ("source", "category", "words"),
    [
        ("import sys; sys.exit(3)", C.SERVER, "SadTalker failed (exit code 3)."),
        ("raise ValueError('no face\\n')", C.SERVER, "(exit code 1): ValueError: no face."),
        ("import no_such_module", C.UNSUPPORTED, "is not completely installed"),
        ("raise MemoryError", C.SERVER, "ran out of memory"),
        ("open('missing.pth')", C.UNSUPPORTED, "misses a file that it needs"),
        ("import argparse; argparse.ArgumentParser().parse_args(['--x'])", C.UNSUPPORTED,
         "does not know the options"),
    ],
)  # fmt: skip
def test_a_real_program_s_failure_is_understood(
    source: str, category: Category, words: str
) -> None:
    error = run(source)
    assert error.category is category
    assert words in error.message
    assert error.message.count("\n") == 0
    assert error.advice


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.parametrize(
    ("name", "words"),
    [("SIGKILL", "was killed, probably because the memory was full (SIGKILL)"),
     ("SIGSEGV", "crashed (SIGSEGV)"), ("SIGTERM", "was ended from outside (SIGTERM)")],
)  # fmt: skip
def test_a_real_program_that_a_signal_ended_is_understood(name: str, words: str) -> None:
    error = run(f"import os; os.kill(os.getpid(), {int(getattr(signal, name))})")
    assert (error.category, error.status) == (C.SERVER, -int(getattr(signal, name)))
    assert words in error.message


@pytest.mark.parametrize("code", [137, 139, 143])
def test_what_a_shell_makes_of_a_signal_is_the_same(code: int) -> None:
    assert process_error("x", code).message == process_error("x", 128 - code).message


@pytest.mark.parametrize("name", SIGNALS)
def test_every_signal_of_the_table_is_known_to_the_system(name: str) -> None:
    number = getattr(signal, name, None)
    if number is None:
        pytest.skip("this system does not have it")
    assert SIGNALS[name].says in process_error("x", -int(number)).message


@pytest.mark.parametrize("code", CODES)
def test_every_exit_code_of_the_table_is_told(code: int) -> None:
    error = process_error("x", code)
    assert (error.category, error.status) == (CODES[code].category, code)
    assert CODES[code].says in error.message


def test_a_crash_on_windows_is_one() -> None:
    error = process_error("x", 0xC0000005)
    assert error.message == "x crashed (0xC0000005)."


LAST_WORDS = {
    "GPU memory": "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB",
    "memory": "OSError: [Errno 12] Cannot allocate memory",
    "disk": "OSError: [Errno 28] No space left on device",
    "GPU": "RuntimeError: No CUDA GPUs are available",
    "library": "ModuleNotFoundError: No module named 'gfpgan'",
    "options": "inference.py: error: unrecognized arguments: --still",
    "network": "requests: Failed to establish a new connection: Connection refused",
    "permission": "PermissionError: [Errno 13] Permission denied: 'out'",
    "file": "FileNotFoundError: [Errno 2] No such file or directory: 'mapping.pth.tar'",
}


@pytest.mark.parametrize("hint", PROCESS_HINTS, ids=lambda hint: hint.name)
def test_last_words_tell_more_than_an_exit_code(hint: Hint) -> None:
    error = process_error("x", 1, f"warning: this and that\n{LAST_WORDS[hint.name]}\n")
    assert error.category is hint.category
    assert error.advice == hint.advice
    assert f"x {hint.says} (exit code 1): " in error.message


def test_words_of_long_ago_decide_nothing() -> None:
    assert process_error("x", 1, "permission denied\n" + "fine\n" * 2000).category is C.SERVER


def test_what_was_killed_did_not_end_by_what_it_had_said() -> None:
    assert "was killed" in process_error("x", -9, "warning: permission denied").message


def test_a_backend_s_own_hints_come_first_and_see_the_exit_code() -> None:
    face = Hint("face", "can not detect the landmark", C.INVALID_INPUT, "found no face", "Turn.")
    own = Hint("own", "", C.TIMEOUT, statuses={42})
    text = "no such file or directory\ncan not detect the landmark from source image"
    assert process_error("x", 1, text, hints=(face,)).category is C.INVALID_INPUT
    assert process_error("x", 42, "", hints=(own,)).category is C.TIMEOUT


def test_a_progress_bar_is_not_taken_for_the_last_word() -> None:
    error = process_error("x", 1, "0%|  | 0/4\r50%|# | 2/4\rValueError: bad\n\n \n")
    assert error.message == "x failed (exit code 1): ValueError: bad."


def test_a_secret_in_last_words_is_not_repeated() -> None:
    hide("authtoken-815")
    assert "815" not in process_error("ngrok", 1, "invalid authtoken-815").message


@given(st.integers(-70, 2**32 - 1), st.text(max_size=300))
def test_whatever_a_program_does_there_is_one_line_about_it(code: int, text: str) -> None:
    error = process_error("x", code, text)
    assert len(error.message) < LONGEST_MESSAGE + 100
    assert error.message.isprintable()


def test_a_program_that_cannot_be_started_is_told_so(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.write_text("#!/bin/sh\n")
    told = {}
    for command in (tmp_path / "missing", locked):
        try:
            subprocess.run([command], check=False)
        except OSError as failure:
            told[command.name] = start_error(command.name, failure)
    assert told["missing"].message == "missing was not found."
    if os.name == "posix":
        assert told["locked"].message == "locked may not be run."
    assert {error.category for error in told.values()} == {C.UNSUPPORTED}


def test_a_program_without_memory_or_time_is_told_so() -> None:
    memory = start_error("x", OSError(12, "Cannot allocate memory"))
    assert (memory.category, memory.message) == (
        C.SERVER, "x could not be started: Cannot allocate memory.")  # fmt: skip
    late = start_error("x", subprocess.TimeoutExpired("x", 2.5))
    assert (late.category, late.message) == (C.TIMEOUT, "x was still running after 2.5 s.")
