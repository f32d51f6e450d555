import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from avatar_core.backend import Size
from avatar_core.cancel import CancelToken
from avatar_core.errors import Cancelled, InputError
from avatar_core.ffmpeg import run_ffmpeg
from renderer.aac import encode_aac
from renderer.assemble import Part, assemble, check_target, thumbnail
from renderer.compose.packets import SegmentFault
from renderer.compose.spec import BackgroundLayer
from renderer.verify import FilmFault, verify_film
from support_compose import FPS, SIZE, compose, frames_of, grey_steps, spec_of, steps_seen
from support_films import write_tone


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """a.mp4 counts 0 to 19 in greys and can be cut at 5 and 12, b.mp4 is green."""
    folder = tmp_path_factory.mktemp("segments")
    video = BackgroundLayer("video", src=grey_steps(folder / "v.mov", 20))
    compose(spec_of(background=video, frames=20, cuts=(5, 12)), folder, "a.mp4")
    compose(spec_of(), folder, "b.mp4")
    yield folder


def sound_of(frames: int, folder: Path, fps: int = FPS) -> Path:
    encode_aac(write_tone(folder / f"t{frames}.wav", frames / fps, rate=48000), folder / "t.m4a")
    return folder / "t.m4a"


def film_of(parts: list[Part], folder: Path, **more: Any) -> Path:
    sound = sound_of(sum(part.frames for part in parts), folder)
    assemble(parts, sound, folder / "film.mp4", size=SIZE, fps=FPS, **more)
    return folder / "film.mp4"


def test_a_film_is_its_parts_in_their_order_frame_by_frame(segments: Path, tmp_path: Path) -> None:
    a, b = segments / "a.mp4", segments / "b.mp4"
    film = film_of([Part(a, 12, 8), Part(b, 0, 15), Part(a, 5, 7), Part(a, 0, 5)], tmp_path)
    frames = frames_of(film)
    assert len(frames) == 35
    assert steps_seen(frames[:8]) == list(range(12, 20))
    assert steps_seen(frames[23:]) == [*range(5, 12), *range(5)]
    assert (frames[:8] == frames_of(a)[12:]).all()


def test_a_film_passes_the_output_checks(segments: Path, tmp_path: Path) -> None:
    film = film_of([Part(segments / "a.mp4", 0, 20)] * 3, tmp_path, metadata={"title": "Trà sữa"})
    facts = verify_film(film, 60, FPS, SIZE)
    assert facts.faststart and facts.bt709 and facts.steady and facts.pixels == "yuv420p"
    assert facts.gap <= 1 / FPS
    with av.open(str(film)) as opened:
        assert opened.metadata["title"] == "Trà sữa"
    assert "error" not in run_ffmpeg(["-v", "warning", "-i", str(film), "-f", "null", "-"]).lower()


def test_sound_and_picture_of_a_hundred_scenes_end_together(segments: Path, tmp_path: Path) -> None:
    film = film_of([Part(segments / "a.mp4", 5, 7)] * 100, tmp_path)
    assert verify_film(film, 700, FPS, SIZE).gap <= 1 / FPS


def test_the_same_parts_give_the_same_bytes(segments: Path, tmp_path: Path) -> None:
    parts = [Part(segments / "b.mp4", 0, 15)]
    first = film_of(parts, tmp_path).read_bytes()
    assert film_of(parts, tmp_path).read_bytes() == first


def test_sound_stands_beside_its_pictures_in_the_file(segments: Path, tmp_path: Path) -> None:
    film = film_of([Part(segments / "a.mp4", 0, 20)] * 10, tmp_path)
    ahead = {"video": 0.0, "audio": 0.0}
    with av.open(str(film)) as opened:
        places = sorted(
            (packet.pos, packet.stream.type, float(packet.pts * packet.time_base))
            for packet in opened.demux() if packet.size and packet.pts is not None
        )  # fmt: skip
    for _, kind, at in places:
        ahead[kind] = at
        assert abs(ahead["video"] - ahead["audio"]) < 1.1


