"""The knobs of the policy, as they stand in the settings."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _is_currency(code: str) -> str:
    if not (len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()):
        raise ValueError("It should be three capital letters, such as USD.")
    return code


Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Money = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
Attempts = Annotated[int, Field(ge=1, le=20)]
PerMinute = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RetrySettings(_Section):
    """``attempts`` counts calls with the same request: 1 is exactly one call. Before the n-th
    retry there is a random pause of up to ``delay`` * 2^(n-1), at most ``max_delay`` seconds."""

    attempts: Attempts = 2
    delay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 2.0
    max_delay: Seconds = 60.0


class DeadlineSettings(_Section):
    """Seconds for one ``attempt``, for all backends of one ``scene``, for all presenters of the
    ``film``, and for one health ``check``. ``reserve`` is kept back for the last rung."""

    attempt: Seconds = 120.0
    scene: Seconds | None = 600.0
    film: Seconds | None = None
    reserve: Seconds = 10.0
    check: Seconds = 5.0


class BreakerSettings(_Section):
    """Opens after ``failures`` in a row; an attempt slower than ``slow`` seconds counts as one.
    It stays open for ``cool_down`` seconds, twice as long each time, at most ``max_cool_down``."""

    failures: Annotated[int, Field(ge=1)] = 5
    slow: Seconds | None = None
    cool_down: Seconds = 15.0
    max_cool_down: Seconds = 600.0


class BudgetSettings(_Section):
    """``max_cost`` is for one film, in ``currency``. ``allow_unknown_price`` None: only where
    nothing is limited. ``reorder_lost`` orders again where a paid order got no answer and the
    service cannot be asked for it or may not see it yet, at the risk of paying twice;
    ``reorder_bad`` where what was paid for is no good, and pays for that as well."""

    max_cost: Money | None = None
    currency: Annotated[str, AfterValidator(_is_currency)] = "USD"
    allow_unknown_price: bool | None = None
    reorder_lost: bool = False
    reorder_bad: bool = False


class BackendPolicy(_Section):
    """What differs for one backend; None: as for all. ``concurrency`` and ``per_minute`` limit
    how many of its attempts run at once and begin within a minute."""

    attempts: Attempts | None = None
    attempt_seconds: Seconds | None = None
    slow: Seconds | None = None
    concurrency: Annotated[int, Field(ge=1)] | None = None
    per_minute: PerMinute | None = None
    max_cost: Money | None = None


class PolicySettings(_Section):
    """Everything that the policy is told."""

    retry: RetrySettings = RetrySettings()
    deadline: DeadlineSettings = DeadlineSettings()
    breaker: BreakerSettings = BreakerSettings()
    budget: BudgetSettings = BudgetSettings()
    policies: Mapping[str, BackendPolicy] = Field(default_factory=dict)
    affinity: str = "scene"

    def attempt_seconds(self, backend: str, declared: float | None = None) -> float:
        """How long one call of ``backend`` may take. What it has ``declared``
        (`Capabilities.attempt_seconds`) counts where the user has said nothing."""
        own = self.of(backend).attempt_seconds
        if own is not None:
            return own
        said = "attempt" in self.deadline.model_fields_set
        return self.deadline.attempt if said or not declared else declared

    def of(self, backend: str) -> BackendPolicy:
        """What is said for one backend alone."""
        return self.policies.get(backend) or BackendPolicy()
