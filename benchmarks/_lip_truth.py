"""What mouths should do: sentences, the voices that speak them, and the opening they call for.

The table is on purpose not the one of the backend: it knows only how far apart the lips are in a
dozen steps, as any textbook of phonetics ranks them. A low-pass stands for the jaw's slowness;
lips that must meet do meet, and need a moment to come and go.
"""

from __future__ import annotations

import tempfile
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from avatar_core.backend import Job
from avatar_core.speech import SpeechEngine, SpeechRequest, TimedPhoneme, Voice
from renderer.speech.espeak import EspeakEngine
from renderer.speech.hibari import HibariEngine

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Truth and tracks are compared at this rate.
RATE = 100
_SLOWNESS = 0.04
# Lips are closed in the middle half of p, b and m, and take this long to meet and to part.
_CLOSING = 0.06
CLOSED = frozenset("pbm")
_OPENINGS = {
    "pbmɓ": 0.2, "fvʋɱ": 0.08, "wʍɥ": 0.12, "szʃʒɕʑʂʐj": 0.18, "uyʉʊʏ": 0.22,
    "tdnlɾrɹɻθðɖɗʈçɲʝc": 0.28, "iɨɪᵻkɡgŋxɣ": 0.35, "oøɵ": 0.45, "eɤəᵊɚɘ": 0.5, "ɔœ": 0.62,
    "ɛɜʌɝ": 0.7, "æɐɒ": 0.85, "aɑɶ": 1.0,
}  # fmt: skip
OPENING = {letter: value for letters, value in _OPENINGS.items() for letter in letters}
_WIDE, _SEEN = 0.62, 0.06

ENGLISH = (
    "Welcome back to our programme about boats and people by the sea.",
    "My mother put a piece of warm apple pie on the blue plate.",
    "Five very fine fish from the far river were found by Fred.",
    "Please remember to bring both maps and a big bottle of water.",
    "How do you open a small shop in the middle of a busy town?",
    "The teacher asked her students to think about the weather.",
    "We move a little closer to the moon with every new mission.",
    "Bob bought a pair of brown boots and a simple black umbrella.",
    "She sells fresh juice, cheese and cherries at the station.",
    "Nobody knows what time the long train leaves on Sunday.",
    "A good question is often better than a quick answer.",
    "Maybe we should all slow down and breathe for a moment.",
    "The price of copper has jumped by about seven per cent.",
    "I have never heard such a beautiful voice in my whole life.",
    "Push the button twice, then wait until the lamp goes green.",
    "Most of our problems began when the computer was replaced.",
    "You are watching the evening news, and this is what happened.",
    "Why would anybody walk home through the rain at midnight?",
    "Her father was a farmer who grew potatoes, beans and maize.",
    "Thank you for watching; we hope to see you again tomorrow.",
)
VIETNAMESE = (
    "Xin chào các bạn, hôm nay chúng ta cùng tìm hiểu về biển.",
    "Mẹ tôi mua bốn cái bánh bao và một bát phở bò.",
    "Bà ngoại bảo bé Minh phải ăn cơm rồi mới được xem phim.",
    "Việt Nam có nhiều bãi biển đẹp và món ăn rất ngon.",
    "Buổi sáng, mọi người thường uống cà phê ở vỉa hè.",
    "Giá xăng hôm nay giảm khoảng năm phần trăm.",
    "Làm ơn cho tôi hỏi đường đến ga tàu gần nhất.",
    "Trời mưa to nên chúng tôi phải ở nhà cả buổi chiều.",
    "Cô giáo dạy chúng em hát một bài hát về mùa xuân.",
    "Máy tính của tôi bị hỏng vào đúng hôm nộp bài.",
    "Bố tôi trồng bắp, khoai và mấp mé bờ ao là rau muống.",
    "Hãy bấm nút màu đỏ hai lần rồi chờ một phút.",
    "Không ai biết chuyến xe buýt cuối cùng mấy giờ chạy.",
    "Bản tin buổi tối xin được bắt đầu ngay bây giờ.",
    "Em bé mập mạp bập bẹ gọi ba, gọi má.",
    "Phim này kể về một người thợ may ở Huế.",
    "Bạn có muốn đi bộ quanh hồ với tôi không?",
    "Các bác sĩ khuyên chúng ta nên ngủ đủ tám tiếng.",
    "Thành phố vừa mở thêm bốn tuyến đường mới.",
    "Cảm ơn các bạn đã theo dõi, hẹn gặp lại vào ngày mai.",
)


