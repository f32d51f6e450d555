"""Whether an order whose answer was lost has become a talk.

The service takes no key that would keep it from making the same talk twice, so the account's talks
are searched for our reference. Whether their list tells names is not published: where it does not,
the newest talks are asked for one by one, and where that tells nothing either, nobody can know.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from avatar_core.backend import Job
from avatar_core.errors import AvatarError
from backends.did import errors
from backends.did.api import FAILED, DidApi, Limits, Listed

_SECONDS = 10.0
# Five thousand talks. Who has more is told that the order cannot be looked for.
_MOST_PAGES = 50
_MOST_SINGLE_LOOKS = 20
_LONGEST_PAUSE = 30.0
_FEW_LOOKS = 3


class LostOrders:
    """Looks for talks whose orders got no answer, as long as there is time. Who has looked in vain
    to the end of it once only looks a few times from then on."""

    def __init__(self, api: DidApi) -> None:
        self._api = api
        self._in_vain = False

    def seek(self, reference: str, pause: float, job: Job) -> str | None:
        """The talk that was ordered with ``reference``, if it is seen before the job's deadline;
        after each look the pause is twice as long.

        If not, the policy looks for it again before anything else is ordered.
        """
        if not reference:
            return None
        looks = blips = 0
        to_the_end = job.remaining is not None and not self._in_vain
        with suppress(AvatarError):
            while looks < _FEW_LOOKS or to_the_end:
                job.progress(0.15, "no answer to the order: looking for it")
                job.wait(pause)
                pause, looks = min(2 * pause, _LONGEST_PAUSE), looks + 1
                try:
                    found = find_talk(self._api, reference)
                except AvatarError as failure:
                    blips += 1
                    if blips > errors.BLIPS or failure.category not in errors.PASSING:
                        raise
                else:
                    blips = 0
                    if found is not None:
                        self._in_vain = False
                        return found
        self._in_vain = self._in_vain or (to_the_end and not blips)
        return None


def find_talk(api: DidApi, reference: str) -> str | None:
    """The id of the talk that was ordered with ``reference``, None if there is none.

    Raises `AvatarError`: unsupported where that cannot be known, anything else where the service
    could not be asked just now.
    """
    seen: list[Listed] = []
    token, tokens = "", set[str]()
    for _ in range(_MOST_PAGES):
        page, token = api.talks(token, _SECONDS)
        seen += page
        found = _match(page, reference)
        if found is not None:
            return found
        if not token:
            return _by_single_looks(api, reference, seen)
        if token in tokens:
            raise errors.cannot_be_known("its list of talks goes round in circles")
        tokens.add(token)
    raise errors.cannot_be_known("the account has too many talks to look through")


def _by_single_looks(api: DidApi, reference: str, seen: Sequence[Listed]) -> str | None:
    """What is to be known after the whole list was searched in vain."""
    if not seen or any(one.marks for one in seen):
        return None
    # Times are told with and without their zone, which is always UTC.
    newest = sorted(seen, key=lambda one: one.created_at, reverse=True)[:_MOST_SINGLE_LOOKS]
    looks = [api.talk(one.talk.id, Limits(_SECONDS)) for one in newest]
    told = [look for look in looks if look is not None]
    found = _match(told, reference)
    if found is not None:
        return found
    if any(one.marks for one in told) and len(newest) == len(seen):
        return None
    raise errors.cannot_be_known("it does not tell which talk belongs to which order")


def _match(talks: Sequence[Listed], reference: str) -> str | None:
    """One that has not failed comes first: the same order may have been sent a second time."""
    ours = [one.talk for one in talks if reference in one.marks]
    ours.sort(key=lambda talk: talk.status in FAILED)
    return ours[0].id if ours else None
