"""Whether a backend can do what is asked, read from its capabilities: free, nothing is started."""

from __future__ import annotations

from pathlib import Path

from avatar_core.backend import AvatarRequest, Capabilities


def shortcoming(capabilities: Capabilities, request: AvatarRequest) -> str | None:
    """Why a backend with ``capabilities`` cannot do ``request``, in a sentence; None if it can."""
    most = capabilities.max_seconds
    if most is not None and request.duration > most:
        return f"The narration lasts {request.duration:.1f} s; this backend takes {most:g} s."
    ending = request.audio.suffix.lstrip(".").lower()
    if ending not in capabilities.audio_formats:
        known = ", ".join(capabilities.audio_formats)
        return f"The narration is a {ending} file; this backend takes {known}."
    largest = capabilities.max_pixels
    pixels = _pixels(request.portrait) if largest is not None else None
    if largest is not None and pixels is not None and pixels > largest:
        return f"The portrait has {pixels:,} pixels; this backend takes {largest:,}."
    return None


def _pixels(portrait: Path | None) -> int | None:
    """None for a portrait that cannot be read: what to make of it is the backend's to say."""
    if portrait is None:
        return None
    from avatar_core.media_error import MediaError
    from avatar_core.pictures import probe_picture

    try:
        size = probe_picture(portrait).size
    except MediaError:
        return None
    return size.width * size.height
