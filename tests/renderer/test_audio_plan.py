"""The master's key: what would change the sound changes it, and nothing else does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from renderer.audio.plan import Effect, Placed, SoundPlan, plan_key
from renderer.script.models import Ducking, Music
from renderer.store import FileHashes

VOICE, SONG, CLIP = Path("voice.wav"), Path("song.mp3"), Path("clip.mp4")
PLAN = SoundPlan(
    300,
    30,
    (Placed(VOICE, 3, 90),),
    (Effect(CLIP, 0, 90, 0.5),),
    Music(src=SONG),
)


def names(path: Path) -> str:
    return f"hash of {path.name}"


@pytest.mark.parametrize(
    "changed",
    [
        replace(PLAN, frames=301),
        replace(PLAN, fps=25),
        replace(PLAN, loudness=-16.0),
        replace(PLAN, music=None),
        replace(PLAN, music_from=30),
        replace(PLAN, music_to=200),
        replace(PLAN, narration=(Placed(VOICE, 4, 90),)),
        replace(PLAN, narration=(Placed(SONG, 3, 90),)),
        replace(PLAN, effects=(Effect(CLIP, 0, 90, 0.4),)),
        replace(PLAN, effects=(Effect(CLIP, 0, 90, 0.5, loop=True),)),
        replace(PLAN, music=Music(src=SONG, volume=0.3)),
        replace(PLAN, music=Music(src=VOICE)),
        replace(PLAN, music=Music(src=SONG, ducking=None)),
        replace(PLAN, music=Music(src=SONG, ducking=Ducking(release=1))),
    ],
)
def test_whatever_changes_the_sound_changes_the_key(changed: SoundPlan) -> None:
    assert plan_key(changed, names) != plan_key(PLAN, names)


def test_the_key_is_json_and_follows_content_not_names(tmp_path: Path) -> None:
    keys = []
    for name in ("one.wav", "another name.wav"):
        path = tmp_path / name
        path.write_bytes(b"the same sound")
        plan = SoundPlan(9, 30, (Placed(path, 0, 9),), music=Music(src=path, scenes="1-2"))
        keys.append(json.dumps(plan_key(plan, FileHashes())))
    assert keys[0] == keys[1] and str(tmp_path) not in keys[0]


@pytest.mark.parametrize(("fps", "frame"), [(24, 1), (30, 7), (59, 1_000_003), (60, 864_000)])
def test_a_frames_sample_is_the_nearest_one(fps: int, frame: int) -> None:
    plan = SoundPlan(frame, fps)
    assert abs(plan.sample(frame) * fps - frame * 48_000) * 2 <= fps
