"""What a result takes the place of: the results of the workitems that it replaces."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from hilum.objects.analysis import WrittenFile
from hilum.records import Records
from hilum.records.models.deliveries import WrittenResult
from hilum.records.models.workitems import Workitem
from hilum.records.states import WorkitemState
from hilum.results import DICOM


def results_replaced_by(records: Records, item: Workitem) -> list[WrittenResult]:
    """The results of the nearest predecessor that has any; a cancelled one has none."""
    found = map(records.results.of_workitem, _predecessors(records, item))
    return next(filter(None, found), [])


def files_replaced_by(records: Records, item: Workitem) -> list[WrittenResult]:
    """Of each kind other than DICOM those of the nearest predecessor that has any.

    The nearest one may have had other destinations, and so other kinds.
    """
    files: dict[str, list[WrittenResult]] = {}
    for before in _predecessors(records, item):
        results = records.results.of_workitem(before)
        for kind in {one.kind for one in results if one.media_type != DICOM}:
            files.setdefault(kind, [one for one in results if one.kind == kind])
    return [one for kind in sorted(files) for one in files[kind]]


def _predecessors(records: Records, item: Workitem) -> Iterator[str]:
    """The ids of those that it replaces, the nearest first.

    None that was taken back, nor any before it: a note says what became of them.
    """
    while item.predecessor:
        item = records.workitems.one(item.predecessor)
        if item.state is WorkitemState.WITHDRAWN:
            return
        yield item.id


def taken_back(records: Records, run: str, in_order: bool) -> Workitem | None:
    """The run by whose withdrawal what was told about `run` is taken back, too; None if it stands.

    Where results go `in_order`, that may be one that has taken its place.
    """
    item: Workitem | None = records.workitems.one(run)
    while item and item.state is not WorkitemState.WITHDRAWN:
        newer = item.superseded_by if in_order else None
        item = records.workitems.get(newer) if newer else None
    return item


def contents_of(data: Path, results: Iterable[WrittenResult]) -> tuple[WrittenFile, ...]:
    """The files of results as a writer wants them, without those that are gone from `data`."""
    paths = {one: data / one.path for one in results}
    return tuple(
        WrittenFile(one.kind, one.identity, path.read_bytes())
        for one, path in paths.items()
        if path.exists()
    )
