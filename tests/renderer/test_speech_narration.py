"""From a scene to its narration: engines in their order, pauses, cache, and what goes wrong."""

from __future__ import annotations

import asyncio
import sys
import threading
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avatar_core.backend import Health
from avatar_core.cancel import CancelToken
from avatar_core.errors import AvatarError, Cancelled, Category, InputError
from avatar_core.registry import Registry
from avatar_core.speech import SpeechEngine
from renderer.speech.narration import Narration, NarrationError, Narrator
from renderer.speech.plugin import ENGINES, register_speech_engines
from renderer.speech.sound import RATE
from renderer.store import FileHashes, Store
from support_speech import job, narrator, scene, scripted, tones

DOWN = AvatarError(Category.CONNECTIVITY, "the service is away")


def samples(narration: Narration) -> np.ndarray:
    with wave.open(str(narration.path)) as sound:
        assert sound.getparams()[:3] == (1, 2, RATE)
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2")


def told(narration: Narration) -> list[tuple[str, str | None, bool]]:
    return [(one.engine, one.category, one.skipped) for one in narration.trail]


def test_a_text_becomes_sound_of_exactly_the_stated_length(tmp_path: Path) -> None:
    narration = narrator(tmp_path, scripted("a")).narrate(scene("One two."), job(tmp_path))
    assert narration.seconds == len(samples(narration)) / RATE
    assert [word.text for word in narration.words] == ["One", "two."]
    assert (narration.engine, narration.timing, narration.degraded) == ("a", "exact", False)


def test_a_break_is_exact_silence_between_two_stretches(tmp_path: Path) -> None:
    text = 'One <break time="0.75s"/> two'
    narration = narrator(tmp_path, scripted("a")).narrate(scene(text), job(tmp_path))
    first, second = narration.words
    gap = samples(narration)[round(first.end * RATE) : round(second.start * RATE)]
    assert second.start - first.end == pytest.approx(0.75, abs=0.002)
    assert np.abs(gap[200:-200]).max() == 0


@pytest.mark.parametrize("text", ['<break time="1s"/>One', 'One<break time="1s"/>'])
def test_a_break_at_an_edge_counts(tmp_path: Path, text: str) -> None:
    narration = narrator(tmp_path, scripted("a")).narrate(scene(text), job(tmp_path))
    assert narration.seconds == pytest.approx(1.2, abs=0.01)
    quiet = (
        samples(narration)[100 : RATE - 500]
        if text[0] == "<"
        else samples(narration)[-RATE + 500 :]
    )
    assert np.abs(quiet).max() == 0


def test_the_engine_gets_the_spoken_form_and_captions_the_written_one(tmp_path: Path) -> None:
    engine = scripted("a")
    source = scene(
        'I use <sub alias="see quel">SQL</sub> & K8s 🎉', pronunciations=[("k8s", "kates")]
    )
    narration = narrator(tmp_path, engine).narrate(source, job(tmp_path))
    assert engine.requests[0].text.split() == ["I", "use", "see", "quel", "&", "kates"]
    assert [w.text for w in narration.words] == ["I", "use", "SQL &", "K8s 🎉"]
    assert narration.warnings == ("Emoji are shown in the captions and not spoken.",)


def test_an_engine_without_timing_gets_estimated_words(tmp_path: Path) -> None:
    narration = narrator(tmp_path, scripted("a", timed=False)).narrate(
        scene("One two three."), job(tmp_path)
    )
    assert narration.timing == "estimated"
    assert [w.text for w in narration.words] == ["One", "two", "three."]


def test_long_silence_around_an_engines_sound_is_trimmed(tmp_path: Path) -> None:
    class Slow(scripted("slow", timed=False)):  # type: ignore[misc]
        def speak(self, request: Any, job: Any) -> Any:
            speech = super().speak(request, job)
            tones(speech.path, [(0.0, 0.6), (0.5, 0.9)])
            return speech

    narration = narrator(tmp_path, Slow).narrate(scene("Hello"), job(tmp_path))
    assert narration.seconds == pytest.approx(0.1 + 0.5 + 0.15, abs=0.02)
    assert narration.words[0].start == pytest.approx(0.1, abs=0.02)


def test_an_engine_that_fails_is_followed_by_the_next_one(tmp_path: Path) -> None:
    a, b = scripted("a", failures=[DOWN]), scripted("b")
    narration = narrator(tmp_path, a, b).narrate(scene("Hi", engines=["a", "b"]), job(tmp_path))
    assert narration.engine == "b"
    assert narration.degraded
    assert told(narration) == [("a", "connectivity", False), ("b", None, False)]
    assert narration.trail[0].message == "the service is away"
    assert narration.trail[0].advice


