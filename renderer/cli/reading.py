"""`avatar docs`: how a page of the documentation is shown in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from avatar_core.pages import COMMAND
from renderer import manual
from renderer.cli import streams

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.markdown import Markdown


def show_pages() -> None:
    """Print the list of all pages, and how one is shown."""
    from rich.table import Table

    table = Table("Page", "What it is about", "For whom", box=None, padding=(0, 2, 0, 0))
    for name, title, whom in manual.contents():
        table.add_row(name, title, whom)
    console = streams.out()
    console.print(table, soft_wrap=False)
    console.print(f"\nOne of them:        {COMMAND} colab")
    console.print(f"One section of it:  {COMMAND} colab#no-face")


def show_page(link: str) -> None:
    """Print the page or the section that ``link`` names. Raises `InputError` for what there is
    not."""
    from rich.theme import Theme

    text = manual.found(link)
    # Nothing is cut off: what is wider than the terminal, such as a command, breaks there.
    console = streams.out()
    console.push_theme(Theme({"markdown.code": "bold", "markdown.link_url": "underline"}))
    console.print(_as_text(text), soft_wrap=False, crop=False)


def _as_text(text: str) -> Markdown:
    from rich.markdown import CodeBlock, Markdown
    from rich.text import Text

    class Code(CodeBlock):
        """To be copied: in whole lines, without colours."""

        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            yield Text("\n" + str(self.text).rstrip() + "\n", no_wrap=True, overflow="ignore")

    class Page(Markdown):
        elements: ClassVar = {**Markdown.elements, "fence": Code, "code_block": Code}

    return Page(text, hyperlinks=False)
