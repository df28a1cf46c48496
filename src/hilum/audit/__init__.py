"""Who did what: the audit trail, which nobody can change unseen.

`entry.py` says what one entry holds. `store.py` keeps the entries in a database of their own, where
each is sealed with the one before; `chain.py` verifies that. `auditor.py` is what pages, API and
commands note through. `messages.py`, `syslog.py` and `sending.py` tell a hospital's own collector.
"""

from hilum.audit.auditor import Actor, Auditor, audit_file
from hilum.audit.entry import (
    AuditedAct,
    AuditedObject,
    AuditEntry,
    AuditNote,
    AuditOutcome,
    ObjectType,
    Origin,
)
from hilum.audit.store import AuditStore

__all__ = [
    "Actor",
    "AuditEntry",
    "AuditNote",
    "AuditOutcome",
    "AuditStore",
    "AuditedAct",
    "AuditedObject",
    "Auditor",
    "ObjectType",
    "Origin",
    "audit_file",
]
