"""The records as plain values: what `status`, `trace`, `demo --json` and the console all show."""

import dataclasses
import time
from collections.abc import Iterator
from textwrap import shorten
from typing import Any

import sqlalchemy as sa

from hilum.config.site import Site
from hilum.dicom.identity import CORRECTED, DIFFERENT, FORMER
from hilum.errors import HilumError
from hilum.inbox import set_apart_in
from hilum.inbox.privacy import open_to_others
from hilum.inbox.room import free_mib
from hilum.records import Records, tables
from hilum.records.refusals import alarms_of_refusals
from hilum.records.refusals import refusals as recorded_refusals
from hilum.records.states import OWED, Delivery, State
from hilum.wording import counted

View = dict[str, Any]
MOST_NAMED = 5  # studies that an alarm names
LONGEST_REFUSAL = 300  # characters
ALARM_WORKITEMS = 5  # without a result one after the other, of one module,
ALARM_SECONDS = 24 * 3600.0  # within this time
ANALYSED = (State.DELIVERING, State.COMPLETED, State.PARKED, State.FAILED)
OPEN = tuple(state for state in State if not state.over)


def studies(records: Records, limit: int = 100) -> list[View]:
    """The studies that came in last, and whatever is not done or waits for a person."""
    rows = records.find(tables.study, order_by="-last_at", limit=limit)
    open_ones = records.find(tables.workitem, order_by="-created", state=OPEN)
    uids = dict.fromkeys(row["study_uid"] for row in [*rows, *open_ones])
    return [study(records, uid) for uid in uids]


def study(records: Records, study_uid: str) -> View:
    """One study: how many images, when, and every workitem in full; `LookupError` if unknown."""
    row = records.one(tables.study, study_uid=study_uid)
    items = records.find(tables.workitem, study_uid=study_uid, order_by="created")
    removals = [
        {key: removal[key] for key in ("at", "reason", "images", "bytes", "results")}
        for removal in records.find(tables.removal, study_uid=study_uid)
    ]
    return {
        "study_uid": study_uid,
        "images": row["images"],
        "first_at": row["first_at"],
        "last_at": row["last_at"],
        "settled": bool(row["settled_images"] or removals),
        "corrected": bool(
            records.find(tables.correction, study_uid=study_uid, is_open=True, limit=1)
        ),
        "removed": removals[0] if removals else None,
        "workitems": [_workitem(records, item) for item in items],
    }


def study_called(records: Records, ending: str) -> str:
    """The UID that is `ending`, or else the one that ends so; `HilumError` without exactly one.

    It looks at every study that the trace names, also where none of its images was taken in.
    """
    uid = tables.event.c.study_uid
    query = sa.select(uid).where(uid.endswith(ending, autoescape=True)).distinct()
    found = [str(row["study_uid"]) for row in records.select(query)]
    if ending not in found and len(found) != 1:
        many = "several studies end" if found else "no study ends"
        raise HilumError(f"{many} in {ending}; `hilum status` lists those that came in")
    return ending if ending in found else found[0]


def trace(records: Records, study_uid: str) -> list[View]:
    """Every event of one study in order; at its end, what is tried again and when."""
    return events(records, study_uid) + _planned(records, study_uid)


def events(records: Records, study_uid: str) -> list[View]:
    """What has happened to one study, in order."""
    modules = _modules(records, study_uid)
    return [
        {
            "at": row["at"],
            "kind": row["kind"],
            "text": row["text"],
            "workitem": row["workitem_id"],
            "module": modules.get(row["workitem_id"], ""),
        }
        for row in records.find(tables.event, study_uid=study_uid, order_by="id")
    ]


def _modules(records: Records, study_uid: str) -> dict[str, str]:
    """The module of every workitem of a study."""
    table = tables.workitem  # not the whole rows: they hold verdicts and findings
    query = sa.select(table.c.id, table.c.module).where(table.c.study_uid == study_uid)
    return {row["id"]: row["module"] for row in records.select(query)}


