"""What SadTalker prints when it fails, what that means, and what a person can do about it.

Each row was seen in the real program's output; `process_error` knows what any program may die of.
"""

from __future__ import annotations

from avatar_core.errors import Category
from backends.sadtalker.engine import Fault, Loop

_AGAIN = "Run the set-up of the weights again: it fetches what is missing or has the wrong size."
_REPAIR = "Set its Python environment up again, with exactly the versions of the set-up."
_SMALLER = "Use size 256, a smaller batch_size or no enhancer, or close what else uses the GPU."
_PHOTO = "Use a photo of one person, from the front, with the whole face clearly visible."
_NO_ENHANCER = "Render without an enhancer, or with the other one."

_ENVIRONMENT = (
    r"module 'numpy' has no attribute|VisibleDeprecationWarning|"
    r"inhomogeneous shape|only 0-dimensional arrays can be converted|only length-1 arrays|"
    r"pyaudioop|TiffWriter\.write\(\)|AttributeError: _2D|mel\(\) takes 0 positional|"
    # As what it ended with: packages warn of modules that they can do without.
    r"^ModuleNotFoundError: |^ImportError: |"
    r"NoneType' object is not subscriptable|disable-safe-unpickle"
)
_DAMAGED = (
    r"SafetensorError|header too small|HeaderTooSmall|incomplete metadata|"
    r"PytorchStreamReader failed|failed finding central directory|unexpected EOF, expected|"
    r"invalid load key|checkpoint file is corrupted"
)
_NO_FACE = (
    r"exceptions must derive from BaseException|can not detect the landmark|"
    r"No face detected in this image|Can't get the coeffs of the input|"
    r"index 0 is out of bounds for axis 0 with size 0|"
    r"index \d+ is out of bounds for axis 1 with size \d+"
)
_SOUND = r"Format not recogni[sz]ed|LibsndfileError|CouldntDecodeError|NoBackendError"

