"""The tables of our records, one file a subject. `models` says what their rows mean.

Names of patients, their IDs, accession numbers and descriptions stand in `listing` alone; what a
person wrote of a `request` may be one, until it is answered. The other tables hold UIDs and our own
ids. What a reader gives as reason is free text (`assessment`).
"""

from hilum.records.tables.alarms import alarm, notice, notifier
from hilum.records.tables.deliveries import commitment, delivery, receipt
from hilum.records.tables.patients import correction, decision, former
from hilum.records.tables.requests import request, step
from hilum.records.tables.schema import metadata
from hilum.records.tables.standings import destination, executor, pause, rejection, source, worklist
from hilum.records.tables.studies import address, event, listing, removal, study, upload
from hilum.records.tables.workitems import assessment, duration, result, subject, workitem

__all__ = [
    "address",
    "alarm",
    "assessment",
    "commitment",
    "correction",
    "decision",
    "delivery",
    "destination",
    "duration",
    "event",
    "executor",
    "former",
    "listing",
    "metadata",
    "notice",
    "notifier",
    "pause",
    "receipt",
    "rejection",
    "removal",
    "request",
    "result",
    "source",
    "step",
    "study",
    "subject",
    "upload",
    "workitem",
    "worklist",
]
