"""Findings without arrays: what the records, traces and `--json` hold of them.

The fields are those of the JSON; `image` is the SOP Instance UID of the film that a finding is of,
None where it is of the whole study.
"""

from collections.abc import Iterable
from textwrap import shorten
from typing import Annotated

from pydantic import Field

from hilum.summary.numbers import (
    ChangeSummary,
    ClassificationSummary,
    MeasurementSummary,
    SegmentSummary,
    TableSummary,
)
from hilum.summary.pictures import (
    DrawingSummary,
    HeatMapSummary,
    KeyImageSummary,
    OwnObjectSummary,
    ParametricMapSummary,
    PlotSummary,
)
from hilum.summary.remarks import DraftSummary, NoteSummary, RefusalSummary, UrgencySummary
from hilum.summary.shapes import AngleSummary, BoxSummary, LengthSummary, PointSummary

LONGEST_REFUSAL = 300  # characters

Summary = Annotated[
    MeasurementSummary
    | ChangeSummary
    | SegmentSummary
    | ClassificationSummary
    | HeatMapSummary
    | OwnObjectSummary
    | ParametricMapSummary
    | PlotSummary
    | PointSummary
    | BoxSummary
    | LengthSummary
    | AngleSummary
    | TableSummary
    | KeyImageSummary
    | UrgencySummary
    | DraftSummary
    | DrawingSummary
    | RefusalSummary
    | NoteSummary,
    Field(discriminator="kind"),
]


def refusal_in(findings: Iterable[Summary]) -> str | None:
    """The sentence, shortened, that says why there is no result; None if there is one."""
    findings = tuple(findings)
    said = [finding.text for finding in findings if isinstance(finding, RefusalSummary)]
    if not said or not all(isinstance(f, RefusalSummary | NoteSummary) for f in findings):
        return None
    return shorten(said[0], LONGEST_REFUSAL, placeholder=" ...")
