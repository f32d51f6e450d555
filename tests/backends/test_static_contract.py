"""The static backend keeps the contract that third parties are held to."""

from __future__ import annotations

from avatar_core.testing import AvatarBackendContract
from backends.static.backend import StaticBackend
from backends.static.config import StaticOptions


class TestStatic(AvatarBackendContract):
    def make_backend(self) -> StaticBackend:
        return StaticBackend(StaticOptions())
