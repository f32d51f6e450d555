"""The contract's sentences about what cannot be done: told as `AvatarError`, without a secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from avatar_core.backend import AvatarBackend, AvatarClip, AvatarRequest, Health
from avatar_core.errors import AvatarError, Category
from avatar_core.secrets import is_secret
from avatar_core.testing.contract_base import ContractBase, Listener, skip, told

# Asking again changes nothing about a file that cannot be used.
_REFUSALS = (Category.INVALID_INPUT, Category.UNSUPPORTED)
_SHORTEST_SECRET = 6
_NOTHING_LEFT_OUT = "Override unreachable_backend() to test how a dead service is told."


class FailureContract(ContractBase):
    """Bad input, dead services, secrets."""

    def test_a_scene_without_a_portrait_is_refused_in_words_or_made(self, tmp_path: Path) -> None:
        self._judge_all(tmp_path, _without_portrait)

    def test_a_portrait_that_is_no_picture_is_refused_in_words_or_replaced(
        self, tmp_path: Path
    ) -> None:
        self._judge_all(tmp_path, _broken_portraits)

    def test_a_narration_that_is_no_sound_is_refused_in_words_or_not_needed(
        self, tmp_path: Path
    ) -> None:
        self._judge_all(tmp_path, _broken_narrations)

    def test_a_service_that_cannot_be_reached_is_told_as_connectivity(self, tmp_path: Path) -> None:
        with self._opened(self._unreachable()) as backend:
            self._judge_check(backend)
            request = self._request(backend, tmp_path / "inputs")
            result = self._tried(backend, request, Listener().job(tmp_path / "job"))
            assert isinstance(result, BaseException), (
                "generate() made a clip although its service cannot be reached: is the backend "
                "from unreachable_backend() the right one?"
            )
            failure = told(result, "generate()")
            assert failure.category is Category.CONNECTIVITY, (
                f"generate() told of an unreachable service as {failure.category}: that is "
                "connectivity, so that the next backend is asked."
            )

    def test_no_secret_of_its_options_is_shown(self, tmp_path: Path) -> None:
        with self._opened() as backend:
            secrets = [text for text in _secrets(backend.options) if len(text) >= _SHORTEST_SECRET]
            if not secrets:
                skip("The options of this backend hold no secret.")
            for where, text in self._said(backend, tmp_path):
                assert not any(secret in text for secret in secrets), (
                    f"A secret of the options is shown in {where}: declare it as "
                    "pydantic.SecretStr, and leave it out of what you write and raise."
                )

    def _judge_all(
        self, folder: Path, cases: Callable[[AvatarRequest, Path], Iterator[AvatarRequest]]
    ) -> None:
        with self._opened() as backend:
            good = self._request(backend, folder / "inputs")
            for number, request in enumerate(cases(good, folder)):
                job = Listener().job(folder / f"job-{number}")
                result = self._tried(backend, request, job)
                if isinstance(result, BaseException):
                    _judge_refusal(told(result, "generate()"))
                else:
                    _judge_clip(result)

    def _judge_check(self, backend: AvatarBackend) -> None:
        try:
            health: object = self._within(self.check_seconds, "check()", backend.check)
        except AvatarError as failure:
            assert told(failure, "check()").category is Category.CONNECTIVITY, (
                f"check() told of an unreachable service as {failure.category}: that is "
                "connectivity."
            )
        except Exception as failure:
            told(failure, "check()")
        else:
            assert isinstance(health, Health) and not health.ok, (
                "check() says that all is well although the service cannot be reached: ask it."
            )

    def _unreachable(self) -> AvatarBackend:
        backend = self.unreachable_backend()
        if backend is None:
            with self._opened() as usual:
                needs_network = usual.capabilities.needs_network
            skip(_NOTHING_LEFT_OUT if needs_network else "This backend needs no network.")
        return backend

    def _said(self, backend: AvatarBackend, folder: Path) -> Iterator[tuple[str, str]]:
        """Everything that a user may get to read, with where it comes from."""
        yield "repr(backend)", f"{backend!r} {backend}"
        yield "repr(options)", f"{backend.options!r} {backend.options}"
        yield "what check() says", _shown(backend.check)
        yield from self._said_in_work(backend, folder)
        dead = self.unreachable_backend()
        if dead is not None:
            with self._opened(dead):
                yield "what check() says of a dead service", _shown(dead.check)
                yield from self._said_in_work(dead, folder / "dead")

    def _said_in_work(self, backend: AvatarBackend, folder: Path) -> Iterator[tuple[str, str]]:
        good = self._request(backend, folder / "inputs")
        broken = next(_broken_portraits(good, folder))
        for number, request in enumerate((good, broken)):
            listener = Listener()
            job = listener.job(folder / f"said-{number}")
            result = self._tried(backend, request, job)
            yield "the progress of generate()", " ".join(listener.heard("progress"))
            yield "what generate() says", _text(result)


def _without_portrait(good: AvatarRequest, folder: Path) -> Iterator[AvatarRequest]:
    yield replace(good, portrait=None)
    yield replace(good, portrait=folder / "missing.png")


def _broken_portraits(good: AvatarRequest, folder: Path) -> Iterator[AvatarRequest]:
    for name, content in {
        "text.png": b"This is a text and no picture.\n",
        "half.png": b"\x89PNG\r\n\x1a\n" + bytes(24),
        "empty.png": b"",
    }.items():
        (folder / name).write_bytes(content)
        yield replace(good, portrait=folder / name)


def _broken_narrations(good: AvatarRequest, folder: Path) -> Iterator[AvatarRequest]:
    for name, content in {"text.wav": b"RIFF, but no sound at all.\n", "empty.wav": b""}.items():
        (folder / name).write_bytes(content)
        yield replace(good, audio=folder / name)
    yield replace(good, audio=folder / "missing.wav")


def _judge_refusal(failure: AvatarError) -> None:
    assert failure.category in _REFUSALS, (
        f"generate() told of a file that cannot be used as {failure.category} "
        f"({failure.message}): that is invalid_input, so that it is not tried again."
    )


def _judge_clip(result: object) -> None:
    assert isinstance(result, AvatarClip) and Path(result.path).is_file(), (
        f"generate() was given a file that cannot be used and returned {result!r}: raise "
        "AvatarError(invalid_input)."
    )


def _secrets(options: BaseModel) -> Iterator[str]:
    for name, value in options:
        yield from _secrets_in(name, value)


def _secrets_in(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif is_secret(name, value):
        yield value
    elif isinstance(value, BaseModel):
        yield from _secrets(value)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _secrets_in(str(key), one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _secrets_in(name, one)


def _shown(work: Callable[[], object]) -> str:
    try:
        return repr(work())
    except Exception as failure:
        return _text(failure)


def _text(result: object) -> str:
    advice = getattr(result, "advice", "")
    return f"{result!r} {result} {advice}"