# From the most special to the most general: the first row that fits decides.
FAULTS: tuple[Fault, ...] = (
    Fault(
        "gpu_memory",
        r"CUDA out of memory|OutOfMemoryError|CUDA error: out of memory|CUDNN_STATUS_ALLOC_FAILED|"
        r"CUBLAS_STATUS_ALLOC_FAILED",
        Category.SERVER,
        "The memory of the GPU was full.",
        _SMALLER,
    ),
    Fault(
        "gpu_unsupported",
        r"no kernel image is available|no CUDA-capable device|Found no NVIDIA driver|"
        r"driver version is insufficient|not compiled with CUDA",
        Category.UNSUPPORTED,
        "This GPU, or its driver, does not fit the installed torch.",
        "Install the torch that was built for it, or choose another backend.",
    ),
    Fault(
        "gpu_error",
        r"CUDA error:|CUDNN_STATUS_|CUBLAS_STATUS_",
        Category.SERVER,
        "The GPU reported an error.",
        "Start the machine or the notebook again; if it stays so, check driver and torch.",
    ),
    Fault(
        "no_face",
        _NO_FACE,
        Category.INVALID_INPUT,
        "No face was found in the picture.",
        _PHOTO,
    ),
    Fault(
        "face_at_edge",
        r"0 <= roi\.x",
        Category.SERVER,
        "The face is too near the edge of the picture to be put back into it.",
        "Use a picture with more room around the face, or preprocess = crop.",
    ),
    Fault(
        "face_too_large",
        r"has no attribute 'ANTIALIAS'",
        Category.INVALID_INPUT,
        "The face fills too many pixels.",
        "Scale the picture down; 1024 pixels on the long side are plenty.",
    ),
    Fault(
        "bad_picture",
        r"_src\.empty\(\)|input_path must be a valid path",
        Category.INVALID_INPUT,
        "The picture cannot be read.",
        "Open it in a viewer to check, and export it as PNG or JPEG.",
    ),
    Fault(
        "sound_too_short",
        r"v cannot be empty",
        Category.INVALID_INPUT,
        "The narration is too short: there is not one frame in it.",
        "Use at least a tenth of a second of sound.",
    ),
    Fault(
        "bad_sound",
        _SOUND,
        Category.INVALID_INPUT,
        "The narration cannot be read.",
        "Export it as a PCM WAV file.",
    ),
    Fault(
        "bad_options",
        r"invalid choice:|unrecognized arguments|Wrong model version|"
        r"out of bounds for dimension 0 with size 46|SadTalker_V0\.0\.2_(?!256|512)\d+|"
        r"float division by zero|ZeroDivisionError",
        Category.UNSUPPORTED,
        "SadTalker does not know one of the options it was called with.",
        "Install SadTalker again, at the commit that the set-up names.",
    ),
    Fault(
        "weights_damaged",
        _DAMAGED,
        Category.UNSUPPORTED,
        "A file of the networks is damaged or was cut off while it was fetched.",
        _AGAIN,
    ),
    Fault(
        "enhancer_download",
        r"URLError|gaierror|Downloading: ",
        Category.SERVER,
        "The enhancer's network is not installed and could not be fetched.",
        "Put its file into gfpgan/weights, or render without an enhancer.",
        stage="enhance",
    ),
    Fault(
        "download_failed",
        r"URLError|gaierror",
        Category.CONNECTIVITY,
        "A file of the networks is missing and could not be fetched.",
        "Check the network of the machine, or run the set-up of the weights again.",
    ),
    Fault(
        "weights_missing",
        r"(No such file or directory|FileNotFoundError).*"
        r"(checkpoints|SadTalker_V0\.0\.2_|mapping_00|\.safetensors|\.pth)",
        Category.UNSUPPORTED,
        "A file of the networks is missing.",
        _AGAIN,
    ),
    Fault(
        "ffmpeg_missing",
        r"ffmpeg: (command )?not found|'ffmpeg' is not recognized|"
        r"No such file or directory: '(ffmpeg|ffprobe)'|'[0-9a-f-]{36}\.mp4'",
        Category.UNSUPPORTED,
        "ffmpeg was not found, or failed, when the video was put together.",
        "Install ffmpeg on the machine that renders, so that it is on PATH.",
    ),
    Fault(
        "folder_shared",
        r"The directory does not exist",
        Category.SERVER,
        "The job's folder vanished while it ran.",
        "Render again; let no other program clean the folder of running jobs.",
    ),
    Fault(
        "disk_full",
        r"No space left on device|Disk quota exceeded|\[Errno 28\]",
        Category.SERVER,
        "There is no room left on the disk.",
        "Free some space on the machine that renders, and render again.",
    ),
    Fault(
        "environment_broken",
        _ENVIRONMENT,
        Category.UNSUPPORTED,
        "A package that SadTalker needs is missing or has the wrong version.",
        _REPAIR,
    ),
    Fault(
        "host_memory",
        r"^Killed$|MemoryError|Unable to allocate|DefaultCPUAllocator|cannot allocate memory",
        Category.SERVER,
        "The memory of the machine was full.",
        "Use size 256 or shorter scenes, or a machine with more memory.",
    ),
    Fault(
        "host_memory",
        "",
        Category.SERVER,
        "It was killed from outside, most likely because the memory of the machine was full.",
        "Use size 256 or shorter scenes, or a machine with more memory.",
        status=-9,
    ),
    Fault(
        "enhancer_crashed",
        "",
        Category.SERVER,
        "The enhancer crashed.",
        _NO_ENHANCER,
        stage="enhance",
    ),
)

# The landmark step sleeps and tries again on every error of CUDA, whatever its cause, for ever.
CUDA_LOOP = Loop(
    r"^Warning: out of memory, sleep for 1s",
    5,
    Fault(
        "cuda_loop",
        "",
        Category.SERVER,
        "The GPU failed again and again while the face was looked for, so it was stopped.",
        "Close what else uses the GPU, or restart the notebook; if it stays so, torch and the "
        "driver do not fit this GPU.",
    ),
)
