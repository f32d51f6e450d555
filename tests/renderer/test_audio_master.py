"""The one PCM master: placement to the sample, exact length, loudness, and what can go wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avatar_core.cancel import CancelToken
from avatar_core.errors import Cancelled, InputError
from avatar_core.ffmpeg import run_ffmpeg
from renderer.audio.master import build_master
from renderer.audio.plan import Effect, Placed, SoundFacts, SoundPlan
from renderer.script.models import Music
from support_sound import RATE, Signal, level_of, read_wav, speechlike, tone, write_wav

# Quiet enough that no limiter changes what a test measures.
QUIET = -35.0


def mastered(plan: SoundPlan, folder: Path) -> tuple[Signal, SoundFacts]:
    target = folder / "master.wav"
    facts = build_master(plan, target, folder)
    return read_wav(target), facts


def music(src: Path, **rest: object) -> Music:
    return Music.model_validate({"src": src, "fade_in": 0, "fade_out": 0, "volume": 1, **rest})


@settings(max_examples=15, deadline=None)
@given(fps=st.sampled_from([24, 25, 30, 50, 60]), frame=st.integers(0, 100))
def test_a_click_lands_on_the_sample_of_its_frame(tmp_path: Path, fps: int, frame: int) -> None:
    click = np.zeros(RATE // 10)
    click[0] = 0.5
    path = write_wav(tmp_path / "click.wav", click)
    sound, _ = mastered(SoundPlan(120, fps, (Placed(path, frame, 10),)), tmp_path)
    assert int(np.argmax(np.abs(sound[:, 0]))) == round(frame * RATE / fps)
    assert np.count_nonzero(sound[:, 0]) == 1


@pytest.mark.parametrize(("frames", "fps"), [(1, 25), (1, 120), (7, 24), (100, 30), (61, 59)])
def test_the_master_is_as_long_as_the_film_to_the_sample(
    tmp_path: Path, frames: int, fps: int
) -> None:
    voice = write_wav(tmp_path / "voice.wav", speechlike(8, 0.2))
    sound, _ = mastered(SoundPlan(frames, fps, (Placed(voice, 0, frames),)), tmp_path)
    assert len(sound) == round(frames * RATE / fps)


@pytest.mark.parametrize("loudness", [-14.0, -16.0, -23.0])
@pytest.mark.parametrize(
    "signal",
    [
        pytest.param(tone(6, 440, 0.1), id="a tone"),
        pytest.param(speechlike(6, 0.15), id="speech"),
        pytest.param(speechlike(6, 0.003), id="a recording that is far too quiet"),
        pytest.param(speechlike(6, 3.0), id="a recording that is clipped"),
        pytest.param(
            speechlike(6, 0.02) + 0.9 * (np.arange(6 * RATE) % 9000 == 0), id="speech with peaks"
        ),
    ],
)
def test_the_asked_loudness_is_reached_below_the_ceiling(
    tmp_path: Path, signal: Signal, loudness: float
) -> None:
    voice = write_wav(tmp_path / "voice.wav", signal)
    plan = SoundPlan(180, 30, (Placed(voice, 0, 180),), loudness=loudness)
    _, facts = mastered(plan, tmp_path)
    assert facts.loudness == pytest.approx(loudness, abs=0.5)
    assert facts.peak_dbtp is not None and facts.peak_dbtp <= -1.0


def test_the_reported_loudness_is_that_of_the_written_file(tmp_path: Path) -> None:
    voice = write_wav(tmp_path / "voice.wav", speechlike(5, 0.1))
    _, facts = mastered(SoundPlan(150, 30, (Placed(voice, 0, 150),)), tmp_path)
    chain = ["-af", "ebur128=peak=true:framelog=quiet", "-f", "null", "-"]
    log = run_ffmpeg(["-i", str(tmp_path / "master.wav"), *chain])
    assert f"I:         {facts.loudness:.1f} LUFS" in log
    assert f"Peak:       {facts.peak_dbtp:.1f} dBFS" in log


def test_a_few_clicks_are_not_crushed_for_the_sake_of_the_number(tmp_path: Path) -> None:
    clicks = write_wav(tmp_path / "clicks.wav", 0.5 * (np.arange(4 * RATE) % RATE == 0))
    _, facts = mastered(SoundPlan(120, 30, (Placed(clicks, 0, 120),)), tmp_path)
    assert facts.loudness is not None and facts.loudness < -20
    assert facts.peak_dbtp is not None and facts.peak_dbtp <= -1.0


@pytest.mark.parametrize("noise", [0.0, 1e-4], ids=["digital", "of a bad microphone"])
def test_silence_stays_silence(tmp_path: Path, noise: float) -> None:
    hiss = write_wav(tmp_path / "hiss.wav", np.random.default_rng(3).standard_normal(RATE) * noise)
    sound, facts = mastered(SoundPlan(30, 30, (Placed(hiss, 0, 30),)), tmp_path)
    assert facts.loudness is None and facts.gain_db == 0.0
    assert np.abs(sound).max() <= 6 * noise


def test_a_film_without_any_sound_gets_a_silent_master(tmp_path: Path) -> None:
    sound, facts = mastered(SoundPlan(50, 25), tmp_path)
    assert facts == SoundFacts(None, None, 0.0)
    assert len(sound) == 2 * RATE and not sound.any()


def test_voices_that_add_up_beyond_full_scale_do_not_wrap_around(tmp_path: Path) -> None:
    voice = write_wav(tmp_path / "voice.wav", tone(1, 100, 0.99))
    placed = Placed(voice, 0, 30)
    sound, facts = mastered(SoundPlan(30, 30, (placed, placed, placed), loudness=-5.0), tmp_path)
    # A wrap-around would be a jump of about full scale from one sample to the next.
    assert np.abs(np.diff(sound[:, 0])).max() < 0.1
    assert facts.peak_dbtp is not None and facts.peak_dbtp <= -1.0


def test_the_limiter_holds_a_film_too_short_to_be_measured(tmp_path: Path) -> None:
    loud = write_wav(tmp_path / "loud.wav", tone(1, 1000, 0.999))
    sound, facts = mastered(SoundPlan(1, 25, (Placed(loud, 0, 1),)), tmp_path)
    assert facts.loudness is None
    assert 0.5 < np.abs(sound).max() <= 10 ** (-1 / 20)


def test_the_same_plan_gives_the_same_bytes(tmp_path: Path) -> None:
    voice = write_wav(tmp_path / "voice.wav", speechlike(2, 0.3))
    song = write_wav(tmp_path / "song.wav", tone(0.7, 330, 0.3))
    plan = SoundPlan(90, 30, (Placed(voice, 12, 60),), music=music(song, fade_out=0.5))
    digests = set()
    for attempt in ("one", "two"):
        (tmp_path / attempt).mkdir()
        mastered(plan, tmp_path / attempt)
        content = (tmp_path / attempt / "master.wav").read_bytes()
        digests.add(hashlib.sha256(content).hexdigest())
    assert len(digests) == 1


def test_a_narration_is_cut_where_its_frames_end(tmp_path: Path) -> None:
    voice = write_wav(tmp_path / "voice.wav", tone(3, 300, 0.2))
    sound, _ = mastered(SoundPlan(90, 30, (Placed(voice, 30, 30),), loudness=QUIET), tmp_path)
    assert not sound[:RATE].any() and not sound[2 * RATE + 1 :].any()
    assert np.abs(sound[RATE : 2 * RATE]).max() > 0


@pytest.mark.parametrize("name", ["voice.mp3", "voice.m4a", "voice 24 bit.wav"])
def test_a_narration_in_another_form_is_decoded(tmp_path: Path, name: str) -> None:
    plain = write_wav(tmp_path / "plain.wav", tone(1, 500, 0.3))
    codec = ["-c:a", "pcm_s24le"] if name.endswith("wav") else []
    run_ffmpeg(["-i", str(plain), "-ar", "44100", *codec, str(tmp_path / name)])
    sound, facts = mastered(SoundPlan(30, 30, (Placed(tmp_path / name, 0, 30),)), tmp_path)
    assert level_of(sound[RATE // 4 : 3 * RATE // 4, 0], 500) > 0.1
    assert facts.loudness == pytest.approx(-14, abs=0.5)


def video_with_sound(path: Path, seconds: int, *, sound: bool = True) -> Path:
    picture = ["-f", "lavfi", "-i", f"color=size=64x64:rate=10:duration={seconds}"]
    tones = ["-f", "lavfi", "-i", f"sine=frequency=600:duration={seconds}"] if sound else []
    run_ffmpeg([*picture, *tones, "-c:v", "libx264", str(path)])
    return path


def test_a_background_video_is_heard_at_its_place_and_volume(tmp_path: Path) -> None:
    clip = video_with_sound(tmp_path / "clip.mp4", 1)
    voice = write_wav(tmp_path / "voice.wav", tone(4, 200, 0.125))
    effect = Effect(clip, 30, 30, 0.5, loop=False)
    plan = SoundPlan(120, 30, (Placed(voice, 0, 120),), (effect,), loudness=QUIET)
    sound = mastered(plan, tmp_path)[0][:, 0]
    # ffmpeg's sine has an amplitude of 1/8, like the voice: volume is the ratio of the two.
    ratio = level_of(sound[48_000 + 9600 : 96_000 - 9600], 600) / level_of(sound, 200)
    assert ratio == pytest.approx(0.5, rel=0.1)
    assert level_of(sound[: 48_000 - 4800], 600) < 1e-4
    assert level_of(sound[96_000 + 9600 :], 600) < 1e-4


def test_a_looped_background_goes_on_to_the_end_of_its_frames(tmp_path: Path) -> None:
    clip = video_with_sound(tmp_path / "clip.mp4", 1)
    sound, _ = mastered(SoundPlan(120, 30, (), (Effect(clip, 0, 90, 1.0, loop=True),)), tmp_path)
    assert level_of(sound[2 * RATE + 9600 : 3 * RATE - 9600, 0], 600) > 0.01
    assert not sound[3 * RATE + 480 :].any()


def test_a_background_video_without_sound_is_simply_silent(tmp_path: Path) -> None:
    clip = video_with_sound(tmp_path / "mute.mp4", 1, sound=False)
    sound, facts = mastered(SoundPlan(30, 30, (), (Effect(clip, 0, 30, 1.0),)), tmp_path)
    assert facts.loudness is None and not sound.any()


def test_music_plays_only_between_its_frames(tmp_path: Path) -> None:
    song = write_wav(tmp_path / "song.wav", tone(0.5, 500, 0.3))
    plan = SoundPlan(120, 30, music=music(song), music_from=30, music_to=90)
    sound, _ = mastered(plan, tmp_path)
    assert not sound[:RATE].any() and not sound[3 * RATE + 480 :].any()
    assert np.abs(sound[RATE : 3 * RATE]).max() > 0


def test_music_that_is_not_looped_ends_where_it_ends(tmp_path: Path) -> None:
    song = write_wav(tmp_path / "song.wav", tone(1, 500, 0.3))
    sound, _ = mastered(SoundPlan(90, 30, music=music(song, loop=False)), tmp_path)
    assert np.abs(sound[: RATE - 10]).max() > 0.1
    assert not sound[RATE + 480 :].any()


def test_a_loop_that_does_not_fit_together_makes_no_click(tmp_path: Path) -> None:
    # 100.5 periods: the end is at the crest of one half wave, the start in another.
    song = write_wav(tmp_path / "song.wav", tone(0.5025, 100, 0.3)[:24_060] + 0.1)
    plan = SoundPlan(90, 30, music=music(song), loudness=QUIET)
    sound = mastered(plan, tmp_path)[0][:, 0]
    step = np.abs(np.diff(sound[480:-480]))
    assert step.max() < 4 * np.median(step)


def test_a_loop_made_to_loop_is_repeated_to_the_sample(tmp_path: Path) -> None:
    song = write_wav(tmp_path / "song.wav", tone(0.5, 400, 0.2))
    endless = write_wav(tmp_path / "endless.wav", tone(3, 400, 0.2))
    looped, _ = mastered(SoundPlan(90, 30, music=music(song), loudness=QUIET), tmp_path)
    whole, _ = mastered(SoundPlan(90, 30, music=music(endless), loudness=QUIET), tmp_path)
    assert np.abs(looped - whole).max() < 0.1 * np.abs(whole).max()


def test_fades_longer_than_the_music_share_its_length(tmp_path: Path) -> None:
    song = write_wav(tmp_path / "song.wav", tone(2, 1000, 0.3))
    plan = SoundPlan(60, 30, music=music(song, fade_in=9, fade_out=9), loudness=QUIET)
    sound = np.abs(mastered(plan, tmp_path)[0][:, 0])
    start, middle, end = sound[:4800].max(), sound[43_000:53_000].max(), sound[-4800:].max()
    assert start < 0.15 * middle and end < 0.15 * middle


def test_music_without_sound_is_the_users_mistake(tmp_path: Path) -> None:
    clip = video_with_sound(tmp_path / "mute.mp4", 1, sound=False)
    with pytest.raises(InputError, match=r"no sound") as caught:
        mastered(SoundPlan(30, 30, music=music(clip)), tmp_path)
    assert caught.value.key == "music.src" and caught.value.file == clip
    assert not (tmp_path / "master.wav").exists()


@pytest.mark.parametrize("content", [b"", b"these are words, not music", b"RIFF\0\0\0\0WAVEfmt "])
def test_music_that_is_no_sound_file_is_the_users_mistake(tmp_path: Path, content: bytes) -> None:
    song = tmp_path / "song.mp3"
    song.write_bytes(content)
    with pytest.raises(InputError, match=r"song\.mp3: music\.src"):
        mastered(SoundPlan(30, 30, music=music(song)), tmp_path)


def test_a_missing_music_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.mp3.*does not exist"):
        mastered(SoundPlan(30, 30, music=music(tmp_path / "gone.mp3")), tmp_path)


def test_a_playlist_in_disguise_reaches_nothing(tmp_path: Path) -> None:
    song = tmp_path / "song.mp3"
    song.write_text("#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n")
    with pytest.raises(InputError):
        mastered(SoundPlan(30, 30, music=music(song)), tmp_path)


@pytest.mark.parametrize(
    "name", ["-i song.wav", "it's a song.wav", "bài hát: 1%d.wav", "a'b\".wav"]
)
def test_odd_file_names_work(tmp_path: Path, name: str) -> None:
    song = write_wav(tmp_path / name, tone(1, 500, 0.3))
    _, facts = mastered(SoundPlan(60, 30, music=music(song)), tmp_path)
    assert facts.loudness == pytest.approx(-14, abs=0.5)


def test_a_cancelled_master_leaves_nothing_behind(tmp_path: Path) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        build_master(SoundPlan(3000, 30), tmp_path / "master.wav", tmp_path, cancel=token)
    assert not list(tmp_path.iterdir())


def test_progress_rises_to_one(tmp_path: Path) -> None:
    voice = write_wav(tmp_path / "voice.wav", speechlike(5, 0.2))
    seen: list[float] = []
    plan = SoundPlan(150, 30, (Placed(voice, 0, 150),))
    build_master(plan, tmp_path / "master.wav", tmp_path, on_progress=seen.append)
    assert seen == sorted(seen) and seen[-1] == 1.0 and len(seen) > 5
