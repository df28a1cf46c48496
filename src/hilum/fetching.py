"""One study is fetched from an archive, as asked for: the images come, and the rules decide.

It runs in threads of the gateway, one for each archive, so a slow one holds up nothing else. The
request stands in the records until it is answered: after a crash it is begun again, and what is
here by then is not fetched twice.
"""

import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from hilum.config.site import Site
from hilum.errors import (
    DeliveryDelayed,
    HilumError,
    SourceDelayed,
    SourceError,
    SourceRefused,
    where,
)
from hilum.hints import Counted, HintSender, Released, gateway_address, hint_of
from hilum.inbox import Inbox
from hilum.inbox.room import require_room
from hilum.logs import going_on
from hilum.records import Records
from hilum.records.models.requests import Request
from hilum.records.states import EventKind
from hilum.retrieving import Listed, ListingArchive, RetrievableArchive, SendingArchive
from hilum.searching import SearchedArchive, StudySearch
from hilum.why.archives import Archive, archives_of
from hilum.wording import counted, suggestion

LARGEST_SHARE = 4  # one object takes at most one part in so many of the receiver's memory
TELL_SECONDS = 1.0  # between two notes of how far it is
IDLE_SECONDS = 10.0  # whoever asks wakes us
AGAIN_SECONDS = (5.0, 15.0, 60.0, 300.0)  # before the next attempt, where it may help

log = logging.getLogger(__name__)


class NotFetchedError(HilumError):
    """Why a study is not fetched, in words for the person who asked."""


class Fetches:
    """Everything that people have fetched from the archives of `site`."""

    def __init__(self, site: Site, records: Records, inbox: Inbox) -> None:
        self._site = site
        self._records = records
        self._wakers: dict[str, threading.Event] = {}
        self._archives = {
            archive.name: archive for archive in archives_of(site) if archive.can_be_fetched_from
        }
        self._fetch = Fetch(site, records, inbox)

    def start(self) -> None:
        """Fetch in threads of this process, which end with it."""
        for name, archive in self._archives.items():
            self._wakers[name] = threading.Event()
            threading.Thread(
                target=self._keep_fetching, args=(archive,), name=f"fetch {name}", daemon=True
            ).start()

    def wake(self) -> None:
        """Tell the threads that something may have been asked for."""
        for asked in self._records.requests.to_fetch():
            if asked.wish.archive not in self._archives:
                near = suggestion(asked.wish.archive, self._archives)
                text = f"nothing can be fetched from {asked.wish.archive or 'nowhere'}{near}"
                self._records.requests.answer(asked.id, False, f"not fetched: {text}")
        for waker in self._wakers.values():
            waker.set()

    def _keep_fetching(self, archive: Archive) -> None:
        attempts: Counter[int] = Counter()
        due: dict[int, float] = {}
        while True:
            self._wakers[archive.name].clear()
            with going_on(f"fetching from {archive.name}", log):
                for asked in self._records.requests.to_fetch():
                    is_due = due.get(asked.id, 0.0) <= time.monotonic()
                    if asked.wish.archive == archive.name and is_due:
                        pause = self._fetch.attempt(archive, asked, attempts[asked.id])
                        attempts[asked.id] += 1
                        due[asked.id] = time.monotonic() + pause
            now = time.monotonic()
            left = (at - now for at in due.values() if at > now)
            self._wakers[archive.name].wait(min([*left, IDLE_SECONDS]))