def test_an_empty_part_adds_nothing(segments: Path, tmp_path: Path) -> None:
    film = film_of([Part(segments / "a.mp4", 5, 0), Part(segments / "b.mp4", 0, 15)], tmp_path)
    assert len(frames_of(film)) == 15


def test_a_cut_between_key_frames_is_refused(segments: Path, tmp_path: Path) -> None:
    with pytest.raises(SegmentFault, match="key frame"):
        film_of([Part(segments / "a.mp4", 6, 3)], tmp_path)
    assert not list(tmp_path.glob("film*")) and not list(tmp_path.glob(".avatar*"))


def test_a_segment_that_was_encoded_otherwise_is_refused(segments: Path, tmp_path: Path) -> None:
    other = compose(spec_of(quality="high"), tmp_path, "other.mp4")
    with pytest.raises(SegmentFault, match="encoded otherwise"):
        film_of([Part(segments / "a.mp4", 0, 20), Part(other, 0, 15)], tmp_path)


def test_a_segment_that_is_too_short_is_refused(segments: Path, tmp_path: Path) -> None:
    with pytest.raises(SegmentFault, match="20 frames"):
        film_of([Part(segments / "a.mp4", 0, 21)], tmp_path)


def test_sound_of_another_length_is_refused(segments: Path, tmp_path: Path) -> None:
    parts = [Part(segments / "a.mp4", 0, 20)]
    with pytest.raises(SegmentFault, match="sound"):
        assemble(parts, sound_of(30, tmp_path), tmp_path / "f.mp4", size=SIZE, fps=FPS)
    assert not (tmp_path / "f.mp4").exists()


def test_an_older_film_stays_when_a_new_one_fails(segments: Path, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"older")
    with pytest.raises(SegmentFault):
        film_of([Part(segments / "a.mp4", 6, 3)], tmp_path)
    assert (tmp_path / "film.mp4").read_bytes() == b"older"


def test_a_film_that_does_not_pass_takes_no_older_films_place(
    segments: Path, tmp_path: Path
) -> None:
    def refuse(film: Path) -> None:
        raise FilmFault(f"{film.stat().st_size} bytes, and yet")

    old = film_of([Part(segments / "b.mp4", 0, 15)], tmp_path).read_bytes()
    with pytest.raises(FilmFault):
        film_of([Part(segments / "a.mp4", 0, 20)], tmp_path, check=refuse)
    assert (tmp_path / "film.mp4").read_bytes() == old
    assert not list(tmp_path.glob(".*"))


def test_drafts_of_processes_long_dead_are_removed_and_others_stay(
    segments: Path, tmp_path: Path
) -> None:
    dead, alive = tmp_path / ".avatar-dead.part", tmp_path / ".avatar-alive.part"
    for draft in (dead, alive):
        draft.write_bytes(b"half a film")
    os.utime(dead, (1e9, 1e9))
    film_of([Part(segments / "a.mp4", 0, 20)], tmp_path)
    assert (dead.exists(), alive.exists()) == (False, True)


def test_a_cancelled_assembly_leaves_nothing(segments: Path, tmp_path: Path) -> None:
    cancel = CancelToken()
    sound = sound_of(20, tmp_path)
    cancel.cancel()
    with pytest.raises(Cancelled):
        assemble([Part(segments / "a.mp4", 0, 20)], sound, tmp_path / "out" / "f.mp4",
                 size=SIZE, fps=FPS, cancel=cancel)  # fmt: skip
    assert not list((tmp_path / "out").iterdir())


