from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renderer.compose import held_frame
from renderer.compose.held_frame import HeldFrame, NotHeld, held_group, read_counters
from renderer.compose.spec import BackgroundLayer, PictureLayer
from renderer.compose.stills import find_stills
from renderer.script.models import Quality
from support_compose import (
    FPS,
    SIZE,
    compose,
    composed,
    flat_picture,
    frames_of,
    near,
    spec_of,
    write_picture,
)


def detailed(path: Path) -> Path:
    rng = np.random.default_rng(5)
    return write_picture(path, rng.integers(0, 255, (40, 30, 3)).repeat(8, 0).repeat(6, 1))


def packets_of(path: Path) -> tuple[list[bytes], bytes]:
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        sizes = [bytes(packet) for packet in film.demux(stream) if packet.size]
        return sizes, bytes(stream.codec_context.extradata)


@pytest.mark.parametrize("quality", ["draft", "standard", "high"])
def test_a_long_still_shows_the_same_picture_to_its_last_frame(
    tmp_path: Path, quality: Quality
) -> None:
    background = BackgroundLayer("image", src=detailed(tmp_path / "p.png"))
    frames = composed(spec_of(background=background, frames=77, quality=quality), tmp_path)
    assert len(frames) == 77
    assert (frames == frames[0]).all()


def test_a_still_is_encoded_for_a_moment_only(tmp_path: Path) -> None:
    background = BackgroundLayer("image", src=detailed(tmp_path / "p.png"))
    path = compose(spec_of(background=background, frames=60, quality="standard"), tmp_path)
    packets, _ = packets_of(path)
    # Two groups of 30 frames, the second a copy of the first.
    assert packets[:30] == packets[30:]
    assert max(map(len, packets[1:30])) < 100


def test_stills_change_on_the_very_frame(tmp_path: Path) -> None:
    badge = flat_picture(tmp_path / "badge.png", (255, 0, 0))
    pictures = (PictureLayer(badge, "center", 0.5, 1.0, 31, 90),)
    spec = spec_of(frames=200, pictures=pictures)
    assert find_stills(spec) is not None
    frames = composed(spec, tmp_path)
    shown = [near(frame[160, 90], (255, 0, 0), 4) for frame in frames]
    assert shown == [31 <= i < 90 for i in range(200)]


def test_many_short_stills_are_encoded_the_ordinary_way_with_the_same_picture(
    tmp_path: Path,
) -> None:
    badge = flat_picture(tmp_path / "badge.png", (255, 0, 0))
    pictures = tuple(PictureLayer(badge, "center", 0.5, 1.0, i, i + 4) for i in range(0, 40, 8))
    spec = spec_of(frames=40, pictures=pictures)
    assert find_stills(spec) is None
    shown = [near(f[160, 90], (255, 0, 0), 4) for f in composed(spec, tmp_path)]
    assert shown == [i % 8 < 4 for i in range(40)]


@given(frames=st.integers(1, 400), cuts=st.sets(st.integers(1, 399), max_size=3),
       changes=st.sets(st.integers(1, 399), max_size=4))  # fmt: skip
@settings(max_examples=200)
def test_each_group_of_a_still_is_long_enough_for_every_repetition(
    frames: int, cuts: set[int], changes: set[int]
) -> None:
    spec = spec_of(frames=frames, cuts=tuple(cuts), subtitles="x", changes=tuple(sorted(changes)))
    stills = find_stills(spec)
    if stills is None:
        return
    assert stills.keys[-1] == frames
    lengths = dict(zip(stills.first, stills.lengths, strict=True))
    wanted = 0
    for begin, end in zip(stills.keys, stills.keys[1:], strict=False):
        wanted = lengths.get(begin, wanted)
        assert end - begin <= wanted


def test_a_held_frame_at_its_own_place_is_the_frame_itself(tmp_path: Path) -> None:
    packets, extradata = packets_of(compose(spec_of(quality="standard"), tmp_path))
    counters = read_counters(extradata)
    for position in range(1, 15):
        assert HeldFrame(packets[position], position, counters).at(position) == packets[position]


def test_a_group_continued_by_copies_decodes_to_the_same_picture(tmp_path: Path) -> None:
    background = BackgroundLayer("image", src=detailed(tmp_path / "p.png"))
    spec = spec_of(background=background, frames=15, quality="standard")
    packets, extradata = packets_of(compose(spec, tmp_path))
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = extradata
    group = held_group(packets[:15], 300, decoder)
    fresh = av.CodecContext.create("h264", "r")
    fresh.extradata = extradata
    pictures = [p.to_ndarray() for d in group for p in fresh.decode(av.Packet(d))]
    pictures += [p.to_ndarray() for p in fresh.decode(None)]
    assert len(pictures) == 300
    assert all((picture == pictures[14]).all() for picture in pictures[14:])


def test_a_frame_that_changes_something_is_not_held(tmp_path: Path) -> None:
    noise = BackgroundLayer("image", src=detailed(tmp_path / "p.png"), motion="zoom_in")
    packets, extradata = packets_of(compose(spec_of(background=noise), tmp_path))
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = extradata
    with pytest.raises(NotHeld):
        held_group(packets, 100, decoder)


def test_a_frame_with_another_number_than_its_place_is_refused(tmp_path: Path) -> None:
    packets, extradata = packets_of(compose(spec_of(quality="standard"), tmp_path))
    with pytest.raises(NotHeld, match="counted"):
        HeldFrame(packets[5], 6, read_counters(extradata))


@given(st.binary(max_size=60).map(lambda b: b.replace(b"\x07", b"\x00")))
def test_escaping_hides_every_start_code_and_comes_back(payload: bytes) -> None:
    nal = held_frame._escaped(payload)
    assert b"\0\0\0" not in nal and b"\0\0\1" not in nal and b"\0\0\2" not in nal
    assert held_frame._unescaped(nal) == payload


def test_one_frame_is_a_film_too(tmp_path: Path) -> None:
    frames = frames_of(compose(spec_of(frames=1), tmp_path))
    assert frames.shape == (1, SIZE.height, SIZE.width, 3)
    assert FPS == 15
