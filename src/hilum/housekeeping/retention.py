"""Retention: the images and results of finished studies go by age, or when the disk fills up.

Records stay. A study goes only when every rule has decided on it, nothing of it is under way, and
every result that was owed to somebody was read back there. Its images are put on the list of
`hilum.inbox.removed` before they are deleted, so a process killed at any moment goes on where it
was, and nobody takes them for lost.
"""

import contextlib
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from hilum.config.site import Site
from hilum.dicom.instance import Instance
from hilum.dicom.own import OwnResults
from hilum.errors import UnreadableError
from hilum.inbox import Inbox, heard
from hilum.inbox.removed import Removed
from hilum.inbox.room import MEBIBYTE, filled_percent, free_mib, is_full
from hilum.inbox.versions import Versions
from hilum.records import Records
from hilum.records.models.deliveries import Delivery
from hilum.records.models.studies import Removal, Study
from hilum.records.models.workitems import Workitem
from hilum.records.states import WorkitemState
from hilum.study.arrivals import Arrivals
from hilum.study.workitems import Workitems
from hilum.wording import counted

TURN_SECONDS = 0.05
BATCH = 20  # images
DAY = 86_400.0
YOUNGEST = 3600.0  # seconds a finished study is kept however full the disk is: to look, to withdraw

log = logging.getLogger(__name__)


