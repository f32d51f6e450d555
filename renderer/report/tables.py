"""What fell back, with what to do about it, and what every backend and voice did in sum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from renderer.report.facts import Ending, Row
from renderer.report.markup import Markup, markup, tag
from renderer.report.reasons import Reason, Total
from renderer.report.scenes import anchor
from renderer.report.words import count, lasting, price

# More than these say the same in other numbers; all of them stand with their scenes.
_MOST_MESSAGES = 3
_ENDINGS = (Ending.DELIVERED, Ending.RESUMED, Ending.CACHED, Ending.FAILED, Ending.SKIPPED)
_NAMES = {Ending.SKIPPED: "left out", Ending.CACHED: "from earlier"}


def what_fell_back(reasons: Sequence[Reason]) -> Markup:
    """Every reason why another backend or voice had to make a scene, with the next step."""
    told = [_reason(reason, reason.fell, _advice(reason)) for reason in reasons if reason.fell]
    good = tag("p", "Nothing fell back: every scene was made by who was asked first.",
               class_="good")  # fmt: skip
    return tag(
        "section",
        tag("h2", "What fell back, and what to do about it"),
        tag("ul", told, class_="reasons") if told else good,
    )


def overcome(reasons: Sequence[Reason]) -> Markup | None:
    """Trouble after which the same backend or voice delivered all the same: nothing is to be done,
    so nothing is advised."""
    told = [_reason(reason, reason.overcome) for reason in reasons if reason.overcome]
    if not told:
        return None
    return tag(
        "section",
        tag("h2", "What went wrong on the way, and was overcome"),
        tag("ul", told, class_="reasons"),
        class_="overcome",
    )


def totals_table(totals: Iterable[Total]) -> Markup | None:
    """A line for every backend and voice: how its attempts ended, time and cost."""
    lines = [_total(total) for total in totals]
    if not lines:
        return None
    heads = [tag("th", "Name", scope="col"), tag("th", "Role", scope="col")]
    heads += [
        tag("th", name.capitalize(), scope="col", class_="number")
        for name in (*(_NAMES.get(ending, ending) for ending in _ENDINGS), "time", "cost")
    ]
    table = tag("table", tag("thead", tag("tr", heads)), tag("tbody", lines))
    return tag("div", table, class_="scroll", tabindex=0, role="region", aria_label="Who did what")


def _reason(reason: Reason, rows: Iterable[Row], advice: str | None = None) -> Markup:
    kind = (reason.category or "left out").replace("_", " ")
    return tag(
        "li",
        tag("h3", tag("bdi", reason.name), f": {kind} ", tag("span", reason.kind, class_="soft")),
        [tag("p", tag("bdi", _sentence(text))) for text in _some(list(reason.messages))],
        tag("p", tag("bdi", advice), class_="advice") if advice else None,
        tag("p", "In ", _links(list(rows)), class_="soft"),
        class_="reason",
    )


def _advice(reason: Reason) -> str | None:
    """The next step; a rung that was left out brings none of its own."""
    if reason.advice or not reason.passing:
        return reason.advice
    return "Render again later: what is finished is kept, only these scenes are tried again."


def _sentence(text: str) -> str:
    """With a capital at its head: why a rung was left out is the end of a sentence elsewhere."""
    return text[:1].upper() + text[1:]


def _some(messages: Sequence[str]) -> list[str]:
    more = len(messages) - _MOST_MESSAGES
    rest = [f"… and {count(more, 'message')} more like these."] if more > 0 else []
    return [*messages[:_MOST_MESSAGES], *rest]


def _links(rows: Sequence[Row]) -> Markup:
    links = [tag("a", tag("bdi", row.id), href=f"#{anchor(row)}") for row in rows]
    return markup(
        [f"{count(len(rows), 'scene')}: ", [[link, ", "] for link in links[:-1]], links[-1]]
    )


def _total(total: Total) -> Markup:
    told = [str(total.endings.get(ending, 0)) for ending in _ENDINGS]
    told += [lasting(total.seconds), price(list(total.costs.values()))]
    return tag(
        "tr",
        tag("th", tag("bdi", total.name), scope="row"),
        tag("td", total.kind),
        [tag("td", text, class_="number") for text in told],
    )
