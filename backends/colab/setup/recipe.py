"""What SadTalker is installed from: one commit, one Python, exact versions.

Its code is of 2023 and runs unchanged with the packages of its time, so it gets an environment of
its own: what Colab changes in its own Python then cannot break it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

COMMIT = "cd4c0465ae0b54a6f85af57f5c65fec9fe23e7f8"


@dataclass(frozen=True, slots=True)
class Recipe:
    """``packages`` are resolved together; ``alone`` are then installed without what they ask for,
    and built with the packages that are there. ``source`` is an archive of the program."""

    source: str
    python: str
    packages: tuple[str, ...]
    alone: tuple[str, ...]

    @property
    def mark(self) -> str:
        """Changes when anything that is installed changes."""
        text = "\n".join((self.python, *self.packages, "", *self.alone))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


RECIPE = Recipe(
    source=f"https://github.com/OpenTalker/SadTalker/archive/{COMMIT}.tar.gz",
    python="3.10",
    packages=(
        # The builds on the package index are those for CUDA 12.1, which know the T4.
        "torch==2.1.2",
        "torchvision==0.16.2",
        "numpy==1.23.5",
        "scipy==1.10.1",
        "scikit-image==0.19.3",
        "imageio==2.19.3",
        "imageio-ffmpeg==0.4.7",
        "librosa==0.9.2",
        "numba==0.56.4",
        "resampy==0.3.1",
        "pydub==0.25.1",
        "kornia==0.6.8",
        "yacs==0.1.8",
        "joblib==1.1.0",
        "opencv-python-headless==4.9.0.80",
        "pillow<11",
        "safetensors",
        "tqdm",
        "pyyaml",
        # Asked for by the packages below, which are installed without what they ask for.
        "addict",
        "future",
        "lmdb",
        "yapf",
        "requests",
        "matplotlib",
        # They are built from source by these two.
        "setuptools==69.5.1",
        "wheel",
    ),
    # What they ask for would bring a second OpenCV and a TensorBoard of today.
    alone=("basicsr==1.4.2", "facexlib==0.3.0", "gfpgan==1.3.8", "filterpy==1.4.5"),
)