def test_an_engine_nobody_named_helps_out_if_it_stays_on_this_machine(tmp_path: Path) -> None:
    online = scripted("aaa", needs_network=True)
    local = scripted("local")
    narration = narrator(tmp_path, online, local, scripted("named", failures=[DOWN])).narrate(
        scene("Hi", engines=["named"]), job(tmp_path)
    )
    assert narration.engine == "local"
    assert online.requests == [], "a text leaves the machine only if the user named the engine"


def test_a_voice_for_one_language_comes_before_one_for_many(tmp_path: Path) -> None:
    many = scripted("a", languages=frozenset({"en", "vi", "fr"}))
    one = scripted("z", languages=frozenset({"en"}))
    assert narrator(tmp_path, many, one).narrate(scene("Hi"), job(tmp_path)).engine == "z"


def test_without_a_named_engine_nothing_is_degraded(tmp_path: Path) -> None:
    english = scripted("a", languages=frozenset({"en"}))
    narration = narrator(tmp_path, english, scripted("b")).narrate(
        scene("Chào", language="vi-VN"), job(tmp_path)
    )
    assert (narration.engine, narration.degraded) == ("b", False)
    assert told(narration) == [("b", None, False)]


def test_an_engine_that_lacks_the_language_is_skipped_with_the_reason(tmp_path: Path) -> None:
    english = scripted("a", languages=frozenset({"en"}))
    narration = narrator(tmp_path, english, scripted("b")).narrate(
        scene("Chào", engines=["a"], language="vi-VN"), job(tmp_path)
    )
    assert told(narration) == [("a", "unsupported", True), ("b", None, False)]
    assert "does not speak vi-VN" in narration.trail[0].message
    assert narration.degraded


def test_a_voice_id_goes_only_to_the_engine_it_was_chosen_for(tmp_path: Path) -> None:
    a, b = scripted("a", failures=[DOWN]), scripted("b")
    source = scene("Hi", engines=["a", "b"], voice_id="lan")
    narrator(tmp_path, a, b).narrate(source, job(tmp_path))
    assert [request.voice.id for request in (*a.requests, *b.requests)] == ["lan", None]


def test_what_escapes_from_an_engine_is_its_own_bug(tmp_path: Path) -> None:
    broken = scripted("broken", failures=[ZeroDivisionError("oops")])
    narration = narrator(tmp_path, broken, scripted("b")).narrate(
        scene("Hi", engines=["broken"]), job(tmp_path)
    )
    assert narration.trail[0].category == "backend_bug"
    assert "ZeroDivisionError" in narration.trail[0].message


@pytest.mark.parametrize("bug", [RuntimeError("oops"), SystemExit(3)], ids=repr)
@pytest.mark.parametrize("where", ["__init__", "check", "close"])
@pytest.mark.parametrize("named", [True, False])
def test_a_bug_in_an_engine_leaves_the_word_to_the_next(
    tmp_path: Path, bug: BaseException, where: str, named: bool
) -> None:
    def fail(self: Any) -> Any:
        raise bug

    voices = narrator(tmp_path, scripted("broken", **{where: fail}), scripted("b"))
    narration = voices.narrate(scene("Hi", engines=["broken"] if named else ["b"]), job(tmp_path))
    voices.close()
    assert narration.engine == ("broken" if named and where == "close" else "b")


@pytest.mark.parametrize("bug", [asyncio.CancelledError(), SystemExit(3), Cancelled("not here")])
def test_even_an_exit_is_the_engines_own_bug(tmp_path: Path, bug: BaseException) -> None:
    broken = scripted("broken", failures=[bug])
    narration = narrator(tmp_path, broken, scripted("b")).narrate(
        scene("Hi", engines=["broken"]), job(tmp_path)
    )
    assert (narration.engine, narration.trail[0].category) == ("b", "backend_bug")


def test_an_engine_that_delivers_no_sound_is_bad_output(tmp_path: Path) -> None:
    class Mute(scripted("mute")):  # type: ignore[misc]
        def speak(self, request: Any, job: Any) -> Any:
            speech = super().speak(request, job)
            speech.path.write_text("no sound")
            return speech

    narration = narrator(tmp_path, Mute, scripted("b")).narrate(
        scene("Hi", engines=["mute"]), job(tmp_path)
    )
    assert narration.trail[0].category == "bad_output"


def test_if_every_engine_fails_the_error_tells_of_each(tmp_path: Path) -> None:
    a = scripted("a", failures=[DOWN])
    b = scripted("b", failures=[AvatarError(Category.RATE_LIMIT, "wait", retry_after=9.0)])
    with pytest.raises(NarrationError) as caught:
        narrator(tmp_path, a, b).narrate(scene("Hi", engines=["a", "b"]), job(tmp_path))
    assert "the service is away" in caught.value.message
    assert [one.category for one in caught.value.trail] == ["connectivity", "rate_limit"]
    assert caught.value.retry_after == 9.0


