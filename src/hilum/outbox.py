"""The outbox: what every destination still has to show, and when it is tried again.

A delivery is a row of the records and needs no more: to go on after a crash, the destination is
asked what it does not hold. Every destination has a thread of its own, so one that is down, slow or
hanging delays no other. One that does not answer is called every few seconds and gets everything at
once when it does; one that answers, but cannot take an object now, is tried again after pauses that
grow to half an hour, for days.
"""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from hilum.config.site import Destination as Settings
from hilum.config.site import Site
from hilum.destinations import Destination, open_destination
from hilum.errors import ConfigurationError, DeliveryDelayed, HilumError, where
from hilum.logs import going_on
from hilum.records import Records, tables
from hilum.records.states import OWED, Delivery, State
from hilum.wording import counted
from hilum.workitems import Workitems

READ_BACK_PAUSES = (0.0, 0.1, 0.3, 1.0, 3.0)  # an archive may need a moment to index
FIRST_RETRY_SECONDS = 2.0
LAST_RETRY_SECONDS = 1800.0
CALL_SECONDS = 3.0  # between two calls to a destination that is silent
ANYWAY_SECONDS = 600.0  # of silence, before one delivery is attempted all the same
IDLE_SECONDS = 10.0  # whoever has something to deliver wakes us
LOOK_SECONDS = 1.0  # where several machines may work: a worker elsewhere cannot wake us
EAGER_ATTEMPTS = 5  # what failed more often is not hurried when the destination answers again

log = logging.getLogger(__name__)


