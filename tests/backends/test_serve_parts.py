"""The server's small parts: what is scrubbed, the kept token, the GPU, the tables."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import support_serve
from avatar_core.errors import Category, InputError
from avatar_core.testing import VirtualClock
from backends.colab.server.access import Token, forget_token, kept_token
from backends.colab.server.bench import Bench
from backends.colab.server.gpu import Gpus
from backends.colab.server.limits import Limits
from backends.colab.server.ngrok_errors import COMPLAINTS
from backends.colab.server.refusals import KINDS, Refusal
from backends.colab.server.scrubbing import Scrubber
from backends.colab.server.serving import ServeOptions, Serving, limits_from
from backends.sadtalker.gpu import Gpu
from backends.sadtalker.runner import EngineRunner
from backends.sadtalker.sadtalker import SADTALKER
from support_house import read
from support_sadtalker import install
from support_serve import PAINT, Client, Painter

HIDDEN = "ghost-value-of-a-key"
SCRUBBER = Scrubber(
    {Path("/content/SadTalker"): "<engine>", Path("/content/jobs"): "<jobs>"},
    {"HF_TOKEN": HIDDEN, "MY_API_KEY": "another-hidden-value", "EDITOR": "not-hidden-value"},
)


@pytest.mark.parametrize("line, wanted", [
    ('File "/content/SadTalker/src/x.py", line 3', 'File "<engine>/src/x.py", line 3'),
    ("wrote /content/jobs/1/out.mp4", "wrote <jobs>/1/out.mp4"),
    (f"got {HIDDEN} and another-hidden-value", "got ********** and **********"),
    ("not-hidden-value", "not-hidden-value"),
    (f"File /{'home'}/lan/x.py", "File ~/x.py"),
    (f"File /{'Users'}/lan/x.py and /root/y", "File ~/x.py and ~/y"),
    (r"File C:\Users\Lan\x.py", r"File ~\x.py"),
    ("GET https://lan:pass@host/a", "GET https://**********@host/a"),
    ("GET https://host/a?sig=abc&x=1 done", "GET https://host/a?********** done"),
    ("HF_TOKEN=abcdef rest", "HF_TOKEN=********** rest"),
    ("Authorization: Bearer abc.def rest", "Authorization: ********** rest"),
    ("api_key: abc, rest", "api_key: **********, rest"),
    ("tokenizer = BERT", "tokenizer = BERT"),
    ("\x1b[31mred\x1b[0m\x00", "[31mred[0m"),
])  # fmt: skip
def test_a_log_leaves_without_what_is_the_owner_s(line: str, wanted: str) -> None:
    assert SCRUBBER.clean(line) == wanted


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_surroundings_let_a_secret_through(before: str, after: str) -> None:
    assert HIDDEN not in SCRUBBER.clean(before + HIDDEN + after)


def test_a_line_without_end_is_cut() -> None:
    assert len(SCRUBBER.clean("x" * 1_000_000)) <= 2000


def test_the_kept_token_stays_until_it_is_forgotten(tmp_path: Path) -> None:
    first = kept_token(tmp_path).reveal()
    assert kept_token(tmp_path).reveal() == first
    assert len(first) >= 32
    if os.name == "posix":
        assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    forget_token(tmp_path)
    assert kept_token(tmp_path).reveal() != first


@pytest.mark.parametrize("damage", ["", "short", "has space in it, long enough", "\xff" * 40])
def test_a_damaged_token_file_is_replaced(tmp_path: Path, damage: str) -> None:
    (tmp_path / "token").write_text(damage, encoding="latin-1")
    assert len(kept_token(tmp_path).reveal()) >= 32


@pytest.mark.parametrize("text", ["", "short", "x" * 201, "with@an-at-sign-in-it", "ü" * 20,
                                  "with:a-colon-in-it", "with\nnew-line-inside"])  # fmt: skip
def test_a_token_that_could_not_stand_in_an_address_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="16 to 200"):
        Token(text)


def test_the_gpu_is_not_asked_at_every_request() -> None:
    clock, asked = VirtualClock(), []

    def look() -> tuple[Gpu, ...]:
        asked.append(clock())
        return (Gpu("Tesla T4", 15360, 15000),)

    gpus = Gpus(look, clock)
    for _ in range(10):
        assert gpus.first() == Gpu("Tesla T4", 15360, 15000)
        clock.advance(1)
    assert asked == [0, 5]


def test_every_refusal_has_a_next_step_and_is_in_the_documentation() -> None:
    page = read("docs/serve.md")
    for code, kind in KINDS.items():
        assert Refusal(code).body()["error"]["category"] in {c.value for c in Category}
        assert kind.message.endswith(".")
        assert kind.advice.endswith(".") or "See: avatar docs " in kind.advice
        assert f"| `{code}` | {kind.status} |" in page, code


def test_every_limit_is_in_the_documentation_with_its_default() -> None:
    page, limits = read("docs/serve.md"), Limits()
    assert f"{limits.image_bytes >> 20} MB" in page
    assert f"{limits.audio_bytes >> 20} MB" in page
    assert f"{limits.audio_seconds / 60:g} minutes" in page
    assert f"| {limits.waiting} jobs" in page
    assert limits.body_bytes < 100_000_000


def test_every_section_that_ngrok_s_advice_names_exists() -> None:
    titles = re.findall(r"^#+ (.+)$", read("docs/colab.md"), flags=re.M)
    sections = {title.lower().replace(" ", "-") for title in titles}
    named = {m for c in COMPLAINTS.values() for m in re.findall(r"docs colab#([\w-]+)", c.advice)}
    assert named
    assert named <= sections


def test_every_option_of_avatar_serve_is_in_the_documentation() -> None:
    import inspect

    from backends.colab.server.commands import serve

    options = {f"`--{name.replace('_', '-')}`" for name in inspect.signature(serve).parameters}
    page = read("docs/command-line.md").partition("## avatar serve")[2].partition("\n## ")[0]
    assert [option for option in options if option not in page] == []


def test_limits_are_the_defaults_where_nothing_is_wished() -> None:
    assert limits_from({"waiting": None}) == Limits()
    assert limits_from({"waiting": 3}).waiting == 3


class Broken:
    """A tunnel that breaks as often as it is told, and then opens at ``addresses``."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = list(addresses)
        self.closed = 0

    def open(self, port: int) -> str:
        assert port
        if not self._addresses:
            raise InputError("It cannot be opened.", advice="Do something.")
        return self._addresses.pop(0)

    def alive(self) -> bool:
        return not self._addresses

    def close(self) -> None:
        self.closed += 1


