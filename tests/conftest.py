"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# Tests run side by side: how long one example takes says more of the machine than of the code.
settings.register_profile("avatar-core", deadline=None)
settings.load_profile("avatar-core")
