"""What the first servers say when a job failed: mostly the text that SadTalker died with."""

from __future__ import annotations

from avatar_core.errors import Category
from avatar_core.http_tables import Hint
from avatar_core.pages import see
from backends.colab.errors import section_of
from backends.sadtalker.faults import FAULTS

_FAILED = {500}


def _known_faults() -> tuple[Hint, ...]:
    """What SadTalker itself prints, which these servers pass on as it is."""
    return tuple(
        Hint(
            fault.code,
            fault.pattern,
            fault.category,
            f"reports: {fault.says.rstrip('.')}",
            f"{fault.advice} {see(f'colab#{section_of(fault.code, fault.category)}')}",
            statuses=_FAILED,
            quotes=False,
        )
        for fault in FAULTS
        if fault.pattern and not fault.stage
    )


# From the most special to the most general: the first that fits decides.
FIRST_HINTS: tuple[Hint, ...] = (
    Hint("too long", r"Processing timeout|timed? ?out", Category.TIMEOUT, "gave up after two "
         "minutes", "Shorten the scene, use no enhancer, or write a new notebook: it has no such "
         f"limit. {see('colab#time-out')}", statuses=_FAILED, quotes=False),
    Hint("nothing made", r"No video generated", Category.BAD_OUTPUT, "made no video",
         f"Run its cells again. {see('colab#time-out')}", statuses=_FAILED, quotes=False),
    *_known_faults(),
    Hint("enhancer", r"gfpgan|RestoreFormer", Category.SERVER, "lost its enhancer",
         "Use enhancer = RestoreFormer, which is more stable, or none. "
         f"{see('colab#gfpgan-crash')}", statuses=_FAILED, quotes=False),
    Hint("not installed", r"command not found|No such file or directory|can't open file|"
         r"No module named|ImportError",
         Category.UNSUPPORTED, "has no complete SadTalker",
         f"Run the set-up cell again. {see('colab#missing-weights')}", statuses=_FAILED,
         quotes=False),
    Hint("exit status 1", r"exit status|Inference failed", Category.INVALID_INPUT,
         "could not animate the picture", "Use a sharp photo of a face from the front, 512 pixels "
         f"or more, in good light. {see('colab#no-face')}", statuses=_FAILED, quotes=False),
)  # fmt: skip
