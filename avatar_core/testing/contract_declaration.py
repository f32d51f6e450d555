"""The contract's sentences about what a backend says of itself: free, before anything is made."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel

from avatar_core.backend import (
    API_VERSION,
    FREE,
    AvatarBackend,
    AvatarRequest,
    Capabilities,
    Cost,
    Health,
)
from avatar_core.errors import AvatarError, Category
from avatar_core.policy.ladder import MOST_STEPS
from avatar_core.registry import Owner, make_entry
from avatar_core.testing.contract_base import ContractBase, told

# What a step down may change; the narration and who speaks it stay what they are.
_SAME_ON_EVERY_STEP = ("portrait", "audio", "duration", "key", "speaker", "text")


class DeclarationContract(ContractBase):
    """Name, options, capabilities, health, price and steps down."""

    def test_its_name_can_be_registered(self) -> None:
        with self._opened() as backend:
            make_entry(backend.name, type(backend), "", Owner("the contract"))

    def test_it_is_written_for_this_version_of_the_contract(self) -> None:
        with self._opened() as backend:
            assert backend.api_version == API_VERSION, (
                f"api_version is {backend.api_version!r} and this package speaks {API_VERSION}: "
                "leave it out to inherit it."
            )
            assert isinstance(backend.revision, str) and backend.revision, (
                "revision is a text that enters the cache key, such as '1'."
            )

    def test_its_capabilities_are_possible(self) -> None:
        with self._opened() as backend:
            can: object = backend.capabilities
            assert isinstance(can, Capabilities), (
                f"capabilities is {type(can).__name__}: use Capabilities(...)."
            )
            for name in (
                "max_seconds",
                "max_pixels",
                "concurrency",
                "pace",
                "attempt_seconds",
                "found_within",
            ):
                value = getattr(can, name)
                assert value is None or value > 0, f"capabilities.{name} is None or more than 0."
            formats = can.audio_formats
            assert isinstance(formats, tuple) and "wav" in formats, (
                "capabilities.audio_formats is a tuple with 'wav' in it: narrations are WAV files."
            )
            assert can.needs_network or not can.uploads, (
                "What uploads needs the network: set capabilities.needs_network."
            )

    def test_its_options_refuse_what_they_do_not_know(self) -> None:
        with self._opened() as backend:
            options = backend.Options
            assert isinstance(options, type) and issubclass(options, BaseModel), (
                "Options is a class derived from pydantic.BaseModel."
            )
            assert options.model_config.get("extra") == "forbid", (
                "A misspelled option would be ignored: give Options "
                "model_config = ConfigDict(extra='forbid', frozen=True)."
            )

    def test_its_constructor_takes_its_options_alone(self) -> None:
        with self._opened() as backend:
            assert isinstance(backend.options, backend.Options), (
                "backend.options is an instance of Options: call super().__init__(options)."
            )
            try:
                twin = type(backend)(backend.options)
            except TypeError as failure:
                raise AssertionError(
                    f"The class is made as cls(options), which raised: {failure}. Give every "
                    "other parameter of __init__ a default."
                ) from failure
            with self._opened(twin):
                assert twin.options == backend.options, (
                    "The constructor keeps the options that it is given."
                )

    def test_its_check_answers_soon_and_in_a_sentence(self) -> None:
        with self._opened() as backend:
            health = self._health(backend)
            assert isinstance(health.ok, bool), "Health.ok is True or False."
            assert str(health.message).strip(), "Health.message says how it is, in a sentence."
            assert health.ok, (
                f"check() says that it cannot work: {health.message} make_backend() should return "
                "a backend that can."
            )

    def test_its_check_gives_the_same_kind_of_answer_twice(self) -> None:
        with self._opened() as backend:
            first, second = self._kind_of_health(backend), self._kind_of_health(backend)
            assert first == second, (
                f"check() first answered {first}, then {second}, though nothing had changed: it "
                "must not depend on having been asked before."
            )

    def test_its_price_is_a_cost_or_unknown(self, tmp_path: Path) -> None:
        with self._opened() as backend:
            price: object = backend.estimate(self._request(backend, tmp_path))
            assert price is None or isinstance(price, Cost), (
                f"estimate() returned {type(price).__name__}: return Cost(Decimal(...)) or None."
            )
            if not backend.capabilities.costs_money:
                assert price == FREE, (
                    f"estimate() returned {price}, but capabilities.costs_money is False: set it, "
                    "or return FREE."
                )
            assert price is None or _possible(price), (
                f"estimate() returned {price}: the amount is a Decimal that is not negative, the "
                "currency three capital letters."
            )

    def test_asking_for_health_and_price_orders_nothing(self, tmp_path: Path) -> None:
        with self._opened() as backend:
            before = self._orders(backend)
            self._kind_of_health(backend)
            backend.estimate(self._request(backend, tmp_path))
            assert self._orders(backend) == before, (
                "check() or estimate() created a job of the service: they must cost nothing."
            )

    def test_its_steps_down_come_to_an_end(self, tmp_path: Path) -> None:
        with self._opened() as backend:
            request = self._request(backend, tmp_path)
            for category in Category:
                self._walk_down(backend, request, AvatarError(category, "It did not work."))

    def test_closing_twice_is_safe(self) -> None:
        backend = self.make_backend()
        backend.close()
        try:
            backend.close()
        except Exception as failure:
            raise AssertionError(
                f"The second close() raised {type(failure).__name__}: it must do nothing."
            ) from failure

    def _health(self, backend: AvatarBackend) -> Health:
        try:
            health: object = self._within(self.check_seconds, "check()", backend.check)
        except AssertionError:
            raise
        except Exception as failure:
            raise AssertionError(
                f"check() failed with {told(failure, 'check()').category}: {failure} "
                "make_backend() should return a backend that can work."
            ) from failure
        assert isinstance(health, Health), (
            f"check() returned {type(health).__name__}: return Health(ok, message)."
        )
        return health

    def _kind_of_health(self, backend: AvatarBackend) -> str:
        """Right or wrong, the answers of two checks can be compared by this."""
        try:
            health: object = self._within(self.check_seconds, "check()", backend.check)
        except AssertionError:
            return "too late"
        except Exception as failure:
            return type(failure).__name__
        return f"ok={health.ok}" if isinstance(health, Health) else type(health).__name__

    def _walk_down(
        self, backend: AvatarBackend, request: AvatarRequest, error: AvatarError
    ) -> None:
        seen, where = [request], f"safer(request, {error.category})"
        while (lower := backend.safer(seen[-1], error)) is not None:
            assert isinstance(lower, AvatarRequest), (
                f"{where} returned {type(lower).__name__}: return a request or None."
            )
            assert lower not in seen, (
                f"{where} returned a request that it had been given before: return None when no "
                "step is left."
            )
            assert isinstance(lower.options, backend.Options), (
                f"{where} returned options of another class than Options."
            )
            changed = [n for n in _SAME_ON_EVERY_STEP if getattr(lower, n) != getattr(request, n)]
            assert not changed, f"{where} changed {', '.join(changed)}: change the options only."
            seen.append(lower)
            assert len(seen) <= MOST_STEPS + 1, (
                f"{where} went down more than {MOST_STEPS} steps: return None when none is left."
            )


def _possible(price: Cost) -> bool:
    amount, currency = price.amount, price.currency
    return (
        isinstance(amount, Decimal)
        and amount >= 0
        and (len(currency), currency) == (3, currency.upper())
    )
