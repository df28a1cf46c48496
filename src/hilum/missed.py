"""Which studies from before today's rules would analyse: they are offered, and never run by itself.

A rule decides on what comes. Where one was mended, the studies that it has missed are found here,
by looking at their images, the latest first.
"""

import math
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from hilum.arrival import Arrival
from hilum.assembly import Run, decide
from hilum.config.site import Rule, Site
from hilum.inbox import Inbox
from hilum.module import Need
from hilum.records import Records
from hilum.records.models.studies import Study
from hilum.records.models.workitems import Workitem
from hilum.routing import applies
from hilum.runs import files_of
from hilum.trying import study_on_disk

AT_ONCE = 50  # studies that are read from the records in one go


@dataclass(frozen=True)
class MissedStudy:
    """A study that rules would analyse and have not: their names, and why they would.

    `last_at` is when its last image came (s since 1970).
    """

    study_uid: str
    last_at: float
    rules: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class MissedStudies:
    """What was found among the studies that were looked at.

    `rest` is the time (s since 1970) of the last one, where others from before it were not looked
    at, or else None.
    """

    found: tuple[MissedStudy, ...]
    looked_at: int
    rest: float | None


def missed(
    site: Site,
    records: Records,
    needs: Mapping[str, Mapping[str, Need]],
    since: float,
    before: float = math.inf,
    rules: Collection[str] = (),
    patience: float = math.inf,
) -> MissedStudies:
    """The studies whose last image came between `since` and `before`, as far as rules missed them.

    Only rules called as in `rules`, if any are given. It ends after `patience` seconds. Studies
    that are still open are left out: today's rules decide on them in any case.
    """
    meant = {
        name: rule
        for name, rule in site.rules_by_name.items()
        if rule.module in needs and (not rules or name in rules)
    }
    inbox = Inbox(site.data)
    deadline = time.monotonic() + patience
    found: list[MissedStudy] = []
    looked_at = 0
    for study, had in _studies(records, since, before):
        if time.monotonic() > deadline:
            return MissedStudies(tuple(found), looked_at, rest=study.last_at)
        looked_at += 1
        if study.images > study.settled_images:
            continue
        left = {name: rule for name, rule in meant.items() if rule.key not in had}
        reasons = _reasons(study, left, records, inbox, needs) if left else {}
        if reasons:
            reason = "; ".join(dict.fromkeys(reasons.values()))
            found.append(MissedStudy(study.study_uid, study.last_at, tuple(reasons), reason))
    return MissedStudies(tuple(found), looked_at, rest=None)


def _studies(
    records: Records, since: float, before: float
) -> Iterator[tuple[Study, frozenset[str]]]:
    """The latest first, each with the keys of the rules by which it has had runs."""
    while some := records.studies.latest(AT_ONCE, before=before):
        rules = records.workitems.rules_of([study.study_uid for study in some])
        for study in some:
            if study.last_at < since:
                return
            yield study, rules.get(study.study_uid, frozenset())
        before = some[-1].last_at


def _reasons(
    study: Study,
    rules: Mapping[str, Rule],
    records: Records,
    inbox: Inbox,
    needs: Mapping[str, Mapping[str, Need]],
) -> dict[str, str]:
    """The names of those of `rules` that would analyse a study anew, and why they would."""
    arrival = _arrival(study, inbox)
    decided = {name: _run(arrival, rule, needs) for name, rule in rules.items()}
    runs = {name: run for name, run in decided.items() if run}
    if not runs:  # for most studies: what is on record of them is not read then
        return {}
    before = [item for item in records.workitems.of_study(study.study_uid) if item.is_run]
    return {
        name: run.reason for name, run in runs.items() if not _was_run(rules[name], run, before)
    }


def _arrival(study: Study, inbox: Inbox) -> Arrival | None:
    """What is here of a study; None if nothing is."""
    arrival = study_on_disk(study.study_uid, inbox.study_folder(study.study_uid))
    return arrival if arrival.instances else None


def _run(
    arrival: Arrival | None, rule: Rule, needs: Mapping[str, Mapping[str, Need]]
) -> Run | None:
    """What `rule` would have analysed of what is here, if it would."""
    if arrival is None or not applies(rule, arrival.study()):
        return None
    decision = decide(arrival, needs[rule.module], rule, now=math.inf)
    return decision if isinstance(decision, Run) else None


def _was_run(rule: Rule, run: Run, runs: Iterable[Workitem]) -> bool:
    """Whether the same module has had the same images, by whatever rule, whatever came of it."""
    files = files_of(run.selection)
    return any(item.module == rule.module and item.inputs == files for item in runs)