class Outbox:
    """The deliveries of `site`. `clock` gives the time in s since 1970; tests let hours pass."""

    def __init__(
        self,
        site: Site,
        records: Records,
        workitems: Workitems,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._site = site
        self._records = records
        self._workitems = workitems
        self._clock = clock
        self._wakers: dict[str, threading.Event] = {}
        self._tried: dict[str, float] = {}  # silent ones, when they were last sent something
        self._stopping = False

    def start(self) -> None:
        """Deliver in threads of this process until `stop`."""
        self._close_undefined()
        for settings in self._site.destination:
            self._wakers[settings.name] = threading.Event()
            threading.Thread(
                target=self._keep_delivering, args=(settings,), name=settings.name, daemon=True
            ).start()

    def wake(self) -> None:
        """There may be something new to deliver."""
        for waker in self._wakers.values():
            waker.set()

    def stop(self) -> None:
        """Begin no further attempt; one under way is finished, or repeated after the next start."""
        self._stopping = True
        self.wake()

    def owed(
        self, workitem_id: str, destination: str, variant: str, images: bool
    ) -> tuple[sa.Table, tables.Row]:
        """The row that says that `destination` is to receive a variant of the results.

        It is put in the transaction that makes the workitem *delivering*: one without all its rows
        would look delivered.
        """
        row: tables.Row = {"workitem_id": workitem_id, "destination": destination}
        row |= {
            "variant": variant,
            "images": images,
            "state": Delivery.WAITING,
            "owed_at": self._clock(),
        }
        return tables.delivery, row

    def deliver_next(self, settings: Settings) -> float:
        """Attempt the first delivery that is due at a destination; seconds until the next turn."""
        silent = self._is_silent(settings.name)
        if silent and _answers(settings):
            self._note_answer(settings.name)
            silent = False
        if silent and not self._try_anyway(settings.name):
            return CALL_SECONDS
        row = self._first_due(settings.name)
        if row is None:
            return self._pause(settings.name)
        taken_back = self._state_of(row) in (State.WITHDRAWN, State.CANCELLED)
        if taken_back:
            self._note(row, Delivery.CANCELLED, "not sent, the result was taken back")
            return 0.0
        answers = self._attempt(row, settings, silent)
        if silent and answers:
            self._note_answer(settings.name)
        self.settle(row["workitem_id"])
        return 0.0 if answers else CALL_SECONDS

    def _attempt(self, row: tables.Row, settings: Settings, silent: bool) -> bool:
        """Deliver one row and note how it ended; False if the destination does not answer."""
        number = row["attempts"] + 1
        try:
            peer = open_destination(settings)
            count = self._hand_over(row, peer)
        except (DeliveryDelayed, OSError) as error:
            if silent:
                return False
            answers = self._still_answers(settings, str(error))
            pause = retry_seconds(number)
            then = f"again in {pause:.0f} s" if answers else "sent as soon as it answers"
            text = f"attempt {number}: {error}; {then}"
            self._note(
                row,
                Delivery.DELAYED,
                text,
                attempts=number,
                next_attempt=self._clock() + pause,
            )
            return answers
        except HilumError as error:
            self._note(row, Delivery.REFUSED, str(error), attempts=number)
        except Exception as error:  # noqa: BLE001 - around one delivery: it ends, others go on
            log.error("delivery to %s: %s", settings.name, where(error))
            text = f"not sent for a reason nobody foresaw: {where(error)}"
            self._note(row, Delivery.REFUSED, text, attempts=number)
        else:
            text = f"{counted(count, 'object')} read back from {settings.name}"
            self._note(row, Delivery.VERIFIED, text, attempts=number, verified_at=self._clock())
        return True

    def _hand_over(self, row: tables.Row, peer: Destination) -> int:
        """Send what the destination does not show yet, then read back; how many objects it has."""
        files = self._workitems.files_for(row["workitem_id"], row["destination"])
        if missing := peer.missing(files):  # asked first: a crash may have hidden a sending
            peer.send(missing)
            self._read_back(peer, missing)
        return len(files)

    def _read_back(self, peer: Destination, files: list[Path]) -> None:
        for pause in READ_BACK_PAUSES:
            time.sleep(pause)
            if not (missing := peer.missing(files)):
                return
        raise DeliveryDelayed(f"accepted, but {len(missing)} of {len(files)} are not shown")

    def settle(self, workitem_id: str) -> None:
        """Draw the state of a workitem that was written from its deliveries.

        Also called for all of them by the sweep: a crash may have come before it.
        """
        deliveries = self._records.find(tables.delivery, workitem_id=workitem_id)
        item = self._records.one(tables.workitem, id=workitem_id)
        refused = [d for d in deliveries if d["state"] == Delivery.REFUSED]
        if refused:
            reason = "; ".join(f"{d['destination']}: {d['reason']}" for d in refused)
            if item["reason"] != reason:
                self._records.set_state(workitem_id, State.PARKED, reason)
            return
        if not all(Delivery(d["state"]).settled for d in deliveries):
            return
        if item["failure"]:
            self._records.set_state(workitem_id, State.FAILED, item["failure"])
            return
        places = ", ".join(d["destination"] for d in deliveries if d["state"] == Delivery.VERIFIED)
        text = f"verified in {places or 'the results folder'}"
        if not item["inputs"]:
            text = f"a note that takes a result back, {text}"
        self._records.set_state(workitem_id, State.COMPLETED, text)

    # How each row stands --------------------------------------------------------------------------

    def _first_due(self, destination: str) -> tables.Row | None:
        table = tables.delivery
        due = (table.c.destination == destination, table.c.state.in_(OWED))
        query = sa.select(table).where(*due, table.c.next_attempt <= self._clock())
        rows = self._records.select(query.order_by(table.c.owed_at).limit(1))
        return rows[0] if rows else None

    def _pause(self, destination: str) -> float:
        """Seconds until something is due at a destination, if nobody wakes us before."""
        table = tables.delivery
        owed = (table.c.destination == destination, table.c.state.in_(OWED))
        query = sa.select(sa.func.min(table.c.next_attempt).label("at")).where(*owed)
        longest = LOOK_SECONDS if self._site.database else IDLE_SECONDS
        next_attempt = self._records.select(query)[0]["at"]
        if next_attempt is None:
            return longest
        return float(min(max(next_attempt - self._clock(), 0.0), longest))

    def _state_of(self, row: tables.Row) -> State:
        return State(self._records.one(tables.workitem, id=row["workitem_id"])["state"])

    def _note(self, row: tables.Row, state: Delivery, text: str, **values: Any) -> None:
        """Record how an attempt ended, in the delivery's row and the study's trace."""
        key = {"workitem_id": row["workitem_id"], "destination": row["destination"]}
        if state != Delivery.VERIFIED:
            key["state"] = OWED  # a person may have cancelled meanwhile; what was shown is a fact
        if self._records.change(tables.delivery, key, state=state, reason=text, **values):
            study_uid = self._records.one(tables.workitem, id=row["workitem_id"])["study_uid"]
            line = text if state == Delivery.VERIFIED else f"{row['destination']}: {text}"
            self._records.add_event(study_uid, state, line, row["workitem_id"])

    # How each destination stands ------------------------------------------------------------------

    def _keep_delivering(self, settings: Settings) -> None:
        waker = self._wakers[settings.name]
        while not self._stopping:
            waker.clear()
            pause = CALL_SECONDS
            with going_on(f"delivery to {settings.name}", log):  # or it would fall silent for ever
                pause = self.deliver_next(settings)
            if self._is_silent(settings.name):
                time.sleep(pause)  # a result more does not make a silent destination answer
            else:
                waker.wait(pause)

    def _is_silent(self, name: str) -> bool:
        rows = self._records.find(tables.destination, name=name)
        return bool(rows) and rows[0]["state"] == "silent"

    def _still_answers(self, settings: Settings, problem: str) -> bool:
        """Whether the trouble was with one delivery only; a silent destination is noted as such."""
        if _answers(settings):
            return True
        log.warning("destination %s does not answer", settings.name)
        self._note_standing(settings.name, "silent", problem)
        return False

    def _try_anyway(self, name: str) -> bool:
        """Whether it has been silent so long that an attempt tells more than another call.

        Some archives answer a call late or not at all, and take results all the same.
        """
        since = self._records.one(tables.destination, name=name)["since"]
        if self._clock() - max(since, self._tried.get(name, 0.0)) < ANYWAY_SECONDS:
            return False
        self._tried[name] = self._clock()
        return True

    def _note_answer(self, name: str) -> None:
        """The destination is back: what was delayed by its absence is due at once."""
        log.warning("destination %s answers again", name)
        self._note_standing(name, "answers", "")
        table = tables.delivery
        hurried = (table.c.destination == name, table.c.attempts <= EAGER_ATTEMPTS)
        self._records.transact(
            lambda connection: connection.execute(
                table.update()
                .where(*hurried, table.c.state == Delivery.DELAYED)
                .values(next_attempt=0.0)
            )
        )

    def _note_standing(self, name: str, state: str, problem: str) -> None:
        values = {"state": state, "since": self._clock(), "problem": problem}
        if not self._records.put(tables.destination, name=name, **values):
            self._records.change(tables.destination, {"name": name}, **values)

    def _close_undefined(self) -> None:
        """Park what is owed to destinations that the settings no longer define."""
        defined = {settings.name for settings in self._site.destination}
        for row in self._records.find(tables.delivery, state=OWED):
            if row["destination"] not in defined:
                text = "no longer defined: define it, restart Hilum, release this"
                self._note(row, Delivery.REFUSED, text)
                self.settle(row["workitem_id"])


def _answers(settings: Settings) -> bool:
    """Whether it answers; where our settings do not let us ask, the next attempt tells the cure."""
    try:
        return open_destination(settings).answers()
    except ConfigurationError:
        return True


def retry_seconds(attempt: int) -> float:
    """Pause after failed attempt number `attempt`: 2 s, doubling, at most half an hour."""
    return float(min(FIRST_RETRY_SECONDS * 2 ** (attempt - 1), LAST_RETRY_SECONDS))
