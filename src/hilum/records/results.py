"""The result objects that were written, and where they lie."""

from collections.abc import Iterable

from hilum.records import tables
from hilum.records.database import Database
from hilum.records.models.deliveries import WrittenResult
from hilum.records.rows import Rows

result = tables.result.c


class ResultRecords:
    """The results of all workitems."""

    def __init__(self, database: Database) -> None:
        self._rows = Rows(database, tables.result, WrittenResult)

    def add(self, written: WrittenResult) -> bool:
        """Record a result; False if it was recorded before."""
        return self._rows.add(written)

    def of_workitem(self, workitem_id: str) -> list[WrittenResult]:
        """The results of one workitem, in all variants."""
        return self._rows.find(result.workitem_id == workitem_id)

    def of_workitems(self, workitem_ids: Iterable[str]) -> list[WrittenResult]:
        """The results of several workitems, for lists: without one that cannot be read."""
        return self._rows.find_readable(result.workitem_id.in_(workitem_ids))

    def of_variant(self, workitem_id: str, variant: str) -> list[WrittenResult]:
        """The results that destinations of one variant receive."""
        return self._rows.find(result.workitem_id == workitem_id, result.variant == variant)

    def workitems_with(self, identities: Iterable[str]) -> list[str]:
        """Ids of the workitems that have written any object with one of these identities."""
        found = self._rows.find_among(result.identity, identities)
        return list(dict.fromkeys(one.workitem_id for one in found))

    def called(self, identity: str) -> WrittenResult | None:
        """A result with this SOP Instance UID, if we have written any."""
        return self._rows.first(result.identity == identity)