def test_a_missing_engine_for_the_language_names_what_to_install(tmp_path: Path) -> None:
    absent = scripted(
        "absent",
        languages=frozenset({"vi"}),
        health=Health(False, "It is not installed.", 'pip install "avatar-core[espeak]"'),
    )
    english = scripted("english", languages=frozenset({"en"}))
    with pytest.raises(InputError) as caught:
        narrator(tmp_path, absent, english).narrate(
            scene("Chào", engines=["english"], language="vi-VN"), job(tmp_path)
        )
    assert "vi-VN" in caught.value.message
    assert caught.value.advice == 'pip install "avatar-core[espeak]"'
    assert (caught.value.line, caught.value.key) == (12, "scenes[2].text")


@pytest.mark.parametrize("text", ["🎉🎉🎉", "...", "  ", '<break time="1s"/>', "👩‍👩‍👧 👍🏽 ❤️"])
def test_a_text_without_words_is_the_users_mistake(tmp_path: Path, text: str) -> None:
    engine = scripted("a")
    with pytest.raises(InputError, match="nothing to speak") as caught:
        narrator(tmp_path, engine).narrate(scene(text), job(tmp_path))
    assert "duration" in (caught.value.advice or "")
    assert engine.requests == []


def test_a_text_no_engine_can_say_is_the_users_mistake(tmp_path: Path) -> None:
    refusal = AvatarError(Category.INVALID_INPUT, "cannot say this")
    with pytest.raises(InputError, match="cannot say this"):
        narrator(tmp_path, scripted("a", failures=[refusal])).narrate(scene("你好"), job(tmp_path))


def test_malformed_markup_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        narrator(tmp_path, scripted("a")).narrate(scene("<brake/>Hi"), job(tmp_path))
    assert caught.value.line == 12


def test_the_same_scene_is_spoken_once(tmp_path: Path) -> None:
    engine = scripted("a")
    first = narrator(tmp_path, engine).narrate(scene("Hi"), job(tmp_path))
    second = narrator(tmp_path, engine).narrate(scene("Hi"), job(tmp_path))
    assert len(engine.requests) == 1
    assert (first.path, first.words, first.seconds) == (second.path, second.words, second.seconds)
    assert [one.cached for one in (*first.trail, *second.trail)] == [False, True]


CHANGES: list[Callable[[], dict[str, Any]]] = [
    lambda: {"text": "Ho"},
    lambda: {"text": "Hi", "voice_id": "lan"},
    lambda: {"text": "Hi", "language": "en-GB"},
    lambda: {"text": "Hi", "pronunciations": [("hi", "hee")]},
    lambda: {"text": 'Hi<break time="1s"/>'},
]


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_the_sound_is_spoken_again(
    tmp_path: Path, change: Callable[[], dict[str, Any]]
) -> None:
    engine = scripted("a")
    narrator(tmp_path, engine).narrate(scene("Hi"), job(tmp_path))
    narrator(tmp_path, engine).narrate(scene(**change()), job(tmp_path))
    assert len(engine.requests) == 2


def test_another_revision_of_an_engine_speaks_again(tmp_path: Path) -> None:
    narrator(tmp_path, scripted("a", revision="1")).narrate(scene("Hi"), job(tmp_path))
    newer = scripted("a", revision="2")
    narrator(tmp_path, newer).narrate(scene("Hi"), job(tmp_path))
    assert len(newer.requests) == 1


def test_a_replacement_does_not_count_as_the_first_choice(tmp_path: Path) -> None:
    a, b = scripted("a", failures=[DOWN, DOWN]), scripted("b")
    source = scene("Hi", engines=["a", "b"])
    engines = [narrator(tmp_path, a, b).narrate(source, job(tmp_path)) for _ in range(3)]
    assert [one.engine for one in engines] == ["b", "b", "a"]
    assert len(b.requests) == 1, "kept, and used again"


