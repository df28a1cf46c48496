"""Which images results were made of, and what these were called then.

They are remembered by labels, not by values. So a result is known again whose images, or those of
an earlier exam that it was given, are those of another patient now.
"""

import heapq
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from hilum.dicom.identity import of_patient
from hilum.dicom.instance import Instance, readable
from hilum.inbox import Inbox
from hilum.records import Records
from hilum.records.models.workitems import Subject, Workitem
from hilum.records.states import WorkitemState
from hilum.study.routing import Selection
from hilum.study.workitems import Workitems

SAMPLE = 8  # images by which a workitem is known again in another study

NOTHING_TO_TAKE_BACK = (
    WorkitemState.WITHDRAWN,
    WorkitemState.HELD,
    WorkitemState.NOT_APPLICABLE,
)


class Subjects:
    """Knows the results by the images that they were made of."""

    def __init__(self, records: Records, inbox: Inbox, workitems: Workitems) -> None:
        self._records = records
        self._inbox = inbox
        self._workitems = workitems

    def remember(self, item: Workitem, selection: Selection) -> None:
        """Note what some of the images of a new workitem, and of its earlier exams, are called."""
        labels = {image.path.name: image.label for image in selection.images.values()}
        for uid, called in ((item.study_uid, labels), *self._workitems.earlier.labels(item)):
            some = heapq.nsmallest(SAMPLE, called)
            subjects = [Subject(item.id, name, uid, called[name]) for name in some]
            self._records.corrections.remember(subjects)

    def has_result(self, item: Workitem) -> bool:
        """Whether a result of the workitem is, or will be, somewhere and was not taken back."""
        if item.state is WorkitemState.FAILED:  # a refusal, if anything was written
            return bool(self._records.deliveries.of_workitem(item.id))
        if item.state is WorkitemState.CANCELLED:  # perhaps when a part of it was sent
            return self._records.receipts.may_have_arrived(item.id)
        return item.state not in NOTHING_TO_TAKE_BACK

    def results_of_others(self, labels: Mapping[str, str]) -> list[Workitem]:
        """Workitems with a result on images that are called otherwise now, in whatever study.

        `labels` are those of the images by the names of their files.
        """
        return self._with_result(self._records.corrections.called_otherwise(labels))

    def later_results(
        self, study_uid: str, identity: str, corrected: Collection[Path]
    ) -> list[Workitem]:
        """Workitems with a result of another study that used images of this one as earlier exam.

        Only those images count that were not sent again with the `corrected` ones, and are not of
        the patient whom `identity` names: they are no longer images of the study.
        """
        came = {path.name for path in corrected}
        files = self._inbox.study_folder(study_uid).glob("*.dcm")
        stay = list(readable(file for file in sorted(files) if file.name not in came))
        counting = of_patient(identity, [*map(Instance.read, corrected), *stay])
        left = {image.path.name for image in stay} - {image.path.name for image in counting}
        found = self._with_result(self._records.corrections.made_of(left))
        return [item for item in found if item.study_uid != study_uid]

    def _with_result(self, ids: Iterable[str]) -> list[Workitem]:
        items = filter(None, map(self._records.workitems.get, ids))
        return [item for item in items if self.has_result(item)]

    def leave(self, item: Workitem, labels: Mapping[str, str]) -> None:
        """Remember what the images of a workitem whose result is taken back were called.

        Unless they are called as in `labels`, by file, and only an earlier exam is not.
        """
        subjects = self._records.corrections.subjects(item.id)
        own = [one for one in subjects if one.study_uid == item.study_uid]
        if any(labels.get(one.image, one.label) != one.label for one in own):
            self._records.corrections.leave(item.study_uid, {s.label for s in own}, time.time())
