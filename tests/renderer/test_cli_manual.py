"""`avatar docs`: the documentation where no checkout and no browser is."""

from __future__ import annotations

from pathlib import Path

import pytest

from renderer.manual import found, sections_of
from support_cli import avatar

PAGE = """\
# One
first
```console
# no heading
```
## Two `x_y`
second
### Two and a half, really?
half
## Three
third
"""


def shown(*arguments: str, cwd: Path) -> str:
    done = avatar("docs", *arguments, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_without_a_page_it_lists_them_and_says_how_to_go_on(tmp_path: Path) -> None:
    listed = shown(cwd=tmp_path)
    assert "A free GPU" in listed and "troubleshooting by symptom" in listed
    assert listed.rstrip().endswith("avatar docs colab#no-face")


def test_a_section_is_printed_as_text_without_what_stands_beside_it(tmp_path: Path) -> None:
    text = shown("colab#ngrok-token", cwd=tmp_path)
    assert text.startswith("ngrok token")
    assert "https://dashboard.ngrok.com/get-started/your-authtoken" in text
    assert "No GPU" not in text
    assert not any(sign in text for sign in ("\x1b", "**", "](", "`"))


def test_a_page_is_printed_whole_and_its_commands_in_one_line_each(tmp_path: Path) -> None:
    lines = shown("colab", cwd=tmp_path).splitlines()
    assert any(line.startswith("avatar notebook -o box.ipynb --set SADTALKER=") for line in lines)
    assert sum("avatar docs serve" in line for line in lines) >= 1


@pytest.mark.parametrize(
    ("asked", "says", "advice"),
    [
        ("colap", "There is no page 'colap'.", "Did you mean 'colab'?"),
        ("colab#no_face", "no section 'no_face'", "Did you mean 'no-face'?"),
        ("xyzzy", "There is no page 'xyzzy'.", "All pages: avatar docs"),
        ("../../secret", "There is no page 'secret'.", "All pages: avatar docs"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(
    asked: str, says: str, advice: str, tmp_path: Path
) -> None:
    done = avatar("docs", asked, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr and advice in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "copied", ["colab#no-face.", "`colab#no-face`", "docs/colab.md#no-face", " COLAB#No-Face "]
)
def test_what_clings_to_a_copied_link_does_no_harm(copied: str) -> None:
    assert found(copied) == found("colab#no-face")


def test_a_section_ends_where_the_next_of_its_depth_begins() -> None:
    sections = {section.name: section for section in sections_of(PAGE)}
    assert list(sections) == ["one", "two-x_y", "two-and-a-half-really", "three"]
    assert sections["one"].text == PAGE
    assert sections["two-x_y"].text.endswith("half\n")
    assert sections["two-and-a-half-really"].text.endswith("really?\nhalf\n")
    assert sections["three"].text == "## Three\nthird\n"
