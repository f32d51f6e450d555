"""Stand-ins for ngrok's and cloudflared's programs: they print, serve and end as those do."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

_HEAD = f"#!{sys.executable}\n"
# What the agent prints on starting, as key=value; pyngrok reads it line by line.
_NGROK = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

here = Path(__file__).parent
(here / "argv.json").write_text(json.dumps(sys.argv[1:]))
error = (here / "error").read_text() if (here / "error").exists() else ""
refusal = (here / "refusal").read_text() if (here / "refusal").exists() else ""
if "config" in sys.argv:
    sys.exit(0)

def say(lvl, msg, **more):
    fields = " ".join(f'{k}="{v}"' for k, v in more.items())
    print(f't=2026-11-22T10:00:00+0000 lvl={lvl} msg="{msg}" {fields}', flush=True)

if error:
    say("eror", "failed to auth", err=error)
    sys.exit(1)

class Api(BaseHTTPRequestHandler):
    def log_message(self, *what):
        pass

    def answer(self, status, told):
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200, {"endpoints": []})

    def do_POST(self):
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        (here / "asked.json").write_text(json.dumps(told))
        if refusal:
            self.answer(502, {"error_code": 103, "msg": "failed", "details": {"err": refusal}})
            return
        url = told.get("url") or "https://a-name.ngrok-free.dev"
        self.answer(201, {"name": told["name"], "url": url, "upstream": told["upstream"]})

    def do_DELETE(self):
        (here / "deleted").touch()
        self.send_response(204)
        self.end_headers()

server = HTTPServer(("127.0.0.1", 0), Api)
(here / "pid").write_text(str(os.getpid()))
say("info", "starting web service", obj="web", addr=f"127.0.0.1:{server.server_port}")
say("info", "client session established", obj="csess")
say("info", "tunnel session started", obj="tunnels.session")
server.serve_forever()
"""
_CLOUDFLARED = """
import json, os, subprocess, sys, time
from pathlib import Path

here = Path(__file__).parent
(here / "argv.json").write_text(json.dumps(sys.argv[1:]))
does = (here / "does").read_text()
count = len(list(here.glob("start-*")))
(here / f"start-{count}").write_text(str(os.getpid()))

def say(text):
    print(f"2026-11-22T10:00:00Z INF {text}", file=sys.stderr, flush=True)

say("Thank you for trying Cloudflare Tunnel.")
say("Requesting new quick Tunnel on trycloudflare.com...")
if does == "refuse":
    print("failed to request quick Tunnel: Post \\"https://api.trycloudflare.com/tunnel\\": "
          "dial tcp", file=sys.stderr)
    sys.exit(1)
if does == "silence":
    time.sleep(600)
if does == "leave a child" and count:
    (here / "second").touch()
    while not (here / "left").exists():
        time.sleep(0.01)
    time.sleep(0.2)
say("|  Your quick Tunnel has been created! Visit it at (it may take some time):  |")
say(f"|  https://{'second' if count else 'four-quick-brown'}-words.trycloudflare.com  |")
if does == "flood":
    for _ in range(20_000):
        say("x" * 100)
    (here / "flooded").touch()
if does == "leave a child" and not count:
    code = ("import sys, time; from pathlib import Path\\nwhile not Path(sys.argv[1]).exists():"
            " time.sleep(0.01)\\nPath(sys.argv[2]).touch()")
    subprocess.Popen([sys.executable, "-c", code, str(here / "second"), str(here / "left")])
if does in ("break", "leave a child") and not count:
    sys.exit(1)
time.sleep(600)
"""


def ngrok(folder: Path, *, error: str = "", refusal: str = "") -> Path:
    """A stand-in in ``folder``: ``error`` is what it says and ends by on starting, ``refusal``
    what its API says to a wish for a tunnel. It leaves ``argv.json`` and ``asked.json``."""
    for name, text in (("error", error), ("refusal", refusal)):
        if text:
            (folder / name).write_text(text)
    return _program(folder / "ngrok", _NGROK)


def cloudflared(folder: Path, does: str = "work") -> Path:
    """A stand-in in ``folder`` that does ``work``, ``refuse``, ``silence``, ``flood`` or
    ``break`` (its first run ends at once). It leaves ``argv.json``."""
    (folder / "does").write_text(does)
    return _program(folder / "cloudflared", _CLOUDFLARED)


def _program(path: Path, code: str) -> Path:
    path.write_text(_HEAD + dedent(code), encoding="utf-8")
    path.chmod(0o755)
    return path
