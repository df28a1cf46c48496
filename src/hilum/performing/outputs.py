"""Which results a step has, and where they can be retrieved."""

from collections.abc import Iterator

from hilum.config.ends import DicomNode, DicomwebService
from hilum.config.kinds import DestinationSettings
from hilum.config.site import Site
from hilum.records import Records
from hilum.records.models.deliveries import WrittenResult
from hilum.records.models.workitems import Workitem
from hilum.records.states import ARRIVED
from hilum.results import DICOM
from hilum.worklists import OutputSeries


def outputs_of(site: Site, records: Records, item: Workitem) -> tuple[OutputSeries, ...]:
    """The series of the DICOM results of a workitem, for each destination where they arrived."""
    settings = {destination.name: destination for destination in site.destination}
    found: list[OutputSeries] = []
    for delivery in records.deliveries.of_workitem(item.id):
        if delivery.state in ARRIVED:
            written = records.results.of_variant(item.id, delivery.variant)
            found += _series(site, written, settings.get(delivery.destination))
    if not found:  # they stay here
        found += _series(site, records.results.of_workitem(item.id), None)
    return tuple(found)


def _series(
    site: Site, written: list[WrittenResult], place: DestinationSettings | None
) -> Iterator[OutputSeries]:
    from hilum.dicom.instance import Instance

    series: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for result in written:
        if result.media_type == DICOM and (site.data / result.path).exists():
            read = Instance.read(site.data / result.path)
            pairs = series.setdefault((read.study_uid, read.series_uid), [])
            pairs.append((result.sop_class_uid, result.identity))
    for (study_uid, series_uid), instances in series.items():
        yield OutputSeries(
            study_uid,
            series_uid,
            tuple(sorted(instances)),
            place.ae_title if isinstance(place, DicomNode) else "",
            f"{place.url}/studies/{study_uid}/series/{series_uid}"
            if isinstance(place, DicomwebService)
            else "",
        )
