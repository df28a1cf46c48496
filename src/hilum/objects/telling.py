"""How the objects tell a kind of finding that their writers do not know.

The writers know segments, measurements, changes, classifications, heat maps and remarks. Any other
kind is told by what is registered here for it. It is told in the kinds that they know, so that it
stands in the report, the picture and the PDF. If that is not enough, the report has a group for it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydicom.dataset import Dataset

from hilum.findings import Finding, Findings
from hilum.objects.report import Report

Kind = TypeVar("Kind", bound=Finding)


@dataclass(frozen=True)
class Telling:
    """`in_known_kinds` gives findings that say the same; `groups` gives groups of TID 1500.

    A group is a content item (PS3.16 TID 1411 or 1501), see `hilum.objects.iod.groups`.
    """

    in_known_kinds: Callable[[Any], Iterable[Finding]]
    groups: Callable[[Report, Any], Iterable[Dataset]]


_TELLINGS: dict[type[Finding], Telling] = {}


def tell(
    kind: type[Kind],
    in_known_kinds: Callable[[Kind], Iterable[Finding]],
    groups: Callable[[Report, Kind], Iterable[Dataset]] = lambda report, finding: (),
) -> None:
    """Register how findings of `kind` are told; whoever defines the kind calls this once."""
    _TELLINGS[kind] = Telling(in_known_kinds, groups)


def in_known_kinds(findings: Findings) -> Findings:
    """`findings`, each followed by what says the same in kinds that the writers know."""
    told: list[Finding] = []
    for finding in findings.items:
        told.append(finding)
        if telling := _TELLINGS.get(type(finding)):
            told += telling.in_known_kinds(finding)
    return Findings(tuple(told))


def groups(report: Report) -> list[Dataset]:
    """The groups that other kinds have of their own, in the order of the findings."""
    found: list[Dataset] = []
    for finding in report.analysis.findings.items:
        if telling := _TELLINGS.get(type(finding)):
            found += telling.groups(report, finding)
    return found
