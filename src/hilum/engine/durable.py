"""Durable workflows in four words: `workflows`, `workflow`, `step` and `enqueue` (DBOS Transact).

A workflow that was enqueued runs to its end even if its process is killed: another executor takes
it over and finds the recorded outcome of every step that had finished. Only ids are passed, never
pixels, and they are written as JSON. Everything else in Hilum stays free of DBOS.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, Protocol

import sqlalchemy as sa
from dbos import (
    DBOS,
    DBOSConfiguredInstance,
    DBOSPortableJSONSerializer,
    SetEnqueueOptions,
    SetWorkflowID,
    _dbos,
    _queue,
)
from dbos._error import DBOSException
from dbos._serialization import DefaultSerializer
from dbos._sys_db import SystemDatabase

from hilum.config.site import ENGINE, Site

# A constant: the default is a hash of the source, so an update would strand unfinished work.
# Steps of a workflow may only be changed through DBOS.patch.
APPLICATION_VERSION = "1"
POLLING_SECONDS = 0.1
IDLE_SECONDS = 2.0  # between two looks whether anything was written, where the worker is woken
LIVELY_SECONDS = 1.0  # after it was woken, or a workflow has ended: more may come
RECOVERIES = 1000  # flow.py counts itself how often a workitem ended its worker
UNDER_WAY = ("ENQUEUED", "DELAYED", "PENDING")

# What DBOS looks for all the time in threads of its own, in every process: new queues, delays and
# time-outs that are over, schedules. Our workflows have none of them.
LOOKING = ("queue_thread", "background_jobs_thread", "dynamic_scheduler_loop")
SCHEMA = "dbos"  # of the engine's tables on PostgreSQL
ANALYSE = "analyse"  # queue of the workers
PRIORITIES = {"STAT": 1, "HIGH": 2, "MEDIUM": 3, "LOW": 4}

log = logging.getLogger(__name__)

Workflows = DBOSConfiguredInstance
workflows = DBOS.dbos_class()
workflow = DBOS.workflow(max_recovery_attempts=RECOVERIES)
step = DBOS.step()
EngineError = DBOSException  # cancellation and the like: not ours to handle


class Engine(Protocol):
    """What flow.py asks of the engine; this module is one, see `enqueue` and `is_over`."""

    def enqueue(
        self,
        queue: str,
        function: Callable[..., None],
        workflow_id: str,
        argument: str,
        priority: int,
    ) -> None: ...

    def is_over(self, workflow_id: str) -> bool: ...

    def hasten(self, workflow_id: str, priority: int) -> bool: ...


def engine_url(site: Site) -> str:
    """SQLAlchemy URL of the engine's tables."""
    return site.database or f"sqlite:///{site.data / ENGINE}"


class Poller(threading.Event):
    """What a thread of DBOS waits on between two looks at the queue of the workers.

    DBOS knows one fixed pace and an event that ends the thread. This event has it look at once
    after `wake` and when a workflow has ended, and often for `lively_seconds` after that; not while
    a workflow runs, as there is one at a time. Otherwise it looks once when there `is_news` in the
    tables of the engine. That is asked every `idle_seconds`, because a hint may be lost.
    """

    def __init__(
        self,
        idle_seconds: float,
        lively_seconds: float,
        count_running: Callable[[], int],
        is_news: Callable[[], bool],
    ) -> None:
        super().__init__()
        self._idle_seconds = idle_seconds
        self._lively_seconds = lively_seconds
        self._count_running = count_running
        self._is_news = is_news
        self._woken = threading.Event()
        self.thread = threading.Thread()
        self._be_lively()

    def wake(self) -> None:
        """Wake the thread: there may be work."""
        self._be_lively()
        self._woken.set()

    def finish(self) -> None:
        """Have the thread end; a workflow that runs goes on."""
        self.set()
        self._woken.set()

    @property
    def is_done(self) -> bool:
        """Whether no workflow runs, and none will begin."""
        return self.is_set() and not self.thread.is_alive() and self._count_running() == 0

    def wait(self, timeout: float | None = None) -> bool:
        """Whether the thread is to end; `timeout` is the pace while there is work."""
        if self._count_running():
            while self._count_running() and not super().wait(timeout):
                pass
            self._be_lively()  # what begins next is not counted yet when DBOS waits again
        elif time.monotonic() < self._lively_until:
            self._woken.wait(timeout)
        else:
            while not (self._woken.wait(self._idle_seconds) or self._is_news()):
                pass
        self._woken.clear()
        return self.is_set()

    def _be_lively(self) -> None:
        self._lively_until = time.monotonic() + self._lively_seconds


