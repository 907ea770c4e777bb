"""How the report writes numbers, and its verdict in one sentence."""

from __future__ import annotations

from distillery.report.facts import Facts


def percent(share: float) -> str:
    """`99.16 %`."""
    return f"{100 * share:.2f} %"


def points(change: float, *, sign: bool = True) -> str:
    """`−0.28 points`, of 0.01 of accuracy each."""
    written = f"{change:+.2f}" if sign else f"{change:.2f}"
    return f"{written.replace('-', '−')} points"


def file_size(size: float) -> str:
    """`11.4 kB`, of 1000 bytes each."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size:.0f} B"


def milliseconds(value: float) -> str:
    """`0.051 ms`."""
    return f"{value:.3g} ms"


def verdict(facts: Facts) -> str:
    """What came of the run, in one sentence."""
    teacher, subject = facts.teacher, facts.subject
    if facts.chosen is None:
        return "No variant keeps the budget: nothing was promoted."
    smaller = f"{teacher.file_bytes / subject.file_bytes:.0f} times smaller than its teacher"
    cost = 100 * (teacher.accuracy - subject.accuracy)
    compared = "as" if cost == 0 else f"{abs(cost):.2f} points {'less' if cost > 0 else 'more'}"
    return f"{subject.name} {_standing(facts)}: {smaller} and {compared} accurate on test rows."


def _standing(facts: Facts) -> str:
    """As what the chosen one is registered."""
    match facts.registered.alias:
        case "champion":
            return "is the champion"
        case None:
            return "was chosen"
        case alias:
            return f"is the {alias}"
