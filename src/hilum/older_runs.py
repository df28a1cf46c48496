"""Notes the labels of the images of runs that an older Hilum has made, which did not note them.

Without it, a result would not be known again when its patient is corrected. It is found out from
the images, as far as they are still here.
"""

import heapq
import logging
import time
from collections.abc import Iterable

from hilum.dicom.instance import Instance
from hilum.errors import UnreadableError
from hilum.logs import going_on
from hilum.records import Records
from hilum.records.models.workitems import Subject
from hilum.subjects import SAMPLE
from hilum.workitems import Workitems

SHARE = 0.1  # of one core

log = logging.getLogger(__name__)


def remember_all(records: Records, workitems: Workitems) -> None:
    """Note the labels for every run, the newest first; in a thread of its own."""
    for workitem_id in records.workitems.without_subjects():
        began = time.perf_counter()
        with going_on(f"labels of the images of run {workitem_id}", log):
            remember(records, workitems, [workitem_id])
        time.sleep((time.perf_counter() - began) * (1 / SHARE - 1))


def remember(records: Records, workitems: Workitems, workitem_ids: Iterable[str]) -> None:
    """Note the labels for some runs."""
    for workitem_id in workitem_ids:
        item = records.workitems.one(workitem_id)
        subjects = []
        for path in heapq.nsmallest(SAMPLE, workitems.images(item)):
            try:
                image = Instance.read(path)
            except (UnreadableError, OSError):
                continue  # a rule has removed it
            subjects.append(Subject(item.id, path.name, item.study_uid, image.label))
        records.corrections.remember(subjects)
