"""The colab backend keeps the contract of all backends, with a new server and with an old one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from avatar_core.backend import AvatarBackend
from avatar_core.testing import ScriptedServer
from support_colab import NOWHERE, Service, address, backend_at, serving
from support_contract import PatientContract


class TestColab(PatientContract):
    @pytest.fixture(autouse=True)
    def _served(self) -> Iterator[None]:
        self.service = Service(polls=0)
        with serving(self.service) as self.server:
            yield

    server: ScriptedServer

    def make_backend(self) -> AvatarBackend:
        return backend_at(address(self.server.url))

    def unreachable_backend(self) -> AvatarBackend:
        return backend_at(address(NOWHERE))

    def orders_placed(self, backend: AvatarBackend) -> int:
        del backend
        return len(self.service.jobs)


class TestColabWithAnOldServer(PatientContract):
    @pytest.fixture(autouse=True)
    def _served(self) -> Iterator[None]:
        self.service = Service(first=True)
        with serving(self.service) as self.server:
            yield

    server: ScriptedServer

    def make_backend(self) -> AvatarBackend:
        return backend_at(self.server.url)

    def unreachable_backend(self) -> AvatarBackend:
        return backend_at(NOWHERE)

    def orders_placed(self, backend: AvatarBackend) -> int:
        del backend
        return len(self.service.forms)
