"""What `status`, `trace`, `demo --json` and the console show of the records.

Every view is a frozen dataclass; its fields are those of the JSON (`as_json`).
"""

from typing import Any

from pydantic_core import to_jsonable_python

from hilum.records.views.now import NowView, now_view
from hilum.records.views.places import (
    DestinationView,
    QuarantinedView,
    QuarantineView,
    SourceView,
    destinations,
    quarantine,
    sources,
)
from hilum.records.views.timeline import TraceLine, events, trace
from hilum.records.views.worklist import (
    PAGE,
    ResultView,
    StudyPage,
    StudyView,
    WorkitemView,
    refusal_in,
    studies,
    study,
    study_called,
)

__all__ = [
    "PAGE",
    "DestinationView",
    "NowView",
    "QuarantineView",
    "QuarantinedView",
    "ResultView",
    "SourceView",
    "StudyPage",
    "StudyView",
    "TraceLine",
    "WorkitemView",
    "as_json",
    "destinations",
    "events",
    "now_view",
    "quarantine",
    "refusal_in",
    "sources",
    "studies",
    "study",
    "study_called",
    "trace",
]


def as_json(view: object) -> Any:
    """A view, or whatever holds views, as plain values for JSON."""
    return to_jsonable_python(view)