@dataclass(frozen=True)
class Spoken:
    """One sentence as one voice said it, with exact phonemes; ``sound`` is float32, mono."""

    text: str
    language: str
    phonemes: tuple[TimedPhoneme, ...]
    seconds: float
    path: Path
    sound: NDArray[np.float32]
    rate: int


@dataclass(frozen=True)
class Narrator:
    """A voice with the sentences of its language."""

    name: str
    engine: SpeechEngine
    voice: Voice
    sentences: Sequence[str]

    def speak(self, folder: Path, count: int) -> list[Spoken]:
        """``count`` of the sentences, from all over the list."""
        every = max(1, len(self.sentences) // count)
        return [self._one(text, folder) for text in self.sentences[::every][:count]]

    def _one(self, text: str, folder: Path) -> Spoken:
        work = Path(tempfile.mkdtemp(dir=folder))
        said = self.engine.speak(SpeechRequest(text, self.voice), Job(work))
        with wave.open(str(said.path), "rb") as stream:
            rate = stream.getframerate()
            pcm = np.frombuffer(stream.readframes(stream.getnframes()), "<i2")
        sound = pcm.astype(np.float32) / 32_768
        return Spoken(
            text, self.voice.language, said.phonemes, said.duration, said.path, sound, rate
        )


def narrators() -> list[Narrator]:
    """The three engines that tell their phonemes' times."""
    return [
        Narrator("hibari", HibariEngine(), Voice(), ENGLISH),
        Narrator("espeak en", EspeakEngine(), Voice(language="en-US"), ENGLISH),
        Narrator("espeak vi", EspeakEngine(), Voice(language="vi-VN"), VIETNAMESE),
    ]


def true_opening(spoken: Spoken) -> NDArray[np.float64]:
    """How far the lips are apart, 0 to 1, at `RATE`, in time with the sound; 0 in pauses."""
    curve = np.zeros(int(np.ceil(spoken.seconds * RATE)) + 1)
    # Backwards, for what has no opening of its own (h) is said with that of the next sound.
    coming = 0.0
    for phoneme in reversed(spoken.phonemes):
        known = [OPENING.get(letter) for letter in phoneme.ipa]
        values = [value for value in known if value is not None] or [coming]
        edges = np.linspace(phoneme.start, phoneme.end, len(values) + 1) * RATE
        for value, start, end in zip(values, edges, edges[1:], strict=False):
            curve[round(start) : max(round(end), round(start) + 1)] = value
        coming = values[0]
    return slow(curve) * _parted(spoken, len(curve))


def _parted(spoken: Spoken, length: int) -> NDArray[np.float64]:
    """1 where the lips are free, 0 where they are closed."""
    at, free = np.arange(length) / RATE, np.ones(length)
    for start, end in closures(spoken):
        middle, half = (start + end) / 2, (end - start) / 4
        away = np.maximum(np.abs(at - middle) - half, 0.0)
        free = np.minimum(free, np.minimum(away / _CLOSING, 1.0))
    return free


def slow(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """The curve through the lips' low-pass (a Gaussian)."""
    reach = int(4 * _SLOWNESS * RATE)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (_SLOWNESS * RATE)) ** 2)
    return np.convolve(np.pad(curve, reach, mode="edge"), kernel / kernel.sum(), "valid")


def closures(spoken: Spoken) -> list[tuple[float, float]]:
    """When p, b and m are heard."""
    return [(p.start, p.end) for p in spoken.phonemes if p.ipa.strip("ˈˌːʰ̩") in CLOSED]


def wide_vowels(spoken: Spoken) -> list[tuple[float, float]]:
    """When vowels are heard on which nobody's lips touch, and for long enough to be seen."""
    return [
        (p.start, p.end)
        for p in spoken.phonemes
        if p.end - p.start >= _SEEN and any(OPENING.get(c, 0.0) >= _WIDE for c in p.ipa)
    ]
