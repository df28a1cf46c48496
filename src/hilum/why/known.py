"""What the records say about one study, read once."""

from collections.abc import Mapping
from dataclasses import dataclass

from hilum.config.site import Site
from hilum.records import Records
from hilum.records.models.deliveries import Delivery
from hilum.records.models.requests import WorklistStep
from hilum.records.models.standings import DestinationStanding, NotedPause
from hilum.records.models.studies import Event, Removal, Study, UploadedStudy
from hilum.records.models.workitems import Workitem
from hilum.records.states import EventKind, PausedKind

SILENT_SECONDS = 60.0  # a process gives a sign of life every ten
SHOWN_DIGITS = 8  # of an id, as `hilum status` shows it


@dataclass(frozen=True)
class Known:
    """All that an explanation is found from. `now` is in s since 1970.

    `study` is None where none of its images was taken in. `workers_at` is the last sign of life of
    a worker.
    """

    site: Site
    now: float
    study_uid: str
    study: Study | None
    removal: Removal | None
    upload: UploadedStudy | None  # what a person chose who uploaded it
    is_corrected: bool  # a person has to decide on corrected patient data
    events: tuple[Event, ...]
    items: tuple[Workitem, ...]
    deliveries: Mapping[str, tuple[Delivery, ...]]  # by the id of their workitem
    destinations: Mapping[str, DestinationStanding]
    pauses: tuple[NotedPause, ...]
    workers_at: float
    steps: tuple[WorklistStep, ...] = ()  # that worklists ask for

    @classmethod
    def of(cls, site: Site, records: Records, study_uid: str, now: float) -> "Known":
        """What is on record of a study."""
        items = records.workitems.of_study(study_uid)
        owed: dict[str, list[Delivery]] = {item.id: [] for item in items}
        for delivery in records.deliveries.of_workitems(owed):
            owed[delivery.workitem_id].append(delivery)
        return cls(
            site=site,
            now=now,
            study_uid=study_uid,
            study=records.studies.get(study_uid),
            removal=records.studies.removal(study_uid),
            upload=records.uploads.get(study_uid),
            is_corrected=records.corrections.is_open(study_uid),
            events=tuple(records.events.of_study(study_uid)),
            items=tuple(items),
            deliveries={workitem: tuple(several) for workitem, several in owed.items()},
            destinations=records.destinations.all(),
            pauses=tuple(records.pauses.all()),
            workers_at=records.executors.last_signs().get("worker", 0.0),
            steps=tuple(records.steps.of_study(study_uid)),
        )

    @property
    def items_by_id(self) -> dict[str, Workitem]:
        """The workitems of the study."""
        return {item.id: item for item in self.items}

    @property
    def all_deliveries(self) -> list[Delivery]:
        """Those of all its workitems."""
        return [one for several in self.deliveries.values() for one in several]

    @property
    def has_worker(self) -> bool:
        """Whether any worker gives signs of life."""
        return self.now - self.workers_at <= SILENT_SECONDS

    def pause(self, kind: PausedKind, name: str) -> NotedPause | None:
        """The pause of this one; None if it is not paused."""
        return next((p for p in self.pauses if (p.kind, p.name) == (kind, name)), None)

    def last(self, kind: EventKind, workitem_id: str = "") -> float | None:
        """When something of this kind happened last, of a workitem or of the study."""
        times = (e.at for e in self.events if e.kind is kind and e.workitem_id == workitem_id)
        return max(times, default=None)
