"""What an exception becomes: a sentence, a kind and an exit code."""

from __future__ import annotations

import errno
import json
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from avatar_core.backend import Cost
from avatar_core.errors import (
    AvatarError,
    Cancelled,
    Category,
    DiskFull,
    EnvironmentFault,
    InputError,
)
from avatar_core.trail import ChainError, TrailEntry
from renderer.cli.failures import explain
from renderer.speech.narration import NarrationError, SpeechAttempt


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (InputError("wrong"), "input", 2),
        (EnvironmentFault("no ffmpeg"), "environment", 1),
        (DiskFull(), "environment", 2),
        (AvatarError(Category.QUOTA, "no credit"), "backend", 1),
        (MemoryError(), "environment", 1),
        (OSError(errno.ENOSPC, "No space left on device"), "environment", 2),
        (Cancelled("cancelled"), "cancelled", 130),
        (KeyboardInterrupt(), "cancelled", 130),
    ],
)
def test_every_expected_error_has_its_kind_and_exit_code(
    error: BaseException, kind: str, code: int
) -> None:
    failure = explain(error)
    assert (failure.kind, failure.exit_code) == (kind, code)


def test_a_mistake_says_where_it_is_to_people_and_to_programs() -> None:
    error = InputError("no such key", file="film.yaml", line=3, key="scens", advice="Write scenes.")
    failure = explain(error)
    assert failure.text == "film.yaml:3: scens: no such key Write scenes."
    assert failure.to_json() == {
        "event": "failed",
        "kind": "input",
        "exit_code": 2,
        "message": "no such key",
        "advice": "Write scenes.",
        "details": {"file": "film.yaml", "line": 3, "key": "scens"},
    }


def test_a_backends_failure_carries_its_category_and_advice() -> None:
    failure = explain(AvatarError(Category.AUTH, "The key was refused."))
    assert failure.details == {"category": "auth"}
    assert failure.advice is not None and failure.advice in failure.text


def test_a_failed_chain_tells_a_program_everything_about_every_rung() -> None:
    entry = TrailEntry("did", Category.SERVER, "It broke.", "Wait.", 1.5, 2.0, Cost(Decimal("0.5")),
                       resumed=True, attempt=2, step=1)  # fmt: skip
    voice = SpeechAttempt("edge", "timeout", "It said nothing.", seconds=3.0)
    rung, engine = (
        explain(failure).details["trail"][0]
        for failure in (
            ChainError([entry]),
            NarrationError(AvatarError(Category.TIMEOUT, "It said nothing."), [voice]),
        )
    )
    assert rung == {
        "name": "did", "category": "server", "message": "It broke.", "advice": "Wait.",
        "seconds": 2.0, "skipped": False, "cached": False, "resumed": True, "started": 1.5,
        "attempt": 2, "step": 1, "passing": False, "cost": 0.5, "currency": "USD",
    }  # fmt: skip
    assert (engine["name"], engine["category"], engine["seconds"]) == ("edge", "timeout", 3.0)
    assert json.dumps([rung, engine])


def test_what_was_assigned_on_the_command_line_stays_out_of_the_bug_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATAR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["avatar", "render", "--set", "backends.did.api_key=s3cr3t"])
    failure = explain(RuntimeError("unforeseen"))
    report = Path(failure.details["log"]).read_text(encoding="utf-8")
    assert failure.exit_code == 1
    assert "backends.did.api_key=..." in report
    assert "s3cr3t" not in report


def test_a_name_that_is_no_utf8_does_not_hide_a_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATAR_CACHE_DIR", str(tmp_path))
    failure = explain(RuntimeError("d\udce9"))
    assert Path(failure.details["log"]).read_text(encoding="utf-8").count("d\\udce9") == 1


def test_a_bug_is_told_even_where_no_log_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "a file, not a folder"
    blocked.write_text("")
    monkeypatch.setenv("AVATAR_CACHE_DIR", str(blocked))
    monkeypatch.setattr("tempfile.tempdir", str(blocked))
    failure = explain(RuntimeError("unforeseen"))
    assert failure.details["log"] is None
    assert "AVATAR_DEBUG=1" in failure.text
