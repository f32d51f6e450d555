"""Which of the things that are known about a narration moves the lips."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avatar_core.speech import TimedPhoneme
from backends.puppet import ipa
from backends.puppet.lip_options import LipOptions

if TYPE_CHECKING:
    from avatar_core.backend import AvatarRequest
    from backends.puppet.mouth_track import MouthTrack

# Timed phonemes that fill less than this share of the narration do not belong to it.
_LEAST_SHARE = 0.15
_DEFAULTS = LipOptions()


def mouth_track(request: AvatarRequest, options: LipOptions = _DEFAULTS) -> MouthTrack:
    """The lips for ``request``: from its timed phonemes, else from its sound and what is said in
    it, else from its sound alone.

    Raises `MediaError` if there are no phonemes and the sound cannot be read.
    """
    from backends.puppet import hearing
    from backends.puppet.track_from_phonemes import track_from_phonemes
    from backends.puppet.track_from_sound import track_from_bands
    from backends.puppet.track_from_text import track_from_text

    length = (request.duration, request.fps, options)
    if tell_enough(request.phonemes, request.duration, request.language):
        return track_from_phonemes(request.phonemes, *length, request.language)
    levels = hearing.bands(request.audio)
    read = track_from_text(levels, request.text, request.words, *length, request.language)
    return read or track_from_bands(levels, *length)


def tell_enough(phonemes: tuple[TimedPhoneme, ...], seconds: float, language: str) -> bool:
    """Whether there are phonemes, and for more than a corner of the narration."""
    spoken = sum(
        max(0.0, min(p.end, seconds) - max(p.start, 0.0))
        for p in phonemes
        if ipa.sounds(p.ipa, language)
    )
    return spoken >= _LEAST_SHARE * seconds and spoken > 0
