"""The contract's tests for the backends of this project."""

from __future__ import annotations

from avatar_core.testing import AvatarBackendContract


class PatientContract(AvatarBackendContract):
    """Its limits end only what hangs: tests run side by side, on machines that do other work."""

    check_seconds = 100.0
    generate_seconds = 600.0
    cancel_seconds = 100.0
