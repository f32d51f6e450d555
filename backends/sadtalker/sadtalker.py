"""SadTalker (OpenTalker/SadTalker, commit cd4c046 of October 2023), declared as an engine.

Flags, files, sizes and texts are those of its ``inference.py``; the sizes of the weights are
those of the files that its releases offer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from pydantic import BaseModel

from backends.sadtalker.engine import Engine, JobPaths, Needs, Output, Stage, Weight
from backends.sadtalker.faults import CUDA_LOOP, FAULTS
from backends.sadtalker.options import SadTalkerOptions

_SADTALKER = "https://github.com/OpenTalker/SadTalker/releases/download/v0.0.2-rc/"
_FACEXLIB = "https://github.com/xinntao/facexlib/releases/download/"
_GFPGAN = "https://github.com/TencentARC/GFPGAN/releases/download/v1.3.0/"

# What the program keeps of a second of sound until its end: 63 MB of memory at 256 pixels, 250 MB
# at 512. A free notebook with 12.7 GB has room for about 140 s and 35 s.
_LONGEST_SECONDS = {256: 60.0, 512: 25.0}


def _of(options: BaseModel) -> SadTalkerOptions:
    return cast(SadTalkerOptions, options)


def _if(test: Callable[[SadTalkerOptions], bool]) -> Callable[[BaseModel], bool]:
    return lambda options: test(_of(options))


WEIGHTS = (
    Weight(
        "checkpoints/SadTalker_V0.0.2_256.safetensors",
        725_066_984,
        _SADTALKER + "SadTalker_V0.0.2_256.safetensors",
        needed=_if(lambda options: options.size == 256),
    ),
    Weight(
        "checkpoints/SadTalker_V0.0.2_512.safetensors",
        725_066_984,
        _SADTALKER + "SadTalker_V0.0.2_512.safetensors",
        needed=_if(lambda options: options.size == 512),
    ),
    Weight(
        "checkpoints/mapping_00109-model.pth.tar",
        155_779_231,
        _SADTALKER + "mapping_00109-model.pth.tar",
        sha256="84a8642468a3fcfdd9ab6be955267043116c2bec2284686a5262f1eaf017f64c",
        needed=_if(lambda options: options.whole_picture),
    ),
    Weight(
        "checkpoints/mapping_00229-model.pth.tar",
        155_521_183,
        _SADTALKER + "mapping_00229-model.pth.tar",
        sha256="62a1e06006cc963220f6477438518ed86e9788226c62ae382ddc42fbcefb83f1",
        needed=_if(lambda options: not options.whole_picture),
    ),
    Weight(
        "gfpgan/weights/alignment_WFLW_4HG.pth",
        193_670_248,
        _FACEXLIB + "v0.1.0/alignment_WFLW_4HG.pth",
    ),
    Weight(
        "gfpgan/weights/detection_Resnet50_Final.pth",
        109_497_761,
        _FACEXLIB + "v0.1.0/detection_Resnet50_Final.pth",
    ),
    Weight(
        "gfpgan/weights/GFPGANv1.4.pth",
        348_632_874,
        _GFPGAN + "GFPGANv1.4.pth",
        needed=_if(lambda options: options.enhancer == "gfpgan"),
    ),
    Weight(
        "gfpgan/weights/parsing_parsenet.pth",
        85_331_193,
        _FACEXLIB + "v0.2.2/parsing_parsenet.pth",
        needed=_if(lambda options: options.enhancer != "none"),
    ),
)

# Its size is nowhere written down; without it, GFPGAN fetches it when it is first used.
FETCHED = (
    Weight(
        "gfpgan/weights/RestoreFormer.pth",
        None,
        needed=_if(lambda options: options.enhancer == "RestoreFormer"),
    ),
)

MODULES = tuple(
    "torch torchvision numpy scipy skimage cv2 librosa pydub kornia yacs yaml joblib imageio "
    "imageio_ffmpeg safetensors tqdm basicsr facexlib gfpgan".split()
)

FILES = (
    "inference.py",
    "src/config/auido2exp.yaml",
    "src/config/auido2pose.yaml",
    "src/config/facerender.yaml",
    "src/config/facerender_still.yaml",
    "src/config/similarity_Lm3D_all.mat",
)


def stages(options: BaseModel) -> tuple[Stage, ...]:
    """The parts of a run. The shares are of the time on a small GPU; an enhancer takes about as
    long as all the rest."""
    wished = _of(options)
    parts = [
        Stage("load", "loading the networks", 5),
        Stage(
            "face",
            "looking for the face",
            2,
            ("landmark Det", "3DMM Extraction In Video"),
            r"^3DMM Extraction for ",
        ),
        Stage("sound", "listening to the narration", 3, ("mel", "audio2exp")),
        Stage(
            "render",
            "moving the face",
            45 if wished.whole_picture else 70,
            ("Face Renderer",),
        ),
    ]
    if wished.whole_picture:
        parts.append(Stage("blend", "putting the face back", 45, ("seamlessClone",)))
    if wished.enhancer != "none":
        half = sum(part.weight for part in parts)
        line = r"^face enhancer\.\.\."
        parts.append(Stage("enhance", "sharpening the face", half, ("Face Enhancer",), line))
    parts.append(Stage("write", "writing the video", 5, line=r"^The generated video is named: "))
    return tuple(parts)


def command(paths: JobPaths, options: BaseModel) -> list[str]:
    """``inference.py`` and its arguments. Options of which the program knows no "none" are left
    out, as is everything that it would only read from the folder it runs in."""
    wished = _of(options)
    told = [
        "inference.py",
        *("--source_image", str(paths.image)),
        *("--driven_audio", str(paths.audio)),
        *("--checkpoint_dir", str(paths.root / "checkpoints")),
        *("--result_dir", str(paths.out)),
        *("--preprocess", wished.preprocess),
        *("--size", str(wished.size)),
        *("--batch_size", str(wished.batch_size)),
        *("--pose_style", str(wished.pose_style)),
        *("--expression_scale", str(wished.expression_scale)),
    ]
    told += ["--still"] if wished.still else []
    for name in ("enhancer", "background_enhancer"):
        if (value := getattr(wished, name)) != "none":
            told += [f"--{name}", value]
    for name in ("input_yaw", "input_pitch", "input_roll"):
        if angles := getattr(wished, name):
            told += [f"--{name}", *map(str, angles)]
    return told


SADTALKER = Engine(
    name="sadtalker",
    title="SadTalker",
    licence="Apache-2.0",
    licence_class="permissive",
    vram_mb=6_000,
    Options=SadTalkerOptions,
    command=command,
    weights=WEIGHTS,
    files=FILES,
    fetched=FETCHED,
    modules=MODULES,
    extra_modules=lambda options: (
        ("realesrgan",) if _of(options).background_enhancer != "none" else ()
    ),
    output=Output(pattern="out/*.mp4", line=r"^The generated video is named: (?P<path>.+)$"),
    needs=Needs(
        pads=_if(lambda options: options.whole_picture),
        longest=lambda options: _LONGEST_SECONDS[_of(options).size],
    ),
    stages=stages,
    faults=FAULTS,
    loops=(CUDA_LOOP,),
    scratch=r"[0-9a-f-]{36}\.mp4",
    homepage="https://github.com/OpenTalker/SadTalker",
)
