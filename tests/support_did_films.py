"""Films that the stand-in for D-ID presents, and who renders them: this process, or others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from avatar_core.events import Event
from renderer.renderer import BackendChoice, SmartVideoRenderer
from renderer.result import RenderResult
from renderer.script.models import VideoScript
from support_did_service import DidService
from support_films import film_of_tones
from support_paid_driver import start
from support_processes import Process

# Nothing here is worth waiting for; how long real waits are is tested in virtual time.
# A busy machine may leave a check unanswered for a while.
QUICK: dict[str, Any] = {
    "retry.delay": 0,
    "report": False,
    "deadline.check": 100,
    "backends.did.poll_seconds": 0.01,
}
SECONDS = 0.5


def settings(service: DidService, folder: Path, **more: Any) -> dict[str, Any]:
    """What a user of ``service`` sets, by dotted name; ``more`` names are written with dots."""
    own = {
        "cache_dir": str(folder / "cache"),
        "backends.did.api_key": service.key,
        "backends.did.api_url": service.url,
        "backends.did.credit_price": "0.20",
    }
    return {**QUICK, **own, **more}


def render_did(
    service: DidService,
    film: VideoScript,
    folder: Path,
    *,
    avatar_backend: BackendChoice | None = "did",
    on_event: Callable[[Event], None] | None = None,
    **more: Any,
) -> RenderResult:
    """Render ``film`` to ``out/film.mp4`` with the chain did -> static, as a new process would."""
    with SmartVideoRenderer(
        avatar_backend, overrides=settings(service, folder, **more), on_event=on_event
    ) as renderer:
        return renderer.render(film, folder / "out" / "film.mp4")


def film(folder: Path, scenes: int, seconds: float = SECONDS, **more: Any) -> VideoScript:
    """``scenes`` recordings by one speaker with one portrait."""
    folder.mkdir(parents=True, exist_ok=True)
    return film_of_tones(folder, scenes, seconds=seconds, **more)


def by_did(result: RenderResult) -> list[bool]:
    """Which scenes are animated."""
    return [scene.backend == "did" for scene in result.scenes]


def be_a_user(
    service: DidService, folder: Path, scenes: int, *, name: str = "film"
) -> tuple[dict[str, str], Path]:
    """The files of somebody with a key in the environment and the rest in ``avatar.toml``.

    Returns the environment, and the script of a film of ``scenes``.
    """
    script = folder / f"{name}.json"
    content = film(folder, scenes).model_dump_json(exclude_none=True)
    script.write_text(content, encoding="utf-8")
    (folder / "avatar.toml").write_text(
        f'backend = "did"\ncache_dir = "{folder / "cache"}"\nreport = false\nretry.delay = 0\n'
        "deadline.check = 100\n[backends.did]\npoll_seconds = 0.01\ncredit_price = 0.20\n",
        encoding="utf-8",
    )
    (folder / "out").mkdir(exist_ok=True)
    ours = ("AVATAR_", "COLAB_", "DID_")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    told = {"DID_API_KEY": service.key, "DID_API_URL": service.url}
    return {**plain, **told, "PYTHONPATH": os.pathsep.join(paths)}, script


@contextmanager
def rendering(
    env: Mapping[str, str], script: Path, *options: str, target: str = "film.mp4"
) -> Iterator[Process]:
    """A render in a process of its own, which is not left behind."""
    folder = script.parent
    process = start(script, folder / "out" / target, *options, env=dict(env), cwd=folder)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def files_that_hold(folder: Path, secrets: list[str]) -> list[str]:
    """Every file below ``folder`` in which one of ``secrets`` can be read."""
    wanted = [secret.encode() for secret in secrets]
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [
        str(path.relative_to(folder))
        for path in files
        if any(secret in path.read_bytes() for secret in wanted)
    ]
