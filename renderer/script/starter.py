"""The script that `avatar init` writes: short, complete, ready to be rendered and changed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from avatar_core.errors import InputError
from renderer.script.fields import LANGUAGE


@dataclass(frozen=True, slots=True)
class _Words:
    title: str
    speaker: str
    hello: str
    change: str
    goodbye: str
    overlay: str


_ENGLISH = _Words(
    title="My first film",
    speaker="anna",
    hello="Hello! I am your presenter, and this film was made from a short text.",
    change='Every scene has its own words, <break time="0.3s"/> its own background and its layout.',
    goodbye="Change this script, render again, and only what changed is made anew.",
    overlay="Now it is your turn",
)
_VIETNAMESE = _Words(
    title="Phim đầu tiên của tôi",
    speaker="lan",
    hello="Xin chào! Tôi là người dẫn của bạn, và phim này được làm từ một đoạn văn ngắn.",
    change='Mỗi cảnh có lời riêng, <break time="0.3s"/> phông nền riêng và cách trình bày riêng.',
    goodbye="Hãy sửa kịch bản này rồi dựng lại, chỉ những gì thay đổi mới được làm lại.",
    overlay="Bây giờ đến lượt bạn",
)
_TEXTS = {"en": _ENGLISH, "vi": _VIETNAMESE}
_SCRIPT = """\
# yaml-language-server: $schema=./avatar.schema.json
version: "1"
title: "{words.title}"
language: {language}
output: {{preset: shorts, path: film.mp4}}

speakers:
  {words.speaker}:
    portrait: {portrait}     # a picture of the face: put yours in its place
    avatar: {{layout: circle, scale: 0.38}}

scenes:
  - id: hello
    speaker: {words.speaker}
    text: "{words.hello}"
    avatar: {{layout: full}}

  - id: change
    speaker: {words.speaker}
    text: '{words.change}'
    background: "#1b4332"

  - id: goodbye
    speaker: {words.speaker}
    text: "{words.goodbye}"
    background: "#3a0ca3"
    transition: {{type: fade, duration: 0.4}}

  - id: turn
    duration: 2
    background: "#16202b"
    captions: false
    overlays:
      - {{type: text, text: "{words.overlay}", position: center}}
"""


PORTRAIT = "presenter.png"


def starter_script(language: str = "en-US") -> str:
    """A script in YAML; its first line lets an editor complete keys from the schema beside it.

    ``language`` is BCP-47. The texts are English where there are none in that language. The
    speaker's face is a picture `PORTRAIT` beside the script. Raises `InputError` for what is no
    language.
    """
    if not re.match(LANGUAGE, language):
        raise InputError(
            f"{language[:40]!r} is not a language.", advice="Write it as en-US or vi-VN."
        )
    words = _TEXTS.get(language.split("-")[0].lower(), _ENGLISH)
    return _SCRIPT.format(words=words, language=language, portrait=PORTRAIT)