def test_a_missing_folder_is_made_and_odd_names_work(segments: Path, tmp_path: Path) -> None:
    target = tmp_path / "o'ut put" / '-phim trà, 100% "mới".mp4'
    sound = sound_of(20, tmp_path)
    assemble([Part(segments / "a.mp4", 0, 20)], sound, target, size=SIZE, fps=FPS)
    assert len(frames_of(target)) == 20
    assert [path.name for path in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("folder.mp4", "folder"),
        ("film.mov", "MP4"),
        ("film", "MP4"),
        ("file.txt/film.mp4", "is a file"),
        ("x" * 300 + ".mp4", "cannot be written"),
    ],
)
def test_an_output_path_that_cannot_be_is_told(
    segments: Path, tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file.txt").write_text("here")
    sound = sound_of(20, tmp_path)
    with pytest.raises(InputError, match=said):
        assemble([Part(segments / "a.mp4", 0, 20)], sound, tmp_path / name, size=SIZE, fps=FPS)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_write_protected_folder_is_told_early(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="write-protected"):
        check_target(tmp_path / "new" / "film.mp4")


FULL_DISK = """
import resource, sys
from pathlib import Path
from avatar_core.errors import EnvironmentFault
from renderer.assemble import Part, assemble
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
try:
    assemble([Part(Path(sys.argv[1]), 0, 20)], Path(sys.argv[2]), Path(sys.argv[3]),
             size=(180, 320), fps=15)
except EnvironmentFault as fault:
    print(fault)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on file sizes")
def test_a_disk_that_fills_up_is_told_and_nothing_stays(segments: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(segments / "a.mp4"), str(sound_of(20, tmp_path)),
         str(out / "film.mp4")],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert "disk is full" in done.stdout, done.stderr
    assert not list(out.iterdir())


def test_a_thumbnail_is_a_picture_of_the_film(segments: Path, tmp_path: Path) -> None:
    film = film_of([Part(segments / "a.mp4", 0, 20)] * 2, tmp_path)
    thumbnail(film, tmp_path / "film.jpg")
    picture = np.asarray(Image.open(tmp_path / "film.jpg"))
    assert picture.shape == (320, 180, 3)
    assert abs(int(picture[160, 90, 0]) - (20 + 10 * 15)) < 6


@pytest.mark.parametrize(
    ("args", "wrong"),
    [
        (["-c", "copy", "-movflags", "0"], "faststart"),
        (["-c:a", "copy", "-pix_fmt", "yuv444p"], "pixels"),
        (
            ["-c:a", "copy", "-colorspace", "bt470bg", "-vf", "setparams=colorspace=bt470bg"],
            "colours",
        ),
        (["-c:a", "copy", "-vf", "scale=90:160"], "size"),
        (["-c:a", "copy", "-vf", "select='not(eq(n,7))'", "-fps_mode", "passthrough"], "frames"),
        (["-c:v", "copy", "-c:a", "aac", "-af", "atrim=end=1"], "sound length"),
        (["-c:v", "copy", "-c:a", "libmp3lame"], "codecs"),
    ],
)
def test_a_film_that_is_not_as_it_should_be_fails_the_checks(
    segments: Path, tmp_path: Path, args: list[str], wrong: str
) -> None:
    film = film_of([Part(segments / "a.mp4", 0, 20)] * 2, tmp_path)
    faststart = [] if "-movflags" in args else ["-movflags", "+faststart"]
    run_ffmpeg(["-v", "error", "-i", str(film), *args, *faststart, str(tmp_path / "bad.mp4")])
    with pytest.raises(FilmFault, match=wrong) as caught:
        verify_film(tmp_path / "bad.mp4", 40, FPS, SIZE)
    assert "'frames':" in str(caught.value)


def test_facts_are_plain_values(segments: Path, tmp_path: Path) -> None:
    film = film_of([Part(segments / "a.mp4", 0, 20)], tmp_path)
    facts = asdict(verify_film(film, 20, FPS, Size(180, 320)))
    assert facts["seconds"] == pytest.approx(20 / FPS) and facts["bytes"] == film.stat().st_size