class Retention:
    """Removes a little in every `turn`, in the thread that also decides about arrivals.

    Parameters
    ----------
    clock
        Gives the time in s since 1970; tests let days pass.
    turn_seconds
        How long a turn may take: the gateway has other things to do.
    filled
        How full the disk of a folder is, in per cent.
    """

    def __init__(
        self,
        site: Site,
        records: Records,
        inbox: Inbox,
        arrivals: Arrivals,
        workitems: Workitems,
        own: OwnResults,
        clock: Callable[[], float] = time.time,
        turn_seconds: float = TURN_SECONDS,
        filled: Callable[[Path], float] = filled_percent,
    ) -> None:
        self._clock = clock
        self._turn_seconds = turn_seconds
        self._filled = filled
        self._own = own
        self._site = site
        self._settings = site.retention
        self._records = records
        self._inbox = inbox
        self._arrivals = arrivals
        self._workitems = workitems
        self._work: Iterator[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a sweep is under way."""
        return self._work is not None

    def sweep(self) -> None:
        """Look for what is to be removed, unless that is still under way; `turn` removes it."""
        if self._work is None:
            self._work = self._steps()

    def turn(self) -> None:
        """Remove for some hundredths of a second."""
        if self._work is None:
            return
        deadline = time.monotonic() + self._turn_seconds
        try:
            for _ in self._work:
                if time.monotonic() > deadline:
                    return
        except OSError as error:
            log.error("cannot remove what is no longer needed: %s", error.strerror)
        self._work = None

    def _steps(self) -> Iterator[None]:
        yield from self._remove_quarantined()
        for study_uid in self._candidates():
            yield
            study = self._records.studies.one(study_uid)
            if (reason := self._reason(study)) and self._is_final(study_uid):
                try:
                    yield from self._remove(study, reason)
                except OSError as error:  # others may go all the same
                    log.error("study %s cannot be removed: %s", study_uid, error.strerror)

    # Which studies, and why ----------------------------------------------------------------------

    def _candidates(self) -> list[str]:
        """The studies that hold decided images and may be old enough, the oldest first."""
        ages = [self._settings.days * DAY] if self._settings.days else []
        ages += [YOUNGEST] if self._is_short_of_room() else []
        if not ages:
            return []
        return self._records.studies.settled_before(self._clock() - min(ages))

    def _reason(self, study: Study) -> str | None:
        """The rule by which `study` is to be removed now, if any."""
        last_arrival = self._records.deliveries.last_arrival(study.study_uid)
        idle = self._clock() - max(study.last_at, last_arrival)
        if self._settings.days and idle > self._settings.days * DAY:
            return f"no news for more than {self._settings.days:g} days"
        if idle > YOUNGEST and self._is_short_of_room():
            return f"the disk is {self._filled(self._site.data):.0f} % full"
        return None

    def _is_short_of_room(self) -> bool:
        limit, data = self._settings.disk_percent, self._site.data
        low = free_mib(data) < 2 * self._site.receiver.low_water_mb
        return bool(limit) and (low or self._filled(data) > limit)

    def _is_final(self, study_uid: str) -> bool:
        """Whether nothing of the study is under way, owed to anybody or waiting for a person."""
        if self._arrivals.is_open(study_uid):
            return False
        if self._records.corrections.is_open(study_uid):
            return False
        items = self._records.workitems.of_study(study_uid)
        return all(self._is_final_item(item) for item in items)  # none where no rule applies

    def _is_final_item(self, item: Workitem) -> bool:
        if item.superseded_by and item.state is WorkitemState.PARKED:
            return True  # nobody waits for it: another run has replaced it
        deliveries = self._deliveries(item)
        has_failed = item.state is WorkitemState.FAILED
        unheard = has_failed and not deliveries and not item.superseded_by
        if not item.state.final or unheard:
            return False  # a failure that nobody was told of is kept
        return all(delivery.state.settled for delivery in deliveries)

    # Removing ------------------------------------------------------------------------------------

    def _remove(self, study: Study, reason: str) -> Iterator[None]:
        """Delete the images, then the results, then say so; goes on with what was begun before."""
        study_uid, folder = study.study_uid, self._inbox.study_folder(study.study_uid)
        files = sorted(folder.glob("*.dcm"))
        removed = Removed.read(folder)
        if removed.begun is not None:  # by a process that was killed; what came since stays
            files = [file for file in files if file.stat().st_ctime < removed.begun]
        elif len(files) > study.settled_images:
            return  # news that no hint told of; the next sweep of the arrivals finds it
        # not by our clock: it is compared with the times of files
        removed = replace(removed, begun=removed.begun or time.time())
        rest = iter(files)
        while batch := list(islice(rest, BATCH)):
            if not self._is_final(study_uid):
                return
            for file in batch:
                removed = removed.including(file, self._is_own_result(file))
            self._write_list(removed, folder, batch)
            for file in batch:
                file.unlink(missing_ok=True)
            yield
        if self._is_final(study_uid):
            self._finish(study_uid, folder, removed, reason)

    def _write_list(self, removed: Removed, folder: Path, batch: list[Path]) -> None:
        try:
            removed.write(folder)
        except OSError as error:
            if not is_full(error):
                raise
            batch[0].unlink()  # makes the room for the list where there is none at all
            removed.write(folder)

    def _finish(self, study_uid: str, folder: Path, removed: Removed, reason: str) -> None:
        results = self._remove_results(study_uid)
        Versions(self._site.data).remove(study_uid)
        heard.remove(self._site.data, study_uid)
        images = len(removed.absent(folder.glob("*.dcm")))
        size = f"{removed.size / MEBIBYTE:.1f} MiB"
        of_results = f"the files of {counted(results, 'result')}"
        text = f"{counted(images, 'image')} ({size}) and {of_results}: {reason}"
        removal = Removal(study_uid, self._clock(), reason, images, removed.size, results)
        self._records.studies.remove_images(removal, text)
        replace(removed, begun=None).write(folder)
        with contextlib.suppress(OSError):  # an image came at this moment, or it had gone before
            folder.rmdir()
        log.info("study %s: removed %s", study_uid, text)

    def _remove_results(self, study_uid: str) -> int:
        """Delete the files of every workitem that somebody else has; return how many there were."""
        count = 0
        for item in self._records.workitems.of_study(study_uid):
            folder = self._workitems.result_folder(item.id)
            is_completed = item.state is WorkitemState.COMPLETED
            is_only_copy = is_completed and not self._deliveries(item)
            if folder.exists() and not is_only_copy:
                shutil.rmtree(folder)
                count += 1
        return count

    def _remove_quarantined(self) -> Iterator[None]:
        if not self._settings.quarantine_days:
            return
        oldest = self._clock() - self._settings.quarantine_days * DAY
        for file in self._inbox.quarantine_folder.iterdir():
            if file.is_file() and file.stat().st_mtime < oldest:
                file.unlink()
                log.info("removed %s from the quarantine", file.name)
            yield

    def _deliveries(self, item: Workitem) -> list[Delivery]:
        return self._records.deliveries.of_workitem(item.id)

    def _is_own_result(self, file: Path) -> bool:
        try:
            return Instance.read(file, self._own).is_own_result
        except (UnreadableError, OSError):
            return False
