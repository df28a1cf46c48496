"""Alarms: what is wrong now and needs a person's eye."""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hilum.config.site import Site
from hilum.dicom.identity import CORRECTED, DIFFERENT, FORMER
from hilum.inbox.privacy import open_to_others
from hilum.inbox.room import free_mib
from hilum.records import Records
from hilum.records.models import AlarmSince
from hilum.records.states import WorkitemState
from hilum.records.views import refusal_in
from hilum.rejections import Rejection, RejectionKind
from hilum.wording import counted

MOST_NAMED = 5  # studies that an alarm names
MODULE_WORKITEMS = 5  # without a result one after the other, of one module,
MODULE_SECONDS = 24 * 3600.0  # within this time
ANALYSED = (
    WorkitemState.DELIVERING,
    WorkitemState.COMPLETED,
    WorkitemState.PARKED,
    WorkitemState.FAILED,
)
NOT_HEARD = (
    RejectionKind.CALLED,
    RejectionKind.CALLER,
    RejectionKind.ADDRESS,
    RejectionKind.SYNTAX,
    RejectionKind.PROTOCOL,
)
NOT_HEARD_SECONDS = 3600.0  # how long after the last one an alarm stands
NO_ROOM_SECONDS = 120.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Alarm:
    """What is wrong, in a sentence with its cure; `since` is None in the first seconds."""

    name: str
    text: str
    since: float | None = None


class AlarmLog:
    """Notes when an alarm begins and ends, in the records and in the log, once each."""

    def __init__(self, site: Site, records: Records) -> None:
        self._site = site
        self._records = records
        self._known = set(records.alarms.since())

    def check(self) -> None:
        """Compare with the facts; call it every few seconds."""
        alarms = {alarm.name: alarm for alarm in alarms_now(self._site, self._records)}
        for name in alarms.keys() - self._known:
            log.error("alarm: %s", alarms[name].text)
            self._records.alarms.begin(AlarmSince(name, time.time()))
        for name in self._known - alarms.keys():
            log.warning("the alarm is over: %s", name)
            self._records.alarms.end(name)
        self._known = set(alarms)


def alarms_now(site: Site, records: Records) -> list[Alarm]:
    """The alarms of this moment."""
    since = records.alarms.since()
    found = [
        *_short_of_disk(site),
        *_open_folder(site),
        *_of_several_patients(records),
        *_corrected(records),
        *_of_refusals(records, time.time()),
        *_modules_without_results(site, records),
    ]
    return [Alarm(name, text, since.get(name)) for name, text in found]


Found = Iterator[tuple[str, str]]  # name and sentence


def _short_of_disk(site: Site) -> Found:
    free, wanted = free_mib(site.data), max(1, site.receiver.low_water_mb)
    if free < wanted:
        yield (
            "disk",
            f"{free} MiB are free on the disk of {site.data}, {wanted} are wanted "
            "(receiver.low_water_mb): images are refused with 0xA700 and none is fetched; "
            "both go on by themselves when there is room",
        )


def _open_folder(site: Site) -> Found:
    if text := open_to_others(site.data):
        yield "folder", text


def _of_several_patients(records: Records) -> Found:
    """Studies whose images name different patients, or others than before a correction."""
    uids = records.workitems.held_because((DIFFERENT, FORMER))
    yield from _to_be_decided("patients", "it is not certain whose the images are", uids)


def _corrected(records: Records) -> Found:
    """Studies for which corrected patient data were sent that nobody has taken."""
    yield from _to_be_decided("corrections", CORRECTED, records.corrections.open_studies())


def _to_be_decided(name: str, what: str, study_uids: Iterable[str]) -> Found:
    uids = sorted(study_uids)
    if not uids:
        return
    named = ", ".join(f"`hilum decide {uid}`" for uid in uids[:MOST_NAMED])
    more = f" and {len(uids) - MOST_NAMED} more" if len(uids) > MOST_NAMED else ""
    where = counted(len(uids), "study")
    wait = "it waits" if len(uids) == 1 else "they wait"
    yield name, f"{what} in {where}; {wait} until a person decides: {named}{more}"


def _of_refusals(records: Records, now: float) -> Found:
    """Senders that are not heard, and those for whom there is no room."""
    lately = records.rejections.since(now - NOT_HEARD_SECONDS)
    if not_heard := [row for row in lately if row.kind in NOT_HEARD]:
        last = not_heard[0]
        yield (
            "refused",
            f"{_senders(not_heard)} rejected within the last hour, the last one {last.sender}: "
            f"{last.reason}; `hilum status` lists them",
        )
    no_room = [row for row in lately if row.kind is RejectionKind.ROOM]
    if no_room := [row for row in no_room if row.last_at > now - NO_ROOM_SECONDS]:
        last = no_room[0]
        yield (
            "room",
            f"{_senders(no_room)} rejected for lack of room, the last one {last.sender}: "
            f"{last.reason}",
        )


def _senders(rows: Sequence[Rejection]) -> str:
    count = len({(row.address, row.caller) for row in rows})
    return f"{counted(count, 'sender')} {'was' if count == 1 else 'were'}"


def _modules_without_results(site: Site, records: Records) -> Found:
    """Each module whose newest analyses of a day all failed or were refused."""
    since = time.time() - MODULE_SECONDS
    for module in sorted({rule.module for rule in site.rule}):
        newest = records.workitems.newest_of(module, since, ANALYSED, MODULE_WORKITEMS)
        failed = sum(item.failure is not None for item in newest)
        refused = sum(
            item.failure is None and refusal_in(item.findings or ()) is not None for item in newest
        )
        if failed + refused < MODULE_WORKITEMS:
            continue
        yield (
            f"module {module}",
            f"the last {len(newest)} analyses of {module} gave no result: {failed} failed, "
            f"{refused} were refused; `hilum trace {newest[0].study_uid}` says why "
            "the newest did; this alarm ends with the next result",
        )
