"""Plugins as they come from the outside: sound ones work, broken ones are named and harm nobody."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from avatar_core.errors import InputError
from avatar_core.events import EventBus, Warned
from avatar_core.plugins import Plugins, load_plugins
from support_plugins import entry_points_of, install, python

SOUND = """
    from avatar_core import hookimpl

    @hookimpl
    def register_avatar_backends(register):
        register("{name}", "nowhere.at_all:Backend", summary="a summary")
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A folder of installed packages that this process can import from."""
    folder = tmp_path / "site"
    folder.mkdir()
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def load(site: Path, *, only: str = "", bus: EventBus | None = None) -> Plugins:
    return load_plugins(bus, only=only, entry_points=lambda: entry_points_of(site))


def test_the_built_ins_come_through_the_same_door() -> None:
    plugins = load_plugins(only="static")
    assert [(p.name, p.builtin) for p in plugins.loaded] == [("static", True)]
    assert plugins.backends.names() == ("static",)


def test_a_third_party_plugin_registers_its_backend_with_its_owner(site: Path) -> None:
    install(site, "acme-avatar", SOUND.format(name="acme"), plugin="acme")
    plugins = load(site)
    (described,) = plugins.backends.describe()
    assert (described.name, described.summary) == ("acme", "a summary")
    assert str(described.owner) == "acme-avatar (plugin acme)"
    assert [(p.name, p.version, p.builtin) for p in plugins.loaded] == [("acme", "1.0", False)]


BROKEN = {
    "import error": ("import no_such_package_anywhere", "no_such_package_anywhere"),
    "syntax error": ("def broken(:", "SyntaxError"),
    "exit at import": ("raise SystemExit(3)", "exit (status 3)"),
    "any error at import": ("1 / 0", "ZeroDivisionError"),
    "an exit of its own kind": ("class Skip(BaseException): ...\nraise Skip('not here')", "Skip"),
    "no hook at all": ("x = 1", "implements no hook"),
    "unmarked hook": ("def register_avatar_backends(register): ...", "hookimpl"),
    "misspelled hook": (
        "from avatar_core import hookimpl\n@hookimpl\ndef register_avatar_backend(register): ...",
        "did you mean register_avatar_backends?",
    ),
    "wrong argument": (
        "from avatar_core import hookimpl\n@hookimpl\ndef register_avatar_backends(registry): ...",
        "registry",
    ),
    "hook that raises": (
        "from avatar_core import hookimpl\n@hookimpl\n"
        "def register_avatar_backends(register): raise RuntimeError('no luck')",
        "no luck",
    ),
    "hook that exits": (
        "from avatar_core import hookimpl\n@hookimpl\n"
        "def register_speech_engines(register): raise SystemExit",
        "exit",
    ),
    "bad name": (
        "from avatar_core import hookimpl\n@hookimpl\n"
        "def register_avatar_backends(register): register('Not A Name', 'a:B')",
        "Not A Name",
    ),
    "bad target": (
        "from avatar_core import hookimpl\n@hookimpl\n"
        "def register_avatar_backends(register): register('fine', 'no colon')",
        "module:Class",
    ),
    "same name twice": (
        "from avatar_core import hookimpl\n@hookimpl\n"
        "def register_avatar_backends(register): register('a', 'a:B'); register('a', 'a:C')",
        "twice",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_listed_with_its_reason_and_the_others_work(
    site: Path, case: str
) -> None:
    source, reason = BROKEN[case]
    install(site, "broken-one", source)
    install(site, "sound-one", SOUND.format(name="sound"))
    plugins = load(site)
    assert [p.distribution for p in plugins.loaded] == ["sound-one"]
    (failed,) = plugins.failed
    assert failed.distribution == "broken-one"
    assert reason in failed.reason
    assert "\n" not in failed.reason
    assert plugins.backends.names() == ("sound",)


def test_a_plugin_that_fails_half_way_registers_nothing(site: Path) -> None:
    install(
        site,
        "half-way",
        """
        from avatar_core import hookimpl

        @hookimpl
        def register_avatar_backends(register):
            register("half", "a:B")

        @hookimpl
        def register_speech_engines(register):
            raise RuntimeError("later")
        """,
    )
    plugins = load(site)
    assert plugins.backends.names() == ()
    assert len(plugins.failed) == 1


@pytest.mark.parametrize("name", ["contested", "static"])
def test_two_owners_of_one_name_are_both_named_and_the_rest_works(site: Path, name: str) -> None:
    install(site, "first-owner", SOUND.format(name=name))
    install(site, "second-owner", SOUND.format(name=name))
    install(site, "bystander", SOUND.format(name="calm"))
    plugins = load(site)
    with pytest.raises(InputError) as caught:
        plugins.backends.load(name)
    assert "first-owner" in str(caught.value)
    assert "second-owner" in str(caught.value)
    assert plugins.failed == []
    conflicts = {d.name: d.conflict for d in plugins.backends.describe()}
    assert conflicts["calm"] is None
    assert "second-owner" in (conflicts[name] or "")


def test_a_third_party_cannot_take_a_built_in_name_in_silence(site: Path) -> None:
    install(site, "usurper", SOUND.format(name="static"))
    own = importlib.metadata.entry_points(group="avatar_core", name="static")
    plugins = load_plugins(only="", entry_points=lambda: [*own, *entry_points_of(site)])
    with pytest.raises(InputError, match=r"avatar-core \(plugin static\).*usurper"):
        plugins.backends.load("static")


def test_only_the_plugins_that_were_asked_for_are_even_imported(site: Path) -> None:
    install(site, "wanted", SOUND.format(name="wanted"))
    unwanted = install(site, "unwanted", "raise RuntimeError")
    plugins = load(site, only=" wanted ,")
    assert plugins.backends.names() == ("wanted",)
    assert (plugins.failed, plugins.complete) == ([], False)
    assert unwanted not in sys.modules


def test_a_name_that_is_asked_for_but_not_installed_is_said_with_the_nearest(site: Path) -> None:
    install(site, "wanted", SOUND.format(name="wanted"))
    plugins = load(site, only="wantd,wanted")
    (failed,) = plugins.failed
    assert (failed.name, failed.distribution) == ("wantd", None)
    assert "Did you mean 'wanted'?" in failed.reason
    assert plugins.backends.names() == ("wanted",)


LISTENER = """
    from avatar_core import hookimpl

    heard = []

    @hookimpl
    def on_event(event):
        heard.append(event)
        {then}
