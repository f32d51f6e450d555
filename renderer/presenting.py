"""The presenters' clips of a film: one fallback chain a scene, one policy for all of them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

from avatar_core.backend import AvatarRequest
from avatar_core.cancel import CancelToken
from avatar_core.chain import LAST_RUNG, ClipCache, FallbackChain, Outcome, Rung, TrailEntry
from avatar_core.clip_check import validate_clip
from avatar_core.policy.settings import PolicySettings
from avatar_core.policy.state import Policy
from avatar_core.pool import BackendPool
from avatar_core.rung_run import Tools
from avatar_core.second_try import second_tries, stands_out
from avatar_core.settings import Settings
from renderer.clip_cache import StoredClips
from renderer.film import Film, FilmScene, Presenter
from renderer.journal import StoredJournal
from renderer.planning.paces import Paces
from renderer.presenter_request import presenter_request
from renderer.shared_jobs.forming import part_of
from renderer.shared_jobs.making import LETTERS, LOCK, SharedJobs
from renderer.speech.narration import Narration
from renderer.store import FileHashes, Store

log = logging.getLogger(__name__)


class Presenting:
    """Makes the presenter's clip of each scene by the scene's chain of backends."""

    def __init__(
        self,
        film: Film,
        pool: BackendPool,
        store: Store,
        hashes: FileHashes,
        settings: Settings,
        on_attempt: Callable[[str, TrailEntry], None],
    ) -> None:
        self._film = film
        self._pool = pool
        self._store = store
        self._hashes = hashes
        self._settings = settings
        self._on_attempt = on_attempt
        self._clips = StoredClips(store)
        self._paces = Paces(store)
        self._policy = Policy(policy_for(film, settings), journal=StoredJournal(store))
        tools = Tools(self._policy, validate_clip, self._clips, self._fence)
        name = str(film.source or film.title)
        self._shared = SharedJobs(store, self._clips, tools, on_attempt, name)
        self._lock = threading.Lock()
        self._began: dict[str, float] = {}
        self._outcomes: dict[str, Outcome] = {}

    def present(
        self,
        scene: FilmScene,
        narration: Narration,
        cancel: CancelToken,
        on_progress: Callable[[float, str], None],
    ) -> Outcome | None:
        """The clip and its trail; None where the scene shows nobody.

        A scene that is presented again keeps the trail of the first time. Raises `ChainError`
        when even the last rung failed.
        """
        request = self._request(scene, narration)
        if request is None or scene.presenter is None:
            return None
        chain = FallbackChain(
            self._rungs(scene.presenter),
            policy=self._policy,
            cache=self._clips,
            skip=self._fence,
            on_attempt=lambda entry: self._on_attempt(scene.id, entry),
        )
        began = self._began.setdefault(scene.id, self._policy.clock())
        told = self._shared.make(scene.id, cancel, began, on_progress)
        # Another process may be making the same clip: wait for it rather than pay as well.
        with (
            self._store.locked(LOCK, request.key, cancel, letters=LETTERS),
            self._store.work_dir() as work,
        ):
            outcome = chain.run(request, work, cancel, on_progress, scene=scene.id, began=began)
        self._paces.note(outcome, narration.seconds)
        _log(scene.id, outcome)
        return self._remember(scene.id, replace(outcome, trail=(*told, *outcome.trail)))

    def take_stock(self, scenes: Sequence[tuple[FilmScene, Narration]]) -> None:
        """The film's budget holds for the whole film: the clips of earlier renders count as well,
        and the jobs that a render which died has ordered. Then it is known what is to be made, and
        which scenes share a job."""
        parts = []
        for scene, narration in scenes:
            request = self._request(scene, narration)
            if request is None or scene.presenter is None:
                continue
            rungs = self._rungs(scene.presenter)
            count_what_is_spent(rungs, request, self._clips, self._policy)
            parts.append(part_of(scene.id, rungs, request))
        for job in self._shared.form(parts):
            count_what_is_spent([job.rung], job.request, self._clips, self._policy)

    def second_tries(
        self,
        again: Callable[[Sequence[str]], None],
        cancel: CancelToken,
        on_wait: Callable[[float], None],
    ) -> None:
        """Have the scenes made ``again`` that fell back for a reason that has perhaps passed."""
        if self._settings.second_try:
            second_tries(self._policy, lambda: dict(self._outcomes), again, cancel, on_wait)

    def out_of_look(self) -> list[str]:
        """The scenes that must be made again for the film to keep one look."""
        return [
            scene
            for scene, outcome in self._outcomes.items()
            if self._settings.redo_earlier and stands_out(outcome, self._policy)
        ]

    def _remember(self, scene: str, outcome: Outcome) -> Outcome:
        with self._lock:
            before = self._outcomes.get(scene)
            if before is not None:
                outcome = replace(outcome, trail=(*before.trail, *outcome.trail))
            self._outcomes[scene] = outcome
            return outcome

    def _rungs(self, presenter: Presenter) -> Sequence[Rung]:
        return self._pool.rungs(presenter.backends, presenter.options)

    def _request(self, scene: FilmScene, narration: Narration) -> AvatarRequest | None:
        return presenter_request(self._film, scene, narration, self._hashes)

    def _fence(self, rung: Rung, request: AvatarRequest) -> str | None:
        self._shared.refuse(rung, request)
        return upload_fence(rung, self._film, self._settings)


def _log(scene: str, outcome: Outcome) -> None:
    if outcome.clip.backend != LAST_RUNG:
        log.info("Using AI avatar video for scene %s", scene)
    elif outcome.degraded:
        log.warning("Avatar failed, using static scene %s", scene)


def count_what_is_spent(
    rungs: Sequence[Rung], request: AvatarRequest, clips: ClipCache, policy: Policy
) -> str | None:
    """Count for the budget what earlier renders have paid for ``request``: the kept clip, and
    jobs of better rungs that wait to be fetched. Returns the rung whose clip is kept."""
    for rung in rungs:
        key = rung.key(replace(request, options=rung.options))
        if key is None:
            continue
        clip, record = clips.find(key), policy.journal.find(key)
        if clip is not None:
            policy.budget.count(rung.name, clip.cost)
            return rung.name
        if record is not None:
            policy.foresee(rung.name, key, record.cost)
    return None


def upload_fence(rung: Rung, film: Film, settings: Settings) -> str | None:
    """Why a rung may not be used although it works: it would send a face and a voice out."""
    if not rung.open().capabilities.uploads:
        return None
    for allowed, name in (
        (film.limits.allow_upload, "limits.allow_upload"),
        (settings.allow_upload, "the setting allow_upload"),
    ):
        if not allowed:
            return f"it sends the face and the voice out, which {name} forbids"
    return None


def policy_for(film: Film, settings: Settings) -> PolicySettings:
    """The policy's settings for one film: a script can lower what may be spent, not raise it."""
    policy, wanted = settings.policy, film.limits.max_cost
    if wanted is None:
        return policy
    most = Decimal(str(wanted))
    if policy.budget.max_cost is not None:
        most = min(most, policy.budget.max_cost)
    budget = policy.budget.model_copy(update={"max_cost": most})
    return policy.model_copy(update={"budget": budget})
