"""Whether this machine's ffmpeg can do what films need: each trial does it once, in small."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from avatar_core.errors import EnvironmentFault
from avatar_core.ffmpeg import FfmpegError, ffmpeg_exe, run_ffmpeg
from avatar_core.pages import see

# Every Vietnamese vowel sign on a letter of both cases.
VIETNAMESE = "Ngữ Ệ ở ặ Ẵ ợ đ Ý"
FILTERS = (
    "alphamerge aresample ass blend crop ebur128 fade format fps gblur loop overlay pad "
    "perspective scale setparams setpts setsar split tpad trim xfade"
).split()
_BUILD = "Unset AVATAR_FFMPEG to use the ffmpeg that comes with the package, or name a full build."
_SIZE = (320, 120)
# Seven words drawn at this size cover some thousands of bright pixels.
_FEWEST_BRIGHT = 500


def version() -> str:
    """Which ffmpeg is used; raises `EnvironmentFault` when there is none or it does not start."""
    found = re.search(r"version (\S+)", _listing("-version"))
    return f"{found[1] if found else 'unknown version'} at {ffmpeg_exe()}"


def encoders() -> str:
    """Encode a moment of H.264 and AAC into an MP4; raises `EnvironmentFault`."""
    sources = "-f lavfi -i color=size=64x64:rate=10:duration=0.2 -f lavfi -i sine=duration=0.2"
    codecs = "-c:v libx264 -pix_fmt yuv420p -c:a aac -movflags +faststart"
    with _scratch() as folder:
        arguments = [*sources.split(), *codecs.split()]
        _run(arguments, Path(folder, "trial.mp4"), "It cannot encode H.264 and AAC")
    return "H.264 (libx264) and AAC into MP4"


def cut_outs() -> str:
    """Encode a moment of a transparent clip and read its alpha again; raises `EnvironmentFault`
    where presenters cannot be cut out (``options.puppet.cutout``). Everything else can be made."""
    source = "-f lavfi -i color=red@0.5:size=64x64:rate=10:duration=0.2,format=yuva420p"
    sound = "-f lavfi -i sine=duration=0.2"
    codecs = "-c:v libvpx-vp9 -deadline realtime -auto-alt-ref 0 -pix_fmt yuva420p -c:a libopus"
    back = "-f lavfi -i color=black:size=64x64 -filter_complex [1:v][0:v]overlay=format=auto"
    failure = "It cannot make transparent clips (libvpx-vp9 and libopus): nobody can be cut out"
    with _scratch() as folder:
        clip = Path(folder, "trial.webm")
        _run([*source.split(), *sound.split(), *codecs.split()], clip, failure)
        read = ["-c:v", "libvpx-vp9", "-i", str(clip), *back.split(), "-frames:v", "1"]
        _run(read, Path(folder, "trial.png"), failure)
    return "VP9 with alpha and Opus into WebM, for presenters that are cut out"


def filters() -> str:
    """Look for every filter that composing and mixing use; raises `EnvironmentFault`."""
    listed = set(re.findall(r"^ [A-Z.]{2,3} (\w+) +\S+->", _listing("-filters"), re.MULTILINE))
    missing = [name for name in FILTERS if name not in listed]
    if missing:
        raise EnvironmentFault(f"This ffmpeg lacks: {', '.join(missing)}.", advice=_BUILD)
    return f"all {len(FILTERS)} that films need"


def vietnamese_captions() -> str:
    """Burn a Vietnamese caption in the font that comes along, and look for it in the picture.

    Raises `EnvironmentFault` when nothing is drawn or a letter is missing.
    """
    from renderer.captions.fonts import BUNDLED

    picture, log = _burn(VIETNAMESE)
    missing = _missing_letters(log)
    if missing:
        letters = " ".join(sorted({chr(int(code, 16)) for code in missing}))
        raise EnvironmentFault(
            f"The caption font lacks these letters: {letters}",
            advice=f"Install the package again. {see('install#updating')}",
        )
    bright = sum(1 for value in picture if value > 128)
    if bright < _FEWEST_BRIGHT:
        raise EnvironmentFault("A burnt caption cannot be seen in the picture.", advice=_BUILD)
    return f"{VIETNAMESE!r} burnt in {BUNDLED}, {bright} bright pixels"


def _missing_letters(log: str) -> list[str]:
    """The code points (hexadecimal) that libass found in no font at all."""
    return [code.lower() for code in re.findall(r"fallback with glyph 0x([0-9A-Fa-f]+)", log)]


def _burn(text: str) -> tuple[bytes, str]:
    """The grey picture (one byte a pixel, row by row) of ``text`` on black, and ffmpeg's log."""
    from renderer.captions.ass import Document, plain_style
    from renderer.captions.fonts import BUNDLED, filter_value, fonts_dir

    width, height = _SIZE
    document = Document(width, height)
    document.style("Trial", plain_style(BUNDLED, 30))
    document.event("Trial", 0, 1000, text)
    source = ["-f", "lavfi", "-i", f"color=black:size={width}x{height}:rate=1:duration=1"]
    with _scratch() as folder:
        Path(folder, "trial.ass").write_text(document.text(), encoding="utf-8")
        chain = f"ass=trial.ass:fontsdir={filter_value(fonts_dir())},format=gray"
        target = Path(folder, "trial.gray")
        arguments = [*source, "-vf", chain, "-frames:v", "1", "-f", "rawvideo"]
        log = _run(arguments, target, "It cannot burn captions (libass)")
        return target.read_bytes(), log


def _run(arguments: list[str], target: Path, complaint: str) -> str:
    """Let ffmpeg write ``target`` from the folder in which it lies; what it printed."""
    try:
        printed = run_ffmpeg([*arguments, str(target)], cwd=target.parent)
    except (FfmpegError, OSError) as failure:
        raise EnvironmentFault(f"{complaint}: {failure}", advice=_BUILD) from failure
    if not target.is_file():
        raise EnvironmentFault(f"{complaint}: it wrote nothing.", advice=_BUILD)
    return printed


def _listing(option: str) -> str:
    """What ffmpeg prints on its standard output, which `run_ffmpeg` does not keep."""
    command = [ffmpeg_exe(), "-hide_banner", option]
    try:
        done = subprocess.run(command, capture_output=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError) as failure:
        raise EnvironmentFault(f"ffmpeg does not start: {failure}", advice=_BUILD) from failure
    return done.stdout.decode("utf-8", "replace")


def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="avatar-trial-", ignore_cleanup_errors=True)
