"""What an engine gets to see of our surroundings: where programs and the GPU are, no secret."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from avatar_core.ffmpeg import ffmpeg_exe

# Programs, libraries, temporary files, languages, the GPU, the way to the network, caches.
_KEPT = frozenset(
    "PATH HOME USER LOGNAME SHELL LANG LC_ALL LC_CTYPE TZ TMPDIR TEMP TMP "
    "SYSTEMROOT SYSTEMDRIVE WINDIR COMSPEC PATHEXT USERPROFILE APPDATA LOCALAPPDATA PROGRAMDATA "
    "PROGRAMFILES NUMBER_OF_PROCESSORS PROCESSOR_ARCHITECTURE "
    "LD_LIBRARY_PATH DYLD_LIBRARY_PATH LD_PRELOAD "
    "CUDA_HOME CUDA_PATH CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER CUDA_MODULE_LOADING "
    "PYTORCH_CUDA_ALLOC_CONF OMP_NUM_THREADS MKL_NUM_THREADS "
    "HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE "
    "XDG_CACHE_HOME TORCH_HOME HF_HOME NUMBA_CACHE_DIR".split()
)
_KEPT_PREFIXES = ("NVIDIA_",)
_OURS = {
    # Without it, Windows would write the names of files in its own code page.
    "PYTHONUTF8": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONNOUSERSITE": "1",
    "MPLBACKEND": "Agg",
}


def clean_environment(
    wanted: Mapping[str, str], ours: Mapping[str, str] | None = None, programs: Path | None = None
) -> dict[str, str]:
    """The variables for a child: those of ``ours`` (by default this process's) that it needs,
    then ``wanted``. ``programs`` is a folder to look for programs in, after PATH."""
    kept = {name: value for name, value in (ours or os.environ).items() if _is_kept(name.upper())}
    environment = {**kept, **_OURS, **wanted}
    if programs is not None:
        paths = [environment.get("PATH", os.defpath), str(programs)]
        environment["PATH"] = os.pathsep.join(paths)
    return environment


def provide_ffmpeg(folder: Path) -> Path:
    """A new folder in ``folder`` with a program ``ffmpeg`` in it: ours goes by another name, and
    engines start it through a shell. It comes into use where PATH has none."""
    programs = folder / "programs"
    programs.mkdir()
    ours = Path(ffmpeg_exe())
    name = programs / ("ffmpeg.exe" if os.name == "nt" else "ffmpeg")
    try:
        name.symlink_to(ours)
    except OSError:
        # Windows lets only some users make links.
        with contextlib.suppress(OSError):
            shutil.copy2(ours, name)
    return programs


def _is_kept(name: str) -> bool:
    return name in _KEPT or name.startswith(_KEPT_PREFIXES)
