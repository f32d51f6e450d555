"""The embedded presenter as a backend: what it makes of any portrait and any sound."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import Colorspace
from PIL import Image

from avatar_core.backend import AvatarBackend, AvatarClip, AvatarRequest, Job, NoOptions, Size
from avatar_core.cancel import CancelToken
from avatar_core.errors import AvatarError, Cancelled, Category
from avatar_core.media import probe_audio, validate_clip
from avatar_core.plugins import load_plugins
from avatar_core.speech import TimedPhoneme
from avatar_core.testing.media import speech
from backends.puppet.backend import PuppetBackend
from backends.puppet.config import PuppetOptions
from backends.puppet.prepared import Prepared, PreparedPortraits, content_key
from renderer import SmartVideoRenderer
from support_contract import PatientContract
from support_house import ROOT, code_blocks, read
from support_media import noise, write_wav, write_wav_header
from support_plugins import python

ASSETS = ROOT / "renderer" / "demo" / "assets"
SIZE = Size(96, 120)


@pytest.fixture(scope="session")
def lan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration's presenter, small enough to be decoded in no time."""
    path = tmp_path_factory.mktemp("portraits") / "lan.png"
    with Image.open(ASSETS / "presenter.png") as picture:
        picture.convert("RGB").resize((320, 400)).save(path)
    return path


class TestPuppet(PatientContract):
    def make_backend(self) -> AvatarBackend:
        return PuppetBackend(PuppetOptions())

    def make_request(self, folder: Path, seconds: float = 1.0) -> AvatarRequest:
        portrait = folder / "lan.png"
        with Image.open(ASSETS / "presenter.png") as picture:
            picture.convert("RGB").resize((320, 400)).save(portrait)
        sound = speech(folder / "narration.wav", seconds)
        return AvatarRequest(portrait, sound, seconds, SIZE, 10, text="Welcome.", key="k")


def request(
    folder: Path, portrait: Path | None, seconds: float = 0.4, **more: Any
) -> AvatarRequest:
    sound = more.pop("audio", None) or speech(folder / "narration.wav", seconds)
    plain = AvatarRequest(portrait, sound, seconds, SIZE, 10, options=PuppetOptions())
    return replace(plain, **more)


def make(folder: Path, portrait: Path | None, seconds: float = 0.4, **more: Any) -> AvatarClip:
    """A clip of the backend, validated as the chain does it."""
    asked = request(folder, portrait, seconds, **more)
    return validate_clip(PuppetBackend().generate(asked, Job(folder)), asked)


def pictures(clip: AvatarClip) -> np.ndarray:
    """Every frame of a clip as RGB."""
    with av.open(str(clip.path)) as container:
        return np.stack(
            [
                frame.reformat(
                    format="rgb24", src_colorspace=Colorspace.ITU709
                ).to_ndarray().astype(int)
                for frame in container.decode(video=0)
            ]
        )  # fmt: skip


# What it makes


def test_it_comes_in_as_a_plugin_and_needs_nothing_from_outside() -> None:
    assert load_plugins(only="puppet").backends.load("puppet") is PuppetBackend
    needs = PuppetBackend.capabilities
    assert not (needs.needs_network or needs.uploads or needs.costs_money or needs.needs_gpu)
    assert needs.animates and needs.concurrency is not None and needs.concurrency >= 1


def test_it_is_ready_here_and_says_which_ffmpeg_it_uses() -> None:
    health = PuppetBackend().check()
    assert health.ok and "ffmpeg" in health.details