def serving_with(tmp_path: Path, tunnel: Broken, told: list[str]) -> Serving:
    options = ServeOptions(root=install(tmp_path / "SadTalker"), port=0, folder=tmp_path / "jobs")
    return Serving(options, told.append, tunnel)


def test_a_tunnel_that_cannot_be_opened_leaves_nothing_running(tmp_path: Path) -> None:
    told: list[str] = []
    tunnel = Broken()
    serving = serving_with(tmp_path, tunnel, told)
    with pytest.raises(InputError, match="cannot be opened"):
        serving.start()
    assert tunnel.closed
    # The folder and the port are free again.
    again = serving_with(tmp_path, Broken("https://a.example"), told)
    assert again.start().startswith("https://avatar:")
    again.stop()


def test_a_server_whose_terminal_was_closed_goes_on(tmp_path: Path) -> None:
    def gone(line: str) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    root = install(tmp_path / "SadTalker")
    options = ServeOptions(root=root, port=0, folder=tmp_path / "jobs", without_gpu=True)
    serving = Serving(options, gone, Broken("https://a.example"))
    serving.start()
    try:
        client = Client(f"http://127.0.0.1:{serving.port}", token=serving.token.reveal())
        job = client.submit().json()["id"]
        assert client.ended(job)["state"] == "done"
        assert client("GET", "/health").json()["ready"] is True
    finally:
        serving.stop()


def test_an_order_that_only_an_earlier_server_took_fails_with_the_reason(tmp_path: Path) -> None:
    painter = Painter(tmp_path, go=lambda: False)
    with support_serve.serving(tmp_path, painter) as running:
        job = running.client.submit().json()["id"]
        painter.begun.acquire()
    other = Painter(tmp_path, engine=replace(PAINT, name="another"))
    with support_serve.serving(tmp_path, other, runners={"another": other}) as running:
        told = running.client.ended(job)
        assert told["error"]["code"] == "unknown_engine"
        assert "another" in told["error"]["message"]


def test_an_engine_without_the_weights_of_its_extras_is_ready_for_the_usual(tmp_path: Path) -> None:
    root = install(tmp_path / "SadTalker")
    (root / "gfpgan/weights/GFPGANv1.4.pth").unlink()
    bench = Bench({"sadtalker": EngineRunner(SADTALKER, root)}, without_gpu=True)
    ready = bench.readiness("sadtalker")
    assert ready.problem is None and any("GFPGANv1.4" in one for one in ready.missing)
    bench.require_ready("sadtalker", SADTALKER.Options())
    with pytest.raises(Refusal, match=r"GFPGANv1\.4"):
        bench.require_ready("sadtalker", SADTALKER.Options(enhancer="gfpgan"))