def _planned(records: Records, study_uid: str) -> list[View]:
    modules = _modules(records, study_uid)
    waiting = records.find(
        tables.delivery, workitem_id=tuple(modules), state=OWED, order_by="owed_at"
    )
    silent = {row["name"] for row in records.find(tables.destination, state="silent")}
    return [
        {
            "at": row["next_attempt"] or row["owed_at"],
            "kind": "next",
            "text": f"attempt {row['attempts'] + 1} at {row['destination']}"
            + (", as soon as it answers" if row["destination"] in silent else ""),
            "workitem": row["workitem_id"],
            "module": modules[row["workitem_id"]],
        }
        for row in waiting
    ]


def destinations(site: Site, records: Records) -> list[View]:
    """Where results go: whether each answers, since when, and how much it still has to take."""
    rows = {row["name"]: row for row in records.find(tables.destination)}
    count = sa.func.count().label("count")
    table = tables.delivery
    query = sa.select(table.c.destination, table.c.state, count)
    counts = records.select(query.group_by(table.c.destination, table.c.state))
    proven = {row["destination"] for row in counts if row["state"] == Delivery.VERIFIED}
    return [
        {
            "name": destination.name,
            "kind": destination.kind,
            "receives": destination.variant,
            "state": "answers" if destination.name in proven else "not asked yet",
            "since": None,
            "problem": "",
            **rows.get(destination.name, {}),
            "deliveries": {
                row["state"]: row["count"]
                for row in counts
                if row["destination"] == destination.name
            },
        }
        for destination in site.destination
    ]


def quarantine(site: Site, newest: int = 100, skip: int = 0) -> View:
    """What was received and not taken in: how many objects, and some of them with the reasons."""
    total, listed = set_apart_in(site.data, newest, skip)
    objects = [
        {
            "at": item.at,
            "reason": item.reason,
            "advice": item.advice,
            "sender": item.sender,
            "study_uid": item.study_uid,
            "file": item.path.name,
        }
        for item in listed
    ]
    return {"total": total, "folder": str(site.data / "quarantine"), "objects": objects}


def sources(site: Site, records: Records) -> list[View]:
    """The archives that are watched: whether they answer, since when, and how far the watch is."""
    rows = {row["name"]: row for row in records.find(tables.source)}
    return [
        {
            "name": source.name,
            "kind": source.kind,
            "state": "not started",
            **{key: value for key, value in rows.get(source.name, {}).items() if key != "cursor"},
        }
        for source in site.source
    ]


def refusals(records: Records) -> list[View]:
    """Who was refused by the receiver, why and how often, the latest first."""
    return [dataclasses.asdict(row) for row in recorded_refusals(records)]


def alarms(site: Site, records: Records) -> list[View]:
    """What is wrong now: each has a name, a sentence, and `since`, None in the first seconds."""
    begun = {row["name"]: row["since"] for row in records.find(tables.alarm)}
    found = [
        *_short_of_disk(site),
        *_open_folder(site),
        *_of_several_patients(records),
        *_corrected(records),
        *_of_refusals(records),
        *_modules_without_results(site, records),
    ]
    return [{**alarm, "since": begun.get(alarm["name"])} for alarm in found]


def _of_several_patients(records: Records) -> list[View]:
    """Studies whose images name different patients, or others than before a correction."""
    table = tables.workitem
    reasons = sa.or_(*(table.c.reason.startswith(text) for text in (DIFFERENT, FORMER)))
    query = sa.select(table.c.study_uid).where(table.c.state == State.HELD, reasons).distinct()
    return _to_be_decided(records, query, "patients", "it is not sure whose the images are")


def _corrected(records: Records) -> list[View]:
    """Studies for which corrected patient data were sent that nobody has taken."""
    table = tables.correction
    query = sa.select(table.c.study_uid).where(table.c.is_open).distinct()
    return _to_be_decided(records, query, "corrections", CORRECTED)


def _to_be_decided(
    records: Records, query: sa.Select[tuple[str]], name: str, what: str
) -> list[View]:
    uids = sorted(row["study_uid"] for row in records.select(query))
    if not uids:
        return []
    named = ", ".join(f"`hilum decide {uid}`" for uid in uids[:MOST_NAMED])
    more = f" and {len(uids) - MOST_NAMED} more" if len(uids) > MOST_NAMED else ""
    where = counted(len(uids), "study")
    wait = "it waits" if len(uids) == 1 else "they wait"
    text = f"{what} in {where}; {wait} until a person decides: {named}{more}"
    return [{"name": name, "text": text}]