def test_threads_that_want_the_same_narration_make_it_once(tmp_path: Path) -> None:
    engine = scripted("a")
    shared = narrator(tmp_path, engine)
    paths: list[Path] = []
    threads = [
        threading.Thread(
            target=lambda: paths.append(shared.narrate(scene("Hi"), job(tmp_path)).path)
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 4
    assert len(set(paths)) == 1
    assert len(engine.requests) == 1


def test_cancelling_goes_through_and_asks_no_further_engine(tmp_path: Path) -> None:
    token, b = CancelToken(), scripted("b")

    class KilledWithTheRender(scripted("a")):  # type: ignore[misc]
        def speak(self, request: Any, job: Any) -> Any:
            token.cancel()
            raise AvatarError(Category.BACKEND_BUG, "its process was killed")

    with pytest.raises(Cancelled):
        narrator(tmp_path, KilledWithTheRender, b).narrate(
            scene("Hi", engines=["a", "b"]), job(tmp_path, cancel=token)
        )
    assert b.requests == []
    assert not list((tmp_path / "store").rglob("*.wav"))


def test_a_scene_of_a_given_length_is_silent(tmp_path: Path) -> None:
    narration = narrator(tmp_path).narrate(scene(duration=2.5), job(tmp_path))
    assert narration.seconds == 2.5
    assert not samples(narration).any()
    assert (narration.engine, narration.words, narration.trail) == (None, (), ())


def test_a_recording_is_kept_at_its_full_length(tmp_path: Path) -> None:
    audio = tones(tmp_path / "guest.wav", [(0.0, 0.5), (1.0, 0.5)])
    narration = narrator(tmp_path).narrate(scene(audio=audio), job(tmp_path))
    assert narration.seconds == 2.0
    assert (narration.engine, narration.words, narration.timing) == ("file", (), "estimated")


def test_the_text_of_a_recording_becomes_its_captions(tmp_path: Path) -> None:
    audio = tones(tmp_path / "guest.wav", [(1.0, 0.5), (1.0, 0.0)])
    narration = narrator(tmp_path).narrate(
        scene("One two. Three four!", audio=audio), job(tmp_path)
    )
    assert [w.text for w in narration.words] == ["One", "two.", "Three", "four!"]
    assert narration.words[1].end == pytest.approx(1.0, abs=0.03)
    assert narration.words[2].start == pytest.approx(1.5, abs=0.03)


def test_a_recording_that_changes_is_read_again(tmp_path: Path) -> None:
    audio = tones(tmp_path / "guest.wav", [(1.0, 0.0)])
    assert narrator(tmp_path).narrate(scene(audio=audio), job(tmp_path)).seconds == 1.0
    tones(audio, [(2.0, 0.0)])
    assert narrator(tmp_path).narrate(scene(audio=audio), job(tmp_path)).seconds == 2.0


def test_a_missing_recording_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        narrator(tmp_path).narrate(scene(audio=tmp_path / "no.wav"), job(tmp_path))


def test_an_unknown_engine_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no speech engine"):
        narrator(tmp_path, scripted("a")).narrate(scene("Hi", engines=["b"]), job(tmp_path))


def built_in(folder: Path) -> Narrator:
    registry: Registry[SpeechEngine] = Registry("speech engine", SpeechEngine)  # type: ignore[type-abstract]
    register_speech_engines(registry.register)
    return Narrator(registry, Store(folder / "store"), FileHashes())


def test_the_built_in_english_voice_narrates_with_phonemes(tmp_path: Path) -> None:
    text = 'It costs $39.50, <break time="0.5s"/> says Dr. Lee.'
    narration = built_in(tmp_path).narrate(scene(text), job(tmp_path))
    assert (narration.engine, narration.timing) == ("hibari", "exact")
    assert [w.text for w in narration.words] == ["It", "costs", "$39.50,", "says", "Dr.", "Lee."]
    assert narration.phonemes[0].start == pytest.approx(narration.words[0].start, abs=1e-3)
    assert narration.phonemes[-1].end <= narration.seconds


def test_ten_thousand_letters_are_narrated_whole_and_in_order(tmp_path: Path) -> None:
    text = ("The quick brown fox paid 5 dollars, and then it slept. " * 190)[:10_000].strip()
    narration = built_in(tmp_path).narrate(scene(text), job(tmp_path))
    assert [w.text for w in narration.words] == text.split()
    assert all(a.end <= b.start for a, b in zip(narration.words, narration.words[1:], strict=False))
    assert narration.words[-1].end <= narration.seconds


def test_registering_the_engines_loads_none_of_them() -> None:
    import subprocess

    code = (
        "import sys; import renderer.speech.plugin as p; seen = []\n"
        "p.register_speech_engines(lambda name, target, summary: seen.append(name))\n"
        "heavy = {'numpy', 'av', 'onnxruntime', 'hibari', 'requests', 'gtts', 'edge_tts'}\n"
        "print(sorted(seen), sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{sorted(ENGINES)} []"


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_every_registered_engine_can_be_loaded_and_checked(name: str) -> None:
    registry: Registry[SpeechEngine] = Registry("speech engine", SpeechEngine)  # type: ignore[type-abstract]
    register_speech_engines(registry.register)
    engine = registry.load(name)()
    assert engine.name == name
    assert engine.check().message
