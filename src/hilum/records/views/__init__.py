"""What `status`, `trace`, `demo --json` and the console show of the records.

Every view is a frozen dataclass; its fields are those of the JSON (`as_json`).
"""

from typing import Any

from pydantic_core import to_jsonable_python

from hilum.records.views.agreement import Agreement, ModuleAgreement, Share, agreement_of
from hilum.records.views.calling import studies_named, studies_of_patient, study_called
from hilum.records.views.course import CourseSpan, course
from hilum.records.views.finding import PAGE, FoundPage, find
from hilum.records.views.modules import ModuleHistory, module_history
from hilum.records.views.now import NowView, now_view
from hilum.records.views.places import (
    DestinationView,
    QuarantinedView,
    QuarantineView,
    SourceView,
    StepView,
    WorklistView,
    destinations,
    quarantine,
    sources,
    worklists,
)
from hilum.records.views.statistics import DayOfWork, Statistics, statistics_of
from hilum.records.views.strips import DestinationStrip, HourOfDeliveries, strips_of
from hilum.records.views.study_list import (
    ResultView,
    StudyPage,
    StudyView,
    WorkitemView,
    studies,
    study,
)
from hilum.records.views.timeline import TraceLine, events, trace

__all__ = [
    "PAGE",
    "Agreement",
    "CourseSpan",
    "DayOfWork",
    "DestinationStrip",
    "DestinationView",
    "FoundPage",
    "HourOfDeliveries",
    "ModuleAgreement",
    "ModuleHistory",
    "NowView",
    "QuarantineView",
    "QuarantinedView",
    "ResultView",
    "Share",
    "SourceView",
    "Statistics",
    "StepView",
    "StudyPage",
    "StudyView",
    "TraceLine",
    "WorkitemView",
    "WorklistView",
    "agreement_of",
    "as_json",
    "course",
    "destinations",
    "events",
    "find",
    "module_history",
    "now_view",
    "quarantine",
    "sources",
    "statistics_of",
    "strips_of",
    "studies",
    "studies_named",
    "studies_of_patient",
    "study",
    "study_called",
    "trace",
    "worklists",
]


def as_json(view: object) -> Any:
    """A view, or whatever holds views, as plain values for JSON."""
    return to_jsonable_python(view)
