"""What rules would do with studies that are here, without doing it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hilum.arrival import Arrival
from hilum.assembly import Hold, NotApplicable, Run, Wait, decide
from hilum.config import parse, values_in
from hilum.config.site import Rule, Site
from hilum.dicom.instance import Instance
from hilum.errors import ConfigurationError, UnreadableError
from hilum.module import Need
from hilum.routing import applies, nearest_rule

MOST_SERIES = 5  # that an answer tells of


class TrialOutcome(StrEnum):
    """What a rule would do with a study."""

    ANALYSE = "analyse"
    HOLD = "hold"
    NOTHING_FITS = "nothing fits"  # no series is what the module needs, or what the rule names
    NOT_MEANT = "not meant"  # the study does not meet the conditions of the rule
    NO_MODULE = "no module"  # it is not installed


@dataclass(frozen=True)
class RuleTrial:
    """What one rule would do, with which series, and why; `number` is its place, from 1."""

    number: int
    module: str
    outcome: TrialOutcome
    series: tuple[str, ...]
    text: str


def rules_in(text: str, site: Site) -> tuple[Rule, ...]:
    """The rules of a part of a settings file, as they would be read with the rest of `site`.

    Raises
    ------
    ConfigurationError
        It cannot be read, or names what the site does not have; the text says where.
    """
    values = values_in(text)
    if others := values.keys() - {"rule"}:
        raise ConfigurationError(
            f"only [[rule]] can be tried here, not {', '.join(sorted(others))}"
        )
    whole = site.model_dump(mode="json", exclude_unset=True)
    return parse(whole | {"rule": values.get("rule", [])}).rule


def study_on_disk(study_uid: str, folder: Path) -> Arrival:
    """What is here of a study, as if nothing more came; what cannot be read is left out."""
    arrival = Arrival(study_uid)
    for path in sorted(folder.glob("*.dcm")):
        try:
            arrival.add(Instance.read(path), 0.0)
        except (UnreadableError, FileNotFoundError):
            continue
    return arrival


def try_rules(
    arrival: Arrival, rules: Sequence[Rule], needs: Mapping[str, Mapping[str, Need]]
) -> list[RuleTrial]:
    """What each of `rules` would do with the study of `arrival`."""
    return [_trial(number, rule, arrival, needs) for number, rule in enumerate(rules, start=1)]


def _trial(
    number: int, rule: Rule, arrival: Arrival, needs: Mapping[str, Mapping[str, Need]]
) -> RuleTrial:
    def told(outcome: TrialOutcome, text: str, series: Iterable[str] = ()) -> RuleTrial:
        return RuleTrial(number, rule.module, outcome, tuple(series), text)

    if rule.module not in needs:
        return told(TrialOutcome.NO_MODULE, f"no module {rule.module} is installed")
    study = arrival.study()
    if not applies(rule, study):
        return told(TrialOutcome.NOT_MEANT, nearest_rule([rule], study))
    decision = decide(arrival, needs[rule.module], rule, now=math.inf)
    assert not isinstance(decision, Wait), "nothing is waited for after infinity"
    if isinstance(decision, Run):
        chosen = [series.name for series in decision.selection.series]
        return told(TrialOutcome.ANALYSE, decision.reason, chosen)
    if isinstance(decision, Hold):
        return told(TrialOutcome.HOLD, decision.reason)
    return told(TrialOutcome.NOTHING_FITS, _objections(decision))


def _objections(decision: NotApplicable) -> str:
    """What is to be said against each series, those first that are the most likely meant."""
    verdicts = sorted(decision.selection.verdicts, key=lambda v: (not v.is_named, v.description))
    said = [f"{v.description or '(no description)'}: {', '.join(v.reasons)}" for v in verdicts]
    return "; ".join(said[:MOST_SERIES]) or decision.reason
