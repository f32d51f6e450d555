"""espeak-ng in a process of its own: one text in, one WAV file and its events out.

The library is GPL and can end its process, so it is never loaded into the renderer; this file
is run by its path and imports nothing but the standard library. It reads one line of JSON from
its input (see `Order`), and ends when that input is closed, so it never outlives its parent.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import threading
import wave
from pathlib import Path
from typing import Any, TypedDict

# Values of espeak-ng's speak_lib.h, version 1.52.
_SYNCHRONOUS = 2
_PHONEME_EVENTS_IN_IPA = 0x0001 | 0x0002
# Without it a wrong data folder ends the process instead of giving an error.
_DO_NOT_EXIT = 0x8000
_UTF8 = 1
_RATE, _PITCH = 1, 3
_END_OF_LIST, _WORD, _PHONEME = 0, 1, 7
FAILED = 3


class Order(TypedDict):
    """``rate`` is words a minute, ``pitch`` 0-100; ``sound`` and ``events`` are files to write.

    ``events`` becomes {"rate": Hz, "events": [[type, position, sample, ipa], ...]}; type 1 is a
    word, 7 a phoneme; position counts characters from 1.
    """

    library: str
    data: str
    voice: str
    text: str
    rate: int
    pitch: int
    sound: str
    events: str


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class EspeakFailure(Exception):
    """espeak refused; the message says what."""


def speak(order: Order) -> None:
    """Carry out ``order``; raises `EspeakFailure`."""
    data = Path(order["data"])
    # The library takes paths of up to about 160 characters; "." is always short enough.
    os.chdir(data.parent)
    library = ctypes.CDLL(order["library"])
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, b".", _PHONEME_EVENTS_IN_IPA | _DO_NOT_EXIT)
    if rate <= 0:
        raise EspeakFailure("its data folder is missing or damaged")
    if library.espeak_SetVoiceByName(order["voice"].encode()) != 0:
        raise EspeakFailure(f"it has no voice {order['voice']}")
    library.espeak_SetParameter(_RATE, order["rate"], 0)
    library.espeak_SetParameter(_PITCH, order["pitch"], 0)
    with wave.open(order["sound"], "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        events = _synthesize(library, order["text"], sound)
    Path(order["events"]).write_text(json.dumps({"rate": rate, "events": events}), "utf-8")


def _synthesize(library: ctypes.CDLL, text: str, sound: wave.Wave_write) -> list[list[Any]]:
    events: list[list[Any]] = []

    def receive(samples: Any, count: int, batch: Any) -> int:
        if count > 0:
            sound.writeframesraw(ctypes.string_at(samples, 2 * count))
        events.extend(_read(batch))
        return 0

    callback = _Callback(receive)
    library.espeak_SetSynthCallback(callback)
    raw = text.encode("utf-8", "replace")
    status = library.espeak_Synth(raw, len(raw) + 1, 0, 1, 0, _UTF8, None, None)
    if status != 0 or library.espeak_Synchronize() != 0:
        raise EspeakFailure(f"it ended with status {status}")
    return events


def _read(batch: Any) -> list[list[Any]]:
    found = []
    for event in batch:
        if event.type == _END_OF_LIST:
            break
        if event.type in (_WORD, _PHONEME):
            raw = bytes(event.id.string) if event.type == _PHONEME else b""
            ipa = raw.split(b"\0")[0].decode("utf-8", "ignore")
            found.append([event.type, event.text_position, event.sample, ipa])
    return found


def _read_order() -> Order:
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(0, 65_536)
        if not chunk:
            raise EspeakFailure("it got no order")
        line += chunk
    order: Order = json.loads(line)
    return order


def _end_with_parent() -> None:
    # The parent writes nothing more: its input ends when the parent does.
    while os.read(0, 1):
        pass
    os._exit(FAILED)


def main() -> int:
    try:
        order = _read_order()
        threading.Thread(target=_end_with_parent, daemon=True).start()
        speak(order)
    except (EspeakFailure, OSError, ValueError, KeyError) as failure:
        print(failure, file=sys.stderr)
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
