"""Which run on record is the same as one that is to be made, by what it is and not by its id."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from hilum.arrival import Arrival
from hilum.config.site import Rule
from hilum.module import ModuleFacts
from hilum.records import Records
from hilum.records.models.workitems import Workitem
from hilum.records.states import WITHOUT_RESULT, EventKind
from hilum.routing import Selection
from hilum.runs import files_of


class SameRuns:
    """Judges the runs on record; `facts` are those of the modules as they are installed."""

    def __init__(self, records: Records, facts: Mapping[str, ModuleFacts]) -> None:
        self._records = records
        self._facts = facts

    def among(
        self, runs: Iterable[Workitem], rule: Rule, arrival: Arrival, selection: Selection
    ) -> list[Workitem]:
        """Those `runs` that are of the same module on the same images of the same patient.

        They are found by what they are: an earlier version of Hilum may have named them otherwise.
        Another version of the module counts as the same while no image came after the run was made:
        that a newer Hilum was installed is no reason to make a result again.
        """
        series = {image.series_uid for image in selection.images.values()}
        came = max((arrival.last_of_series.get(uid, 0.0) for uid in series), default=0.0)
        labels = {image.path.name: image.label for image in selection.images.values()}
        inputs = files_of(selection)
        return [
            item
            for item in runs
            if (came < item.created or self.is_of_today(item))
            and item.inputs == inputs
            and item.rule.tilt == rule.tilt
            and self._is_of(item, labels)
        ]

    def is_of_today(self, item: Workitem) -> bool:
        """Whether the workitem was made for the module as it is installed, or there is none."""
        module = self._facts.get(item.module)
        return module is None or module_of(item) == replace(module, title=item.title)

    def is_undone(self, item: Workitem) -> bool:
        """Whether it ended without a standing result before it was decided whose its images are.

        Those of the earlier exams that it was given count, too.
        """
        if item.state not in WITHOUT_RESULT:
            return False
        events = self._records.events
        studies = {item.study_uid, *(exam.study_uid for exam in item.earlier_exams)}
        decided = [e.id for uid in studies for e in events.of_kind(uid, EventKind.DECIDED)]
        of_end = events.of_kind(item.study_uid, EventKind(item.state))
        ended = [event.id for event in of_end if event.workitem_id == item.id]
        return bool(decided and ended and ended[-1] < max(decided))

    def _is_of(self, item: Workitem, labels: Mapping[str, str]) -> bool:
        """Whether the images of a workitem had the same labels then as in `labels` now."""
        subjects = self._records.corrections.subjects(item.id)
        return all(labels.get(one.image, one.label) == one.label for one in subjects)


def module_of(item: Workitem) -> ModuleFacts:
    """The module that made, or will make, the result of a workitem."""
    return ModuleFacts(item.module, item.version, item.title, item.weights_sha256)