@pytest.mark.parametrize(
    ("seconds", "fps", "size"),
    [(0.4, 10, SIZE), (0.31, 25, Size(64, 64)), (1.01, 30, Size(90, 160)), (0.4, 24, Size(81, 61))],
)
def test_a_clip_has_the_size_rate_and_length_that_were_asked_for(
    tmp_path: Path, lan: Path, seconds: float, fps: int, size: Size
) -> None:
    clip = make(tmp_path, lan, seconds, fps=fps, size=size)
    assert clip.size == (size.width + size.width % 2, size.height + size.height % 2)
    assert clip.fps == fps and not clip.still
    assert len(pictures(clip)) == -(-round(seconds * fps * 1000) // 1000)


def test_a_clip_is_what_every_player_plays_with_the_narration_as_its_sound(
    tmp_path: Path, lan: Path
) -> None:
    clip = make(tmp_path, lan, 1.0)
    with av.open(str(clip.path)) as container:
        (video,), (audio,) = container.streams.video, container.streams.audio
        context = video.codec_context
        assert (context.name, context.pix_fmt, audio.codec_context.name) == (
            "h264", "yuv420p", "aac",
        )  # fmt: skip
        assert (context.colorspace, context.color_primaries, context.color_range) == (1, 1, 1)
        times = [packet.pts * video.time_base for packet in container.demux(video) if packet.size]
    assert np.allclose([float(time) for time in times], np.arange(10) / 10)
    assert probe_audio(clip.path).seconds == pytest.approx(1.0, abs=0.06)
    head = clip.path.read_bytes()[:4096]
    assert b"moov" in head and head.index(b"moov") < head.find(b"mdat") % 5000


def test_it_begins_with_the_portrait_in_its_own_colours(tmp_path: Path, lan: Path) -> None:
    first = pictures(make(tmp_path, lan, 0.8, size=Size(256, 320)))[0]
    with Image.open(lan) as picture:
        wanted = np.asarray(picture.resize((256, 320), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(first - wanted).mean() < 3


def test_the_face_moves_and_the_background_does_not(tmp_path: Path, lan: Path) -> None:
    frames = pictures(make(tmp_path, lan, 3.0, size=Size(256, 320)))
    spread = np.ptp(frames, axis=0).max(axis=2)
    assert (spread[100:220, 80:180] > 25).mean() > 0.1
    assert np.percentile(spread[:, :6], 99) < 12 and np.percentile(spread[:10], 99) < 12


def test_the_same_request_gives_the_same_frames_and_another_seed_others(
    tmp_path: Path, lan: Path
) -> None:
    def made(name: str, **options: Any) -> np.ndarray:
        (tmp_path / name).mkdir()
        return pictures(make(tmp_path / name, lan, 1.2, options=PuppetOptions(**options)))

    first = made("a")
    assert (first == made("b")).all()
    assert (first != made("c", seed=1)).any()


def test_two_sounds_do_not_begin_with_the_same_movements(tmp_path: Path, lan: Path) -> None:
    first = pictures(make(tmp_path, lan, 1.0, audio=write_wav(tmp_path / "a.wav", 1.0)))
    other = pictures(make(tmp_path, lan, 1.0, audio=write_wav(tmp_path / "b.wav", 1.001)))
    assert (first != other).any()


@pytest.mark.parametrize("known", [True, False])
def test_it_speaks_from_phonemes_and_from_the_sound_alone(
    tmp_path: Path, lan: Path, known: bool
) -> None:
    quiet = PuppetOptions(head_motion=0, blink=0, gaze=0)
    spoken = (TimedPhoneme("ˈɑː", 0.3, 0.7),) if known else ()
    frames = pictures(make(tmp_path, lan, 1.0, phonemes=spoken, options=quiet, size=Size(256, 320)))
    mouth = frames[:, 165:205, 100:155]
    assert np.abs(mouth[5] - mouth[0]).max() > 40


def test_options_of_another_backend_do_not_disturb_it(tmp_path: Path, lan: Path) -> None:
    assert make(tmp_path, lan, options=NoOptions()).fps == 10


# Portraits as people have them


def saved(picture: Image.Image, path: Path, **how: Any) -> Path:
    picture.save(path, **how)
    return path


def deep(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 256)


def transparent(picture: Image.Image) -> Image.Image:
    alpha = Image.new("L", picture.size, 0)
    alpha.paste(255, (60, 50, 260, 400))
    picture.putalpha(alpha)
    return picture


def doubled(picture: Image.Image) -> Image.Image:
    both = Image.new("RGB", (560, 400), "white")
    both.paste(picture, (0, 0))
    both.paste(picture.resize((240, 300)), (320, 60))
    return both


def tiny_face(picture: Image.Image) -> Image.Image:
    wide = Image.new("RGB", (600, 600), (200, 210, 220))
    wide.paste(picture.resize((96, 120), Image.Resampling.LANCZOS), (250, 250))
    return wide


GOOD: dict[str, Callable[[Image.Image, Path], Path]] = {
    "grey.png": lambda p, path: saved(p.convert("L"), path),
    "deep.png": lambda p, path: saved(deep(p), path),
    "alpha.png": lambda p, path: saved(transparent(p), path),
    "palette.gif": lambda p, path: saved(p.quantize(200), path),
    "print.jpg": lambda p, path: saved(p.convert("CMYK"), path),
    "mirrored.webp": lambda p, path: saved(p.transpose(Image.Transpose.FLIP_LEFT_RIGHT), path),
    "dark.png": lambda p, path: saved(p.point(lambda v: v // 3), path),
    "tilted.png": lambda p, path: saved(p.rotate(20, fillcolor="white"), path),
    "wide.png": lambda p, path: saved(p.resize((480, 400), box=(0, 0, 320, 267)), path),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_any_kind_of_picture_becomes_a_clip(tmp_path: Path, lan: Path, name: str) -> None:
    with Image.open(lan) as picture:
        portrait = GOOD[name](picture.convert("RGB"), tmp_path / name)
    assert not make(tmp_path, portrait).still


def test_a_photo_that_the_phone_turned_stands_upright(tmp_path: Path, lan: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(lan) as picture:
        turned = picture.convert("RGB").transpose(Image.Transpose.ROTATE_90)
        turned.save(tmp_path / "lan.jpg", exif=exif, quality=95)
    first = pictures(make(tmp_path, tmp_path / "lan.jpg"))[0]
    assert np.abs(first - pictures(make(tmp_path, lan))[0]).mean() < 6


def test_a_huge_picture_is_no_trouble(tmp_path: Path, lan: Path) -> None:
    with Image.open(lan) as picture:
        banner = Image.new("RGB", (12_000, 400), (250, 240, 230))
        banner.paste(picture.convert("RGB").resize((320, 400)), (5800, 0))
    banner.save(tmp_path / "banner.jpg")
    try:
        make(tmp_path, tmp_path / "banner.jpg")
    except AvatarError as failure:
        assert failure.category is Category.INVALID_INPUT


def test_of_two_faces_the_larger_speaks_and_the_user_is_told(tmp_path: Path, lan: Path) -> None:
    with Image.open(lan) as picture:
        portrait = saved(doubled(picture.convert("RGB")), tmp_path / "two.png")
    clip = make(tmp_path, portrait)
    assert any("2 faces" in warning for warning in clip.warnings)


def test_a_film_says_in_trail_and_report_that_the_largest_of_several_faces_speaks(
    tmp_path: Path, lan: Path
) -> None:
    with Image.open(lan) as picture:
        saved(doubled(picture.convert("RGB")), tmp_path / "two.png")
    speech(tmp_path / "narration.wav", 0.4)
    script = {
        "version": "1", "output": {"size": "96x120", "fps": 10, "quality": "draft"},
        "speakers": {"both": {"portrait": "two.png"}},
        "scenes": [{"audio": "narration.wav", "speaker": "both"}],
    }  # fmt: skip
    (tmp_path / "film.json").write_text(json.dumps(script))
    settings = {"cache_dir": str(tmp_path / "cache"), "deadline.check": 100}
    renderer = SmartVideoRenderer("puppet", overrides=settings)
    told = []
    for _ in ("made", "found in the cache"):
        (scene,) = renderer.render(tmp_path / "film.json", tmp_path / "film.mp4").scenes
        told.append(scene.trail[-1].message)
        assert scene.backend == "puppet"
        assert any("2 faces" in warning for warning in scene.warnings)
        assert "2 faces" in (tmp_path / "film.report.html").read_text(encoding="utf-8")
    assert "2 faces: the largest one speaks" in told[0] and told[1] == "made earlier"


def test_a_face_that_is_too_small_in_the_clip_is_told(tmp_path: Path, lan: Path) -> None:
    with Image.open(lan) as picture:
        scene = Image.new("RGB", (900, 1200), (200, 210, 220))
        scene.paste(picture.convert("RGB"), (300, 300))
    clip = make(tmp_path, saved(scene, tmp_path / "far.png"), size=Size(90, 120))
    assert any("too small to be seen" in warning for warning in clip.warnings)


REFUSED: dict[str, Callable[[Image.Image, Path], object]] = {
    "no face.png": lambda p, path: noise((300, 300)).save(path),
    "one colour.png": lambda p, path: Image.new("RGB", (300, 300), "navy").save(path),
    "one pixel.png": lambda p, path: Image.new("RGB", (1, 1)).save(path),
    "a thread.png": lambda p, path: Image.new("RGB", (3000, 1)).save(path),
    "upside down.png": lambda p, path: p.rotate(180).save(path),
    "small face.png": lambda p, path: tiny_face(p).save(path),
    "cut off.png": lambda p, path: path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
    "empty.png": lambda p, path: path.touch(),
    "text.png": lambda p, path: path.write_text("hello"),
    "folder.png": lambda p, path: path.mkdir(),
    "missing.png": lambda p, path: None,
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_portrait_that_cannot_speak_is_refused_with_advice(
    tmp_path: Path, lan: Path, name: str
) -> None:
    with Image.open(lan) as picture:
        REFUSED[name](picture.convert("RGB"), tmp_path / name)
    with pytest.raises(AvatarError) as caught:
        make(tmp_path, tmp_path / name)
    assert caught.value.category is Category.INVALID_INPUT
    assert caught.value.message.endswith(".") and caught.value.advice.endswith(".")
    assert not list(tmp_path.glob("*.mp4"))


def test_a_scene_without_a_portrait_names_the_key_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(AvatarError, match="no portrait") as caught:
        make(tmp_path, None)
    assert "portrait" in caught.value.advice


def test_a_wrong_sidecar_is_refused_with_its_line(tmp_path: Path, lan: Path) -> None:
    portrait = tmp_path / "lan.png"
    portrait.write_bytes(lan.read_bytes())
    (tmp_path / "lan.landmarks.json").write_text('{\n "mouht": 1\n}', encoding="utf-8")
    with pytest.raises(AvatarError, match=r"landmarks\.json") as caught:
        make(tmp_path, portrait)
    assert caught.value.category is Category.INVALID_INPUT


# Sounds as people have them


def tone(seconds: float, rate: int, level: float) -> np.ndarray:
    return np.sin(np.arange(round(seconds * rate)) * 0.09) * level


def wav(path: Path, samples: np.ndarray, rate: int = 24_000, tag: int = 1) -> Path:
    bits = samples.dtype.itemsize * 8
    return write_wav_header(path, tag, samples.tobytes(), bits, rate)


SOUNDS: dict[str, Callable[[Path], Path]] = {
    "silence": lambda p: wav(p, np.zeros(12_000, "<i2")),
    "ten milliseconds": lambda p: write_wav(p, 0.01),
    "telephone": lambda p: write_wav(p, 0.4, 8_000),
    "clipped": lambda p: wav(p, np.clip(tone(0.4, 24_000, 9), -1, 1).astype("<f4"), tag=3),
    "surround": lambda p: write_wav(p, 0.4, 48_000, 6),
    "studio": lambda p: write_wav(p, 0.4, 192_000, 2),
    "32 bits": lambda p: wav(p, (tone(0.4, 24_000, 0.5) * 2**31).astype("<i4")),
    "no numbers": lambda p: wav(p, np.full(9_600, np.nan, "<f4"), tag=3),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_any_kind_of_sound_becomes_a_clip(tmp_path: Path, lan: Path, name: str) -> None:
    sound = SOUNDS[name](tmp_path / "sound.wav")
    seconds = 0.01 if name == "ten milliseconds" else 0.4
    clip = make(tmp_path, lan, seconds, audio=sound)
    assert len(pictures(clip)) == max(1, round(seconds * 10))


NO_SOUND: dict[str, Callable[[Path], object]] = {
    "missing": lambda p: None,
    "a folder": Path.mkdir,
    "empty": Path.touch,
    "text": lambda p: p.write_text("hello"),
    "no samples": lambda p: p.write_bytes(b"RIFF" + struct.pack("<I", 4) + b"WAVE"),
    "a picture": lambda p: noise().save(p, format="PNG"),
}


@pytest.mark.parametrize("name", NO_SOUND)
def test_a_narration_that_is_no_sound_is_refused_with_its_name(
    tmp_path: Path, lan: Path, name: str
) -> None:
    NO_SOUND[name](tmp_path / "sound.wav")
    with pytest.raises(AvatarError, match=r"sound\.wav") as caught:
        make(tmp_path, lan, audio=tmp_path / "sound.wav")
    assert caught.value.category is Category.INVALID_INPUT


# While it works


class News:
    """Keeps what a job is told; may cancel at a certain moment."""

    def __init__(self, cancel_at: str = "") -> None:
        self.cancel = CancelToken()
        self.told: list[tuple[float, str]] = []
        self._cancel_at = cancel_at

    def __call__(self, fraction: float, message: str) -> None:
        self.told.append((fraction, message))
        if self._cancel_at and self._cancel_at in message:
            self.cancel.cancel()


def test_progress_goes_on_and_says_what_is_being_done(tmp_path: Path, lan: Path) -> None:
    news = News()
    asked = request(tmp_path, lan, 4.0, size=Size(512, 640), fps=30)
    PuppetBackend().generate(asked, Job(tmp_path, on_progress=news))
    fractions = [fraction for fraction, _ in news.told]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    assert any("of 120 frames" in message for _, message in news.told)
    assert any("s left" in message for _, message in news.told)


@pytest.mark.parametrize("moment", ["looking", "listening", "drawn 0"])
def test_it_stops_when_the_user_cancels(tmp_path: Path, lan: Path, moment: str) -> None:
    news = News(moment)
    job = Job(tmp_path, cancel=news.cancel, on_progress=news)
    with pytest.raises(Cancelled):
        PuppetBackend().generate(request(tmp_path, lan, 8.0), job)
    assert news.told[-1][0] < 0.2


def test_it_stops_at_its_deadline_and_says_what_would_help(tmp_path: Path, lan: Path) -> None:
    asked = request(tmp_path, lan, 8.0)
    job = Job(tmp_path)
    job.deadline = job.clock() - 1
    with pytest.raises(AvatarError, match="not finished in the time") as caught:
        PuppetBackend().generate(asked, job)
    assert caught.value.category is Category.TIMEOUT and "deadline" in caught.value.advice


# From scene to scene


def count_made(portraits: PreparedPortraits, keys: str) -> str:
    """The keys for which a portrait had to be made, in their order."""
    made: list[str] = []

    def make_one(key: str) -> Prepared:
        made.append(key)
        return Prepared(None, None, ())  # type: ignore[arg-type]

    for key in keys:
        portraits.get(key, lambda key=key: make_one(key))  # type: ignore[misc]
    return "".join(made)


def test_the_last_portraits_are_kept_and_the_oldest_forgotten() -> None:
    assert count_made(PreparedPortraits(2), "aabbab") == "ab"
    assert count_made(PreparedPortraits(2), "abcab") == "abcab"
    assert count_made(PreparedPortraits(2), "abacab") == "abcb"


def test_a_portrait_that_failed_is_tried_again() -> None:
    portraits = PreparedPortraits()

    def fail() -> Prepared:
        raise AvatarError(Category.INVALID_INPUT, "no face")

    with pytest.raises(AvatarError):
        portraits.get("a", fail)
    assert count_made(portraits, "a") == "a"


def test_a_portrait_is_known_by_its_content_its_sidecar_and_its_framing(
    tmp_path: Path, lan: Path
) -> None:
    first, copy = tmp_path / "a.png", tmp_path / "b.png"
    for path in (first, copy):
        path.write_bytes(lan.read_bytes())
    key = content_key(first, SIZE, 0.15)
    assert content_key(copy, SIZE, 0.15) == key
    assert content_key(first, Size(96, 122), 0.15) != key
    assert content_key(first, SIZE, 0.2) != key
    (tmp_path / "b.landmarks.json").write_text("{}", encoding="utf-8")
    assert content_key(copy, SIZE, 0.15) != key


def test_closing_forgets_the_portraits_and_it_works_on(tmp_path: Path, lan: Path) -> None:
    backend, asked = PuppetBackend(), request(tmp_path, lan)
    for _ in range(2):
        assert backend.generate(asked, Job(tmp_path)).path.exists()
        backend.close()


def test_it_needs_neither_the_network_nor_the_renderer(tmp_path: Path, lan: Path) -> None:
    sound = speech(tmp_path / "a.wav", 0.3)
    result = python(f"""
        import socket, sys
        from pathlib import Path
        from avatar_core.backend import AvatarRequest, Job, Size
        from backends.puppet.backend import PuppetBackend

        folder = Path({str(tmp_path)!r})
        request = AvatarRequest(Path({str(lan)!r}), Path({str(sound)!r}), 0.3, Size(64, 64), 10)

        def refuse(event, arguments):
            if event.startswith("socket."):
                raise SystemExit(event)

        sys.addaudithook(refuse)
        PuppetBackend().generate(request, Job(folder))
        print([m for m in ("requests", "moviepy", "renderer", "cv2") if m in sys.modules])
    """)
    assert (result.stdout.strip(), result.stderr) == ("[]", "")


def test_naming_it_loads_nothing_heavy() -> None:
    result = python("""
        import sys
        from backends.puppet.backend import PuppetBackend
        PuppetBackend()
        print([m for m in ("numpy", "av", "PIL", "onnxruntime") if m in sys.modules])
    """)
    assert (result.stdout.strip(), result.stderr) == ("[]", "")


# The documentation


@pytest.mark.parametrize("name", PuppetOptions.model_fields)
def test_every_option_is_documented_as_it_is(name: str) -> None:
    field = PuppetOptions.model_fields[name]
    (row,) = [
        line for line in read("docs/puppet.md").splitlines() if line.startswith(f"| `{name}` |")
    ]
    low, high = (
        next((getattr(limit, kind) for limit in field.metadata if hasattr(limit, kind)), None)
        for kind in ("ge", "le")
    )
    default = str(field.default).lower() if field.annotation is bool else f"{field.default:g}"
    shown = {"seed": "0 and more", "cutout": "true or false"}.get(name) or f"{low:g} to {high:g}"
    assert row == f"| `{name}` | `{default}` | {shown} | {field.description} |"


def test_the_example_of_the_documentation_is_accepted() -> None:
    import tomllib

    values = [tomllib.loads(block) for block in code_blocks("docs/puppet.md", "toml")]
    tables = [value["backends"]["puppet"] for value in values if "backends" in value]
    assert tables and all(PuppetOptions(**table) for table in tables)
