"""`portrait.landmarks.json`: where mouth and eyes are, declared by a person."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from avatar_core.errors import InputError
from avatar_core.media_error import require_file
from avatar_core.nearest import did_you_mean
from avatar_core.pages import see
from avatar_core.validation import Fault, first_fault

SUFFIX = ".landmarks.json"
# A person writes a dozen points; what is larger than this is another kind of file.
_MOST_BYTES = 100_000
_PAGE = see("puppet#declaring-a-face-by-hand")

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Point = tuple[Number, Number]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Mouth(_Strict):
    """Corners, the middle of the lips' outer edges, and where the lips meet: one place for a
    closed mouth (by default where it usually is), two for an open one."""

    left: Point
    right: Point
    top: Point
    bottom: Point
    line: Point | None = None
    inner_top: Point | None = None
    inner_bottom: Point | None = None

    @model_validator(mode="after")
    def _closed_or_open(self) -> Mouth:
        if (self.inner_top is None) != (self.inner_bottom is None):
            raise ValueError("inner_top and inner_bottom belong together: give both or none.")
        if self.line is not None and self.inner_top is not None:
            raise ValueError(
                "give line for closed lips, or inner_top and inner_bottom for open ones."
            )
        return self


class Eye(_Strict):
    """Corners, and the middle of the lids' edges."""

    left: Point
    right: Point
    top: Point | None = None
    bottom: Point | None = None


class Outline(_Strict):
    """Top of the forehead, the cheeks at the height of the nose, and the chin."""

    top: Point | None = None
    left: Point | None = None
    right: Point | None = None
    chin: Point | None = None


class Sidecar(_Strict):
    """Points are [x, y] in pixels of the upright picture from its top left; "left" is left in the
    picture. ``picture`` is the size that the numbers are for. ``shape`` says what the rest follows:
    the face that the network finds, corrected, or the standard face, fitted."""

    note: str = ""
    picture: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]] | None = None
    shape: Literal["found", "standard"] = "standard"
    mouth: Mouth
    left_eye: Eye
    right_eye: Eye
    face: Outline = Outline()

    def marks(self) -> dict[str, Point]:
        """The declared points by their dotted names, such as "mouth.left"."""
        parts = {name: getattr(self, name) for name in ("mouth", "left_eye", "right_eye", "face")}
        return {
            f"{part}.{name}": point
            for part, group in parts.items()
            for name, point in group
            if point is not None
        }


class Declaration:
    """A sidecar as it was read, and where each of its values stands."""

    def __init__(self, file: Path, values: Sidecar, lines: dict[str, int]) -> None:
        self.file, self.values, self._lines = file, values, lines

    def wrong(self, key: str, message: str, advice: str = _PAGE) -> InputError:
        """The error that points at ``key``."""
        line = self._lines.get(key) or self._lines.get(key.rpartition(".")[0])
        return InputError(message, file=self.file, line=line, key=key or None, advice=advice)


def sidecar_of(portrait: Path) -> Path:
    """Where the sidecar file of a portrait would be: lan.png has lan.landmarks.json."""
    return portrait.with_name(portrait.stem + SUFFIX)


def read_sidecar(file: Path) -> Declaration:
    """Raises `InputError` with file, line and key."""
    require_file(file, "landmarks")
    if file.stat().st_size > _MOST_BYTES:
        raise InputError("This is too large to be a landmarks file.", file=file, advice=_PAGE)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("This is not text in UTF-8.", file=file, advice=_PAGE) from None
    values = _decoded(text, file)
    lines = _lines(text, file)
    try:
        return Declaration(file, Sidecar.model_validate(values), lines)
    except ValidationError as failure:
        raise _told(failure, file, lines) from None


def write_sidecar(file: Path, values: Sidecar) -> None:
    """One point a line, so that a person can read and change it."""
    text = json.dumps(values.model_dump(exclude_none=True, exclude_defaults=False), indent=2)
    text = re.sub(r"\[\s+([-\d.]+),\s+([-\d.]+)\s+\]", r"[\1, \2]", text)
    file.write_text(text + "\n", encoding="utf-8")


def _decoded(text: str, file: Path) -> Any:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as failure:
        line = getattr(failure, "lineno", None)
        reason = getattr(failure, "msg", "it is nested too deeply")
        raise InputError(
            f"This is not JSON: {reason}.", file=file, line=line, advice=_PAGE
        ) from None


def _told(failure: ValidationError, file: Path, lines: dict[str, int]) -> InputError:
    fault = first_fault(failure)
    path = fault.key.split(".") if fault.key else []
    # Pydantic counts places in a list; a person looks for the point that has them.
    key = ".".join(path[:2] if path[:1] != ["picture"] else path[:1])
    line = lines.get(key) or lines.get(key.rpartition(".")[0])
    message = _in_words(fault, path)
    return InputError(message, file=file, line=line, key=key or None, advice=_PAGE)


def _in_words(fault: Fault, path: list[str]) -> str:
    if fault.unknown:
        return f"There is no such key. {did_you_mean(path[-1], _keys(path[0], len(path)))}"
    if path[:1] == ["picture"]:
        return "The size is a pair of whole numbers: [width, height]."
    if fault.message == "Field required." and len(path) <= 2:
        return "This is missing."
    if len(path) >= 2:
        return "A point is a pair of numbers: [x, y]."
    if "table" in fault.message:
        return "Keys and values in braces are expected here: {...}."
    return fault.message


def _keys(group: str, depth: int) -> list[str]:
    """What may stand beside an unknown key."""
    models: dict[str, type[BaseModel]] = {
        "mouth": Mouth, "left_eye": Eye, "right_eye": Eye, "face": Outline
    }  # fmt: skip
    model = models.get(group, Sidecar) if depth > 1 else Sidecar
    return list(model.model_fields)


_PIECE = re.compile(r'"(?:\\.|[^"\\])*"|[{}\[\],:\n]')


def _lines(text: str, file: Path) -> dict[str, int]:
    """The line of each key by its dotted path, in a text that is JSON. Raises `InputError` where a
    key stands twice: one of the two would be without effect."""
    lines: dict[str, int] = {}
    path: list[str] = []
    line, last = 1, ""
    for piece in _PIECE.findall(text):
        if piece == "\n":
            line += 1
            continue
        if piece == "{":
            path.append("")
        elif piece == "}":
            path.pop()
        elif piece == ":" and path:
            path[-1] = json.loads(last)
            key = ".".join(path)
            if key in lines:
                raise InputError("This key stands here twice.", file=file, line=line, key=key,
                                 advice="Keep one of the two.")  # fmt: skip
            lines[key] = line
        last = piece
    return lines
