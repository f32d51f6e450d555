"""What holds for every test."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from avatar_core import secrets

# Tests run side by side: how long examples take says more of the machine than of the code. And a
# suite that passed once is to pass again: the same examples each time, and others with
# `pytest --hypothesis-profile=explore`.
settings.register_profile(
    "avatar-core",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("explore", settings.get_profile("avatar-core"), derandomize=False)
settings.load_profile("avatar-core")

# Hundreds of processes start here, and each would compile the whole program for itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# What a shell starts in the background, or `nohup` starts, ignores these and hands that down: the
# tests that interrupt a render would wait for ever.
for _name, _handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    if getattr(signal, _name, None) and signal.getsignal(getattr(signal, _name)) is signal.SIG_IGN:
        signal.signal(getattr(signal, _name), _handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    # Each worker goes through whole files, whose fixtures are then made once, and whoever is done
    # first takes over from the other.
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log) if config.getoption("dist") == "load" else None


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests() -> Iterator[None]:
    # A process has few secrets and every text is searched for all of them; thousands of tests
    # have thousands, which would take minutes, and mask innocent words in other tests.
    before = set(secrets._known)
    yield
    secrets._known.intersection_update(before)