def launch(database: str, executor: str) -> None:
    """Join the engine at `database` (SQLAlchemy URL) as `executor`, to hand over workflows.

    Uses internals of DBOS, which would look all the time for what we do not have. It would unpickle
    what a row calls a pickle, and so run whatever somebody wrote there. A test fails should they
    change.
    """
    vars(_dbos).update(dict.fromkeys(LOOKING, _look_for_nothing))
    SystemDatabase._notification_listener_polling = _hear_nothing  # type: ignore[method-assign,assignment]
    DefaultSerializer.deserialize = _refuse_pickle  # type: ignore[method-assign,assignment]
    logging.getLogger("dbos").setLevel(logging.ERROR)  # it warns ten times a second
    if database.startswith("sqlite:///"):
        _use_write_ahead_log(Path(database.removeprefix("sqlite:///")))
        if not sa.event.contains(sa.Engine, "handle_error", _wait_for_room):
            sa.event.listen(sa.Engine, "handle_error", _wait_for_room)
    DBOS(
        config={
            "name": "hilum",
            "system_database_url": database,
            "application_version": APPLICATION_VERSION,
            "executor_id": executor,
            "log_level": "ERROR",
            "serializer": DBOSPortableJSONSerializer(),
            "use_listen_notify": False,
        }
    )
    DBOS.launch()
    DBOS.register_queue(ANALYSE, worker_concurrency=1, polling_interval_sec=POLLING_SECONDS)


def listen(
    idle_seconds: float, is_news: Callable[[], bool], lively_seconds: float = LIVELY_SECONDS
) -> Poller:
    """Work on the queue `ANALYSE` from now on, one workflow at a time; see `Poller`."""
    engine, queue = _dbos._get_dbos_instance(), DBOS.retrieve_queue(ANALYSE)
    assert queue, "it was registered when we joined"

    def count_running() -> int:
        return engine._active_workflows_set.count_for_queue(ANALYSE)

    poller = Poller(idle_seconds, lively_seconds, count_running, is_news)
    poller.thread = threading.Thread(
        target=_queue.queue_worker_thread, args=(poller, engine, queue), name=ANALYSE, daemon=True
    )
    poller.thread.start()
    return poller


def enqueue(
    queue: str, function: Callable[..., None], workflow_id: str, argument: str, priority: int
) -> None:
    """Run `function` durably, once per `workflow_id`: asking again changes nothing."""
    with SetWorkflowID(workflow_id), SetEnqueueOptions(priority=priority):
        DBOS.enqueue_workflow(queue, function, argument)


def is_over(workflow_id: str) -> bool:
    """Whether a workflow has ended, however it did; False while it waits, runs or is not known.

    One that an older Hilum enqueued as a pickle is over, too: it is refused when its turn comes.
    """
    status = DBOS.get_workflow_status(workflow_id)
    if status is None:
        return False
    is_refused = isinstance(status.input, str)  # DBOS gives what it cannot read as it stands there
    return is_refused or status.status not in UNDER_WAY


def hasten(workflow_id: str, priority: int) -> bool:
    """Give a workflow that still waits for a worker this priority, unless it has a higher one.

    Uses the tables of DBOS, which knows no call for it; a test fails should they change.
    """
    system = _dbos._get_dbos_instance()._sys_db
    table = system.tables.workflow_status.c
    waits = (table.workflow_uuid == workflow_id, table.status == "ENQUEUED")
    change = sa.update(system.tables.workflow_status).where(*waits, table.priority > priority)
    try:
        with system.engine.begin() as connection:
            return bool(connection.execute(change.values(priority=priority)).rowcount)
    except sa.exc.SQLAlchemyError as error:  # it begins in its turn, and nothing is lost
        log.warning("workflow %s keeps its place: %s", workflow_id, type(error).__name__)
        return False


def take_over(executor: str) -> int:
    """Hand the unfinished workflows of a dead `executor` back to their queues; return how many.

    Uses an internal call of DBOS; a test fails should it change.
    """
    return len(DBOS._recover_pending_workflows([executor]))


def forget(database: str) -> None:
    """Drop everything the engine knows on PostgreSQL: all unfinished work is handed over anew."""
    engine = sa.create_engine(database)
    with engine.begin() as connection:
        connection.execute(sa.schema.DropSchema(SCHEMA, cascade=True, if_exists=True))
    engine.dispose()


def shut_down() -> None:
    """Leave the engine; what is unfinished is taken over by the next executor."""
    DBOS.destroy()


def _look_for_nothing(*_: object) -> None:
    """Stands in for each of the threads `LOOKING`."""


def _hear_nothing(_tables: SystemDatabase) -> None:
    """Stands in for the thread of DBOS that looks for messages between workflows."""


def _refuse_pickle(_serializer: DefaultSerializer, _text: str) -> NoReturn:
    """Stands in for what DBOS unpickles with; its rows of older Hilums hold pickles."""
    raise ValueError("it holds a pickle, which is never read; the analysis is enqueued anew")


def _wait_for_room(failure: sa.ExceptionContext) -> None:
    """Have DBOS wait for a database that has no room on the disk, as it does for a locked one.

    Otherwise it would give the workflow up, and leave it pending until this process ends.
    """
    error = failure.original_exception
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        as_if = sqlite3.OperationalError("database is locked: the disk is full")
        as_if.sqlite_errorcode, as_if.sqlite_errorname = sqlite3.SQLITE_FULL, "SQLITE_FULL"
        raise sa.exc.OperationalError(failure.statement, None, as_if) from error


def _use_write_ahead_log(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(file, timeout=30)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
