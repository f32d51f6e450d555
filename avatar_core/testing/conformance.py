"""The contract of avatar backends as tests, for whoever writes one."""

from __future__ import annotations

from avatar_core.testing.contract_clips import ClipContract
from avatar_core.testing.contract_declaration import DeclarationContract
from avatar_core.testing.contract_failures import FailureContract
from avatar_core.testing.contract_remote import RemoteContract


class AvatarBackendContract(DeclarationContract, ClipContract, FailureContract, RemoteContract):
    """Every sentence of the contract as a test; subclass it and run pytest.

    ::

        from avatar_core.testing import AvatarBackendContract

        class TestMine(AvatarBackendContract):
            def make_backend(self):
                return MyBackend(MyBackend.Options(url="http://127.0.0.1:8080"))

    Further hooks and the limits are those of `ContractBase`: `make_request`,
    `unreachable_backend`, `orders_placed`; ``check_seconds``, ``generate_seconds``,
    ``cancel_seconds``.
    """