"""


@pytest.mark.parametrize(
    "then", ["raise RuntimeError('deaf')", "raise SystemExit(1)", "raise GeneratorExit"]
)
def test_a_plugin_that_fails_on_an_event_is_listed_once_and_the_others_hear_all(
    site: Path, then: str
) -> None:
    deaf = install(site, "deaf-one", LISTENER.format(then=then))
    good = install(site, "good-one", LISTENER.format(then=""))
    bus = EventBus()
    plugins = load(site, bus=bus)
    events = [Warned(message="one"), Warned(message="two")]
    for event in events:
        bus.emit(event)
    told = [event for event in sys.modules[good].heard if event not in events]
    assert [event for event in sys.modules[good].heard if event in events] == events
    assert ["on_event" in event.message for event in told] == [True]
    assert sys.modules[deaf].heard == events[:1]
    (failed,) = plugins.failed
    assert (failed.distribution, "on_event" in failed.reason) == ("deaf-one", True)


def test_a_failure_is_a_warning_on_the_bus(site: Path) -> None:
    install(site, "broken-one", "raise RuntimeError('no luck')")
    heard: list[object] = []
    load(site, bus=EventBus(heard.append))
    (warning,) = heard
    assert isinstance(warning, Warned)
    assert "no luck" in warning.message


COMMAND = """
    from avatar_core import hookimpl

    @hookimpl
    def register_commands(cli):
        @cli.command(name={name!r})
        def added({parameters}):
            print("hello")
"""


def application() -> typer.Typer:
    cli = typer.Typer()
    for name in ("render", "doctor"):
        cli.command(name=name)(lambda: None)
    return cli


def command_names(cli: typer.Typer) -> list[str | None]:
    typer.main.get_command(cli)
    return [info.name for info in cli.registered_commands]


def test_a_plugin_adds_a_command(site: Path) -> None:
    install(site, "extra-command", COMMAND.format(name="extra", parameters=""))
    cli = application()
    load(site).add_commands(cli)
    assert command_names(cli) == ["render", "doctor", "extra"]


@pytest.mark.parametrize(
    ("name", "parameters", "reason"),
    [("render", "", "'render' exists already"), ("odd", "x: 'NoSuchType'", "NoSuchType")],
)
def test_a_command_that_clashes_or_cannot_be_built_is_left_out_with_a_reason(
    site: Path, name: str, parameters: str, reason: str
) -> None:
    install(site, "bad-command", COMMAND.format(name=name, parameters=parameters))
    install(site, "good-command", COMMAND.format(name="good", parameters=""))
    cli = application()
    plugins = load(site)
    plugins.add_commands(cli)
    assert command_names(cli) == ["render", "doctor", "good"]
    (failed,) = plugins.failed
    assert failed.distribution == "bad-command"
    assert reason in failed.reason


def test_installed_distributions_are_found_and_the_environment_restricts_them(
    tmp_path: Path,
) -> None:
    install(tmp_path, "acme-avatar", SOUND.format(name="acme"), plugin="acme")
    show = "from avatar_core.plugins import load_plugins; print(load_plugins().backends.names())"
    found = python(show, tmp_path).stdout
    assert all(f"'{name}'" in found for name in ("acme", "puppet", "static"))
    assert python(show, tmp_path, AVATAR_PLUGINS="acme").stdout.strip() == "('acme',)"
    assert "static" in python(show, tmp_path, AVATAR_PLUGINS="static,acme").stdout


HEAVY = "numpy requests moviepy onnxruntime av PIL typer rich".split()


@pytest.mark.parametrize(
    "work",
    [
        "import avatar_core",
        "from avatar_core import AvatarBackend, SpeechEngine, CancelToken",
        "from avatar_core.plugins import load_plugins as l; l(only='static').backends.describe()",
        "from avatar_core.settings import load_settings; load_settings()",
        "import avatar_core.chain, avatar_core.pool, avatar_core.media",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_used(work: str) -> None:
    show = f"import sys\n{work}\nprint([m for m in {HEAVY} if m in sys.modules])"
    result = python(show)
    assert (result.stdout.strip(), result.stderr) == ("[]", "")
