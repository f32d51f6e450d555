"""The static backend keeps the contract that third parties are held to."""

from __future__ import annotations

from backends.static.backend import StaticBackend
from backends.static.config import StaticOptions
from support_contract import PatientContract


class TestStatic(PatientContract):
    def make_backend(self) -> StaticBackend:
        return StaticBackend(StaticOptions())
