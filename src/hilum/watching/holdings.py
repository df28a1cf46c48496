"""Tells which objects of the watched archives are here already."""

import hashlib

from hilum.inbox import Inbox, Receipt
from hilum.inbox.removed import was_removed
from hilum.records import Records
from hilum.sources import Listed


class SiteHoldings:
    """The `Holdings` of a site: in the inbox or removed from it, in quarantine, or made by us."""

    def __init__(self, inbox: Inbox, records: Records) -> None:
        self._inbox = inbox
        self._records = records
        self._elsewhere: dict[str, str] = {}  # MD5 by SOP Instance UID

    def holds(self, instance: Listed) -> bool:
        uid = instance.sop_instance_uid
        path = self._inbox.path_of(instance.study_uid, uid)
        return (
            path.exists()
            or was_removed(path)
            or uid in self._elsewhere
            or self._records.results.called(uid) is not None
        )

    def md5(self, instance: Listed) -> str | None:
        if known := self._elsewhere.get(instance.sop_instance_uid):
            return known
        path = self._inbox.path_of(instance.study_uid, instance.sop_instance_uid)
        return _md5(path.read_bytes()) if path.exists() else None

    def note(self, instance: Listed, stored: Receipt, content: bytes) -> None:
        """Remember an instance that does not lie where it is looked for: it was fetched once."""
        if stored.path != self._inbox.path_of(instance.study_uid, instance.sop_instance_uid):
            self._elsewhere[instance.sop_instance_uid] = _md5(content)
        else:
            self._elsewhere.pop(instance.sop_instance_uid, None)


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