def _open_folder(site: Site) -> list[View]:
    text = open_to_others(site.data)
    return [{"name": "folder", "text": text}] if text else []


def _of_refusals(records: Records) -> list[View]:
    """Senders that are not heard, and those for whom there is no room."""
    sentences = alarms_of_refusals(records, time.time())
    return [{"name": name, "text": text} for name, text in sentences.items()]


def _short_of_disk(site: Site) -> list[View]:
    free, wanted = free_mib(site.data), max(1, site.receiver.low_water_mb)
    if free >= wanted:
        return []
    return [
        {
            "name": "disk",
            "free_mib": free,
            "wanted_mib": wanted,
            "text": f"{free} MiB are free on the disk of {site.data}, {wanted} are wanted "
            "(receiver.low_water_mb): images are refused with 0xA700 and none is fetched; "
            "both go on by themselves when there is room",
        }
    ]


def _modules_without_results(site: Site, records: Records) -> Iterator[View]:
    """Each module whose newest analyses of a day all failed or were refused."""
    table = tables.workitem
    for module in sorted({rule.module for rule in site.rule}):
        query = (
            sa.select(table.c.study_uid, table.c.failure, table.c.findings)
            .where(table.c.module == module, table.c.created > time.time() - ALARM_SECONDS)
            .where(table.c.state.in_(ANALYSED))
            .order_by(table.c.created.desc())
            .limit(ALARM_WORKITEMS)
        )
        newest = records.select(query)
        if len(newest) < ALARM_WORKITEMS or any(map(_has_result, newest)):
            continue
        failed = sum(row["failure"] is not None for row in newest)
        yield {
            "name": f"module {module}",
            "failed": failed,
            "refused": len(newest) - failed,
            "text": f"the last {len(newest)} analyses of {module} gave no result: {failed} failed, "
            f"{len(newest) - failed} were refused; `hilum trace {newest[0]['study_uid']}` says why "
            "the newest did; this alarm ends with the next result",
        }


def _has_result(row: tables.Row) -> bool:
    """Whether an analysis gave more than a refusal."""
    return row["failure"] is None and _refusal(row) is None


def _refusal(row: tables.Row) -> str | None:
    """The sentence, shortened, that says why there is no result; None if there is one."""
    findings = row["findings"] or ()
    said = [finding["text"] for finding in findings if finding["kind"] == "refusal"]
    if not said or {finding["kind"] for finding in findings} - {"refusal", "note"}:
        return None
    return shorten(said[0], LONGEST_REFUSAL, placeholder=" ...")


def _workitem(records: Records, item: tables.Row) -> View:
    deliveries = records.find(tables.delivery, workitem_id=item["id"])
    verified = {d["destination"]: d["state"] == Delivery.VERIFIED for d in deliveries}
    results = records.find(tables.result, workitem_id=item["id"])
    chosen = [verdict for verdict in item["verdicts"] if verdict["accepted"]]
    return {
        "id": item["id"],
        "module": item["module"],
        "version": item["version"],
        "weights_sha256": item["weights_sha256"],
        "state": item["state"],
        "reason": item["reason"],
        "chosen_series": chosen,
        "rejected_series": [v for v in item["verdicts"] if not v["accepted"]],
        "incomplete": item["incomplete"],
        "predecessor": item["predecessor"],
        "superseded_by": item["superseded_by"],
        "refusal": _refusal(item),
        "is_withdrawal": {row["kind"] for row in results} == {"ko"},
        "findings": item["findings"] or [],
        "results": [
            {
                "kind": row["kind"],
                "sop_class_uid": row["sop_class_uid"],
                "sop_instance_uid": row["sop_instance_uid"],
                "verified": bool(verified) and all(verified.values()),
            }
            for row in results
        ],
        "deliveries": [
            {key: d[key] for key in ("destination", "state", "attempts", "reason", "next_attempt")}
            for d in deliveries
        ],
    }
