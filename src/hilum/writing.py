"""Result objects are written to the disk, in every way that a destination wants them.

And which destinations those are.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from hilum.config.fields import JSONValues
from hilum.config.kinds import STANDARD_OBJECTS, DestinationSettings, Encoding, Regions
from hilum.config.site import Site
from hilum.dicom.uids import LABEL_MAP
from hilum.inbox.room import with_room
from hilum.objects import Analysis, Document, write_what_can_be
from hilum.recipients import recipients
from hilum.records import Records
from hilum.records.models.deliveries import WrittenResult
from hilum.records.models.workitems import Workitem
from hilum.records.states import EventKind
from hilum.summary import Summary
from hilum.workitems import Workitems

# the kinds of objects, and how they are written
Wanted = tuple[tuple[str, ...], Encoding, Regions, JSONValues]

FOR_NOBODY: Mapping[str, Wanted] = {"": (STANDARD_OBJECTS, "binary", "outlines", {})}
OVERLAP = (
    "structures overlap, which a label map cannot hold: the segmentation is binary, although"
    ' segmentation = "labelmap" is set'
)
NOT_WRITTEN = "could not be written, the others are sent"

log = logging.getLogger(__name__)


def wanted_by(settings: DestinationSettings) -> Wanted:
    """What a destination receives."""
    return settings.objects, settings.encoding, settings.regions, settings.wishes


def recipients_of(
    site: Site,
    records: Records,
    item: Workitem,
    refused: bool,
    findings: Sequence[Summary] = (),
) -> dict[str, bool]:
    """Names of the destinations of a result, and whether the images go along to each.

    Those that a person has chosen, for this analysis or for an uploaded study, count, and no rule;
    for all others the rules and routes do.
    """
    if item.asked:
        return dict.fromkeys(item.rule.send_to, False)
    chosen = records.uploads.get(item.study_uid)
    if chosen is None:
        return recipients(site, item.rule, refused, findings)
    defined = {destination.name for destination in site.destination}
    for name in chosen.destinations:
        if name not in defined:
            text = f"not sent to {name}, which is no longer defined"
            records.events.add(item.study_uid, EventKind.CAUTION, text, item.id)
    return {name: chosen.images for name in chosen.destinations if name in defined}


class Writer:
    """Writes the results of workitems below the folder `data`."""

    def __init__(self, records: Records, workitems: Workitems, data: Path) -> None:
        self._records = records
        self._workitems = workitems
        self._data = data

    def write(self, item: Workitem, destinations: Iterable[DestinationSettings]) -> list[str]:
        """Write a result in every way that one of `destinations` wants; the kinds of its objects.

        Where there is none, it is written to be looked at here.
        """
        variants = {one.variant: wanted_by(one) for one in destinations} or FOR_NOBODY
        analysis = self._workitems.analysis(item)
        lost: dict[str, str] = {}
        written: set[str] = set()
        for variant, wanted in sorted(variants.items()):
            written |= self._write(analysis, lost, variant, wanted, {})
        tell_lost(self._records, item, lost, NOT_WRITTEN)
        return sorted(written)

    def write_also(self, item: Workitem, settings: DestinationSettings) -> None:
        """Write a result as a destination wants it, too; an object that is there stays as it is."""
        there = {result.identity: result for result in self._records.results.of_workitem(item.id)}
        lost: dict[str, str] = {}
        self._write(
            self._workitems.analysis(item), lost, settings.variant, wanted_by(settings), there
        )
        tell_lost(self._records, item, lost, NOT_WRITTEN)

    def _write(
        self,
        analysis: Analysis,
        lost: dict[str, str],
        variant: str,
        wanted: Wanted,
        there: Mapping[str, WrittenResult],
    ) -> set[str]:
        documents = write_what_can_be(analysis, lost, *wanted, variant)
        self._tell_fallback(analysis, wanted, documents)
        for document in documents:
            if known := there.get(document.identity):
                self._records.results.add(replace(known, variant=variant))
                continue
            keep = partial(self._workitems.keep, analysis.workitem_id, document, variant)
            with_room(self._data, keep)
        return {document.kind for document in documents}

    def _tell_fallback(
        self, analysis: Analysis, wanted: Wanted, documents: Sequence[Document]
    ) -> None:
        """Say that a segmentation is no label map though a destination wants one."""
        _kinds, encoding, *_ = wanted
        made = {document.sop_class_uid for document in documents if document.kind == "seg"}
        if encoding == "labelmap" and made - {LABEL_MAP}:
            self._records.events.add(
                analysis.study.uid, EventKind.CAUTION, OVERLAP, analysis.workitem_id
            )


def tell_lost(records: Records, item: Workitem, lost: Mapping[str, str], what: str) -> None:
    """Say in log and trace `what` happened to each kind of object that is `lost`, and where."""
    for kind, place in lost.items():
        text = f"{kind} {what}: {place}"
        log.error("workitem %s: %s", item.id, text)
        records.events.add(item.study_uid, EventKind.FAILED, text, item.id)
