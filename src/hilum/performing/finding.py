"""Which workitem does the work of a step."""

from hilum.records import Records
from hilum.records.models.requests import Request, WorklistStep
from hilum.records.models.workitems import Workitem
from hilum.records.states import WITHOUT_RESULT, WorkitemState

NO_RESULT = (*WITHOUT_RESULT, WorkitemState.NOT_APPLICABLE)  # asked for anew


def item_of(records: Records, step: WorklistStep) -> Workitem | None:
    """The workitem whose result is that of the step: the newest one that replaced it.

    A result of the module that is there is taken. What gave none is, only if it was asked for.
    """
    items = records.workitems
    item = items.get(step.workitem_id) if step.workitem_id else _found(records, step)
    while item is not None and item.superseded_by:
        item = items.get(item.superseded_by)
    return item


def _found(records: Records, step: WorklistStep) -> Workitem | None:
    asked = records.requests.one(step.analysis) if step.analysis else None
    found = [
        item
        for item in records.workitems.of_module(step.study_uid, step.module)
        if item.superseded_by is None and not item.kind.is_note
        if item.state not in NO_RESULT or _is_for(item, asked)
    ]
    return max(found, key=lambda item: item.created, default=None)


def _is_for(item: Workitem, asked: Request | None) -> bool:
    """Whether a workitem was made by the request for a step."""
    return asked is not None and item.created >= asked.at
