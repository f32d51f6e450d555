"""What D-ID has refused once in a film and would refuse in each of its scenes: nobody asks, or
pays, for it again."""

from __future__ import annotations

import threading

from avatar_core.errors import AvatarError
from backends.did import errors
from backends.did.config import DidOptions


class Refusals:
    """Safe to use from several threads; lasts as long as its backend."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._not_in_plan: dict[DidOptions, AvatarError] = {}
        self._portraits: dict[str, AvatarError] = {}

    def require_plan(self, options: DidOptions) -> None:
        """Raise `AvatarError` where the plan lacks something of ``options``."""
        self._tell(self._not_in_plan.get(options))

    def require_portrait(self, content: str) -> None:
        """Raise `AvatarError` where the picture of this ``content`` cannot be used."""
        self._tell(self._portraits.get(content))

    def learn(self, failure: AvatarError, options: DidOptions, content: str) -> None:
        """Remember what ``failure`` says of the plan or of the portrait itself."""
        with self._lock:
            if errors.is_kind(failure, "PermissionError"):
                self._not_in_plan.setdefault(options, failure)
            if errors.blames_portrait(failure):
                self._portraits.setdefault(content, failure)

    def _tell(self, refused: AvatarError | None) -> None:
        if refused is not None:
            raise errors.told_again(refused)
