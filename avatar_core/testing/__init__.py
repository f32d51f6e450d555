"""What a backend's author needs to test it: shipped with the package, imported by nothing in it."""

from avatar_core.testing.clock import VirtualClock

__all__ = ["VirtualClock"]
