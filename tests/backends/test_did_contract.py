"""D-ID keeps the contract that third parties are held to, against the stand-in of its service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from avatar_core.backend import AvatarBackend
from backends.did.backend import DidBackend
from backends.did.config import DidOptions
from support_contract import PatientContract
from support_did_service import DidService

# A port where nobody listens.
_NOWHERE = "http://127.0.0.1:9"


class TestDid(PatientContract):
    @pytest.fixture(autouse=True)
    def _service(self) -> Iterator[None]:
        with DidService() as service:
            self.service = service
            yield
        assert service.violations == []

    def make_backend(self) -> DidBackend:
        return self._backend(self.service.url)

    def unreachable_backend(self) -> DidBackend:
        return self._backend(_NOWHERE)

    def orders_placed(self, backend: AvatarBackend) -> int:
        del backend
        return len(self.service.ledger.talks)

    def _backend(self, url: str) -> DidBackend:
        key = SecretStr(self.service.key)
        return DidBackend(DidOptions(api_key=key, api_url=url, poll_seconds=0.01))
