"""Where a result goes: to the destinations of its rule, and of the routes that it takes (pure)."""

from collections.abc import Iterable, Sequence

from hilum.config.findings import When
from hilum.config.site import Rule, Site
from hilum.summary import Summary
from hilum.summary.numbers import ClassificationSummary, MeasurementSummary
from hilum.summary.remarks import UrgencySummary
from hilum.summary.shapes import AngleSummary, LengthSummary


def recipients(
    site: Site, rule: Rule, refused: bool, findings: Sequence[Summary] = ()
) -> dict[str, bool]:
    """Names of the destinations of a result, and whether the images go along to each."""
    outcome = "refusal" if refused else "result"
    names = dict.fromkeys(rule.send_to, False)
    for route in site.route:
        is_meant = not route.modules or rule.module in route.modules
        if is_meant and route.outcome in ("any", outcome) and _is_met(route.when, findings):
            names |= {name: names.get(name, False) or route.images for name in route.send_to}
    return names


def _is_met(when: When | None, findings: Iterable[Summary]) -> bool:
    return when is None or any(_meets(finding, when) for finding in findings)


def _meets(finding: Summary, when: When) -> bool:
    match finding:
        case UrgencySummary():
            return when.urgent
        case ClassificationSummary():
            return bool(when.outcome) and finding.outcome == when.outcome
        case MeasurementSummary() | LengthSummary() | AngleSummary():
            return _is_beyond(finding, when)
        case _:
            return False


def _is_beyond(finding: MeasurementSummary | LengthSummary | AngleSummary, when: When) -> bool:
    if isinstance(finding, MeasurementSummary):
        what, of = finding.what, finding.of
    else:
        what, of = finding.label, None
    if what != when.measurement or (when.of and of != when.of):
        return False
    is_above = when.above is None or finding.value > when.above
    return is_above and (when.below is None or finding.value < when.below)
