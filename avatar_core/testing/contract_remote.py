"""The contract's sentences about jobs that are done elsewhere: ordered, named, found, resumed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from avatar_core.backend import AvatarBackend, AvatarRequest
from avatar_core.errors import Category
from avatar_core.testing.contract_base import ContractBase, Listener, skip, told

_NO_SUCH = "no-such-job"
_NAME_FIRST = (
    "set the id as soon as the service says it, or a new process cannot go on with the job."
)


class RemoteContract(ContractBase):
    """Nothing is ordered, or paid, twice."""

    def test_a_remote_job_is_ordered_and_named_before_it_is_waited_for(
        self, tmp_path: Path
    ) -> None:
        with self._opened() as backend:
            listener, late = Listener(), []
            before = self.orders_placed(backend)

            def look() -> None:
                if listener.events[-1][0] == "progress" and not listener.heard("named"):
                    late.append(self.orders_placed(backend) != before)

            listener.on_news = look
            request = self._request(backend, tmp_path / "inputs")
            self._made(backend, request, listener.job(tmp_path / "job"))
            kinds = [what for what, _ in listener.events]
            if "ordered" not in kinds and "named" not in kinds:
                assert not backend.capabilities.costs_money, (
                    "It costs money and never called job.order(): a job whose answer gets lost "
                    "would be paid again."
                )
                skip("This backend does its work without remote jobs.")
            _judge_order(kinds)
            assert not any(late), (
                "Progress was reported while the service had the job and job.remote_id was not "
                f"set: {_NAME_FIRST}"
            )

    def test_one_clip_is_ordered_once(self, tmp_path: Path) -> None:
        with self._opened() as backend:
            before = self._orders(backend)
            listener = Listener()
            request = self._request(backend, tmp_path / "inputs")
            self._made(backend, request, listener.job(tmp_path / "job"))
            placed = self._orders(backend) - before
            assert placed == 1, (
                f"One request created {placed} jobs of the service: leave trying again to the "
                "policy, which knows the budget."
            )

    def test_a_job_that_runs_already_is_not_ordered_again(self, tmp_path: Path) -> None:
        with self._opened() as backend:
            request, name = self._ordered(backend, tmp_path)
            listener = Listener()
            job = listener.job(tmp_path / "resumed", remote_id=name)
            self._made(backend, request, job)
            assert not listener.heard("ordered", "named"), (
                "The job had a remote id and was ordered again, and perhaps paid again: call "
                "job.order() only where job.remote_id is None."
            )

    def test_a_job_that_is_gone_is_said_to_be_dead(self, tmp_path: Path) -> None:
        with self._opened() as backend:
            request, _ = self._ordered(backend, tmp_path)
            listener = Listener()
            job = listener.job(tmp_path / "gone", remote_id=_NO_SUCH)
            result = self._tried(backend, request, job)
            if isinstance(result, BaseException):
                told(result, "generate()")
            assert listener.heard("dead"), (
                "The service does not know the remote id, and the backend kept it: set "
                "job.remote_id = None before raising, or every later run waits for it again."
            )

    def test_an_order_is_found_by_its_reference_or_the_service_cannot_be_asked(
        self, tmp_path: Path
    ) -> None:
        with self._opened() as backend:
            request = self._request(backend, tmp_path / "inputs")
            found, asked = _found(backend, request, _NO_SUCH)
            assert found is None, (
                f"find() named {found!r} for a reference that was never sent: return None."
            )
            if not asked:
                return
            listener = Listener()
            request, name = self._ordered(backend, tmp_path, listener)
            found, _ = _found(backend, request, listener.reference)
            assert found in (None, name), (
                f"find() named {found!r} for the order that became {name!r}."
            )

    def test_cancelling_an_unknown_job_does_no_harm(self) -> None:
        with self._opened() as backend:
            try:
                self._within(self.cancel_seconds, "cancel()", lambda: backend.cancel(_NO_SUCH))
            except AssertionError:
                raise
            except Exception as failure:
                told(failure, "cancel()")

    def _ordered(
        self, backend: AvatarBackend, folder: Path, listener: Listener | None = None
    ) -> tuple[AvatarRequest, str]:
        """A request whose job the service has finished, and the job's remote id."""
        listener = listener or Listener()
        request = self._request(backend, folder / "inputs")
        self._made(backend, request, listener.job(folder / "ordered"))
        named = listener.heard("named")
        if not named:
            skip("This backend does its work without remote jobs.")
        return request, named[-1]


def _judge_order(kinds: Sequence[str]) -> None:
    assert "ordered" in kinds, (
        "job.remote_id was set without job.order(): call it right before the request that creates "
        "the job, so that a lost answer is looked for."
    )
    assert "named" in kinds, (
        "job.order() was called and job.remote_id never set: set it as soon as the service says "
        "it, or a new process orders, and pays, again."
    )
    ordered, named = kinds.index("ordered"), kinds.index("named")
    assert ordered < named, "job.order() was called after job.remote_id was set: call it before."
    assert "waited" not in kinds[ordered:named], (
        f"It waited between job.order() and job.remote_id: {_NAME_FIRST}"
    )
    assert kinds.count("ordered") == 1, (
        "job.order() was called more than once for one clip: leave trying again to the policy."
    )


def _found(
    backend: AvatarBackend, request: AvatarRequest, reference: str
) -> tuple[str | None, bool]:
    """What `find` says, and whether it can be asked at all."""
    try:
        found: object = backend.find(request, reference)
    except Exception as failure:
        assert told(failure, "find()").category is Category.UNSUPPORTED, (
            f"find() failed: {failure}. Return None for a reference that is not known; raise "
            "AvatarError(unsupported) where the service cannot be asked."
        )
        return None, False
    assert found is None or (isinstance(found, str) and found), (
        f"find() returned {found!r}: return the job's id, or None."
    )
    return found, True