class Fetch:
    """Makes one attempt after the other to fetch a study into the inbox of `site`."""

    def __init__(self, site: Site, records: Records, inbox: Inbox) -> None:
        self._site = site
        self._records = records
        self._inbox = inbox
        self._hints = HintSender(gateway_address(site.data))

    def attempt(self, archive: Archive, asked: Request, before: int) -> float:
        """Make one attempt after so many `before`, and note how it ended.

        Where the archive or the disk may be able later, it is tried again after the seconds that
        are given.
        """
        answer, may_later = self._records.requests.answer, False
        try:
            text = self._fetched(archive, asked)
            answer(asked.id, True, text)
            return 0.0
        except (SourceDelayed, DeliveryDelayed) as error:
            why, may_later = str(error), True
        except HilumError as error:
            why = str(error)
        except OSError as error:
            why, may_later = f"it cannot be stored here: {error.strerror}", True
        except Exception as error:  # noqa: BLE001 - around one study: it is answered, others go on
            why = f"an answer in an unexpected form ({where(error)})"
        if may_later and before < len(AGAIN_SECONDS):
            pause = AGAIN_SECONDS[before]
            self._records.requests.note_progress(asked.id, f"{why}; again in {pause:.0f} s")
            return pause
        answer(asked.id, False, f"not fetched: {why}")
        return 0.0

    def _fetched(self, archive: Archive, asked: Request) -> str:
        """Fetch what is missing here of a study; what came of it, in words."""
        with archive.opened() as opened:
            study_uid: str = asked.study_uid or self._searched(archive.name, opened, asked)
            self._records.requests.note_study(asked.id, study_uid)
            with way_of(opened) as way:
                if isinstance(way, ListingArchive):
                    return self._taken(archive.name, way, study_uid, asked)
                return self._sent(archive.name, way, study_uid, asked)

    def _searched(self, name: str, opened: SearchedArchive, asked: Request) -> str:
        """The UID of the one study there with the accession number, or UID, that was asked for."""
        wanted = replace(StudySearch.by_any(asked.reason), patient_id="")
        if not wanted.keys:
            raise NotFetchedError("an accession number, or a Study Instance UID, is needed")
        found = sorted(set(opened.search(wanted)))
        if not found:
            raise NotFetchedError(f"{name} does not have it")
        if len(found) > 1:
            text = f"{name} has {counted(len(found), 'study')} with this accession number"
            raise NotFetchedError(f"{text}: name one by its Study Instance UID: {', '.join(found)}")
        return found[0]

    def _taken(self, name: str, opened: ListingArchive, study_uid: str, asked: Request) -> str:
        listed = opened.listed(study_uid)
        called = self._records.results.called  # what we have sent there ourselves
        images = [one for one in listed if not called(one.sop_instance_uid)]
        if not images:
            raise NotFetchedError(f"{name} has no images of the study {study_uid}")
        missing = [one for one in images if not self._is_here(one)]
        if not missing:
            here = counted(len(images), "image")
            raise NotFetchedError(f"all {here} are here already: `hilum rerun {study_uid}`")
        text = f"as was asked for, {counted(len(missing), 'image')} are fetched from {name}"
        self._records.events.add(study_uid, EventKind.RECEIVING, text)
        association, caller = uuid.uuid4().hex[:12], f"{name} (fetched)"
        for series, number in Counter(one.series_uid for one in images).items():
            self._hints.send(Counted(study_uid, series, number))
        problems = self._stored(name, opened, missing, asked, (association, caller))
        self._hints.send(Released(association, caller, "has given all of it"))
        if problems:
            some = f"{len(problems)} of {counted(len(missing), 'image')} cannot be had of {name}"
            raise NotFetchedError(f"{some}: {problems[0]}; the others are here")
        return f"{counted(len(missing), 'image')} fetched from {name}; the rules decide on them"

    def _stored(
        self,
        name: str,
        opened: ListingArchive,
        missing: Sequence[Listed],
        asked: Request,
        came_by: tuple[str, str],
    ) -> list[str]:
        """Fetch each image; why some could not be had."""
        association, caller = came_by
        problems = []
        largest = (self._site.receiver.memory_mb << 20) // LARGEST_SHARE
        tell = self._teller(asked)
        for number, one in enumerate(missing):
            tell(f"{number} of {counted(len(missing), 'image')} fetched from {name}")
            require_room(self._site.data, self._site.receiver.low_water_mb)
            try:
                content = opened.fetch(one, largest)
            except (SourceDelayed, SourceRefused):
                raise  # the archive itself
            except SourceError as error:
                problems.append(str(error))
                continue
            if content is None:
                problems.append("it is listed, but not there when asked for")
                continue
            stored = self._inbox.store(content, name)
            self._hints.send(hint_of(stored, association, caller, one.study_uid, late=True))
        return problems

    def _sent(self, name: str, opened: SendingArchive, study_uid: str, asked: Request) -> str:
        """Have the archive send it to our own receiver, which sees to room and duplicates."""
        require_room(self._site.data, self._site.receiver.low_water_mb)
        text = f"as was asked for, {name} is to send it"
        self._records.events.add(study_uid, EventKind.RECEIVING, text)
        tell = self._teller(asked)
        last = None
        for last in opened.send_to(study_uid, self._site.receiver.ae_title):
            tell(f"{last.sent} of {counted(last.sent + last.left, 'object')} sent by {name}")
        if last is None or not (last.sent or last.failed):
            raise NotFetchedError(f"{name} has sent nothing of the study {study_uid}")
        if last.failed:
            some = f"{last.failed} of {counted(last.sent + last.failed, 'object')}"
            text = f"{name} could not send {some}"
            raise NotFetchedError(f"{text}: its log names the cause; then ask again")
        return f"{name} has sent {counted(last.sent, 'object')}; the rules decide on them"

    def _is_here(self, one: Listed) -> bool:
        return self._inbox.path_of(one.study_uid, one.sop_instance_uid).exists()

    def _teller(self, asked: Request) -> Callable[[str], None]:
        """Notes how far it is, once in `TELL_SECONDS`."""
        told = float("-inf")

        def tell(text: str) -> None:
            nonlocal told
            if time.monotonic() - told >= TELL_SECONDS:
                told = time.monotonic()
                self._records.requests.note_progress(asked.id, text)

        return tell


def way_of(opened: Any) -> AbstractContextManager[ListingArchive | SendingArchive]:
    """How a study is fetched from an archive."""
    return opened.retrieving() if isinstance(opened, RetrievableArchive) else nullcontext(opened)
