"""The two networks that come with the package, each loaded once, when it is first needed."""

from __future__ import annotations

import functools
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "models"
DETECTOR = "face_detector"
LANDMARKS = "face_landmarks_detector"
_lock = threading.Lock()


def run(name: str, picture: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The network's answers to one picture (height, width, 3); any thread may ask."""
    session = _loaded(name)
    answers: list[NDArray[np.float32]] = session.run(
        None, {session.get_inputs()[0].name: np.ascontiguousarray(picture[None])}
    )
    return answers


def _loaded(name: str) -> Any:
    with _lock:
        return _session(name)


@functools.cache
def _session(name: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Scenes are made side by side: threads of its own would only fight with theirs.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        str(FOLDER / f"{name}.onnx"), options, providers=["CPUExecutionProvider"]
    )
