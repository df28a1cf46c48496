"""What is said of DBOS where it is used: a worker is woken, and an idle engine does nothing."""

import base64
import multiprocessing
import pickle
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from dbos import DBOS, _dbos, _queue, _serialization, _sys_db

from hilum.engine import durable
from tests.patience import PATIENCE, until

NEVER = 3600.0  # seconds


@durable.workflows
class Noting(durable.Workflows):
    """Its workflow leaves a file."""

    def __init__(self, folder: Path) -> None:
        super().__init__("noting")
        self.folder = folder

    @durable.workflow
    def note(self, name: str) -> None:
        (self.folder / name).touch()


def work(folder: Path) -> None:
    """In a process of its own: there is one engine in each. It never looks at the queue unasked."""
    noting, before = Noting(folder), threading.enumerate()
    durable.launch(f"sqlite:///{folder}/engine.db", "executor")
    poller = durable.listen(NEVER, is_news=lambda: False, lively_seconds=0.0)
    for name in ("one", "two"):  # the second after it has come to rest
        durable.enqueue(durable.ANALYSE, noting.note, name, name, 1)
        until(lambda n=name: poller.wake() or durable.is_over(n), name)
    known = (durable.ANALYSE, "dbos-executor", "_run_event_loop")  # each waits until it is woken
    names = [thread.name for thread in threading.enumerate() if thread not in before]
    if looking := [name for name in names if not any(one in name for one in known)]:
        sys.exit(f"DBOS looks for what we do not have: {looking}")
    durable.shut_down()


def in_a_process(target: Callable[..., None], *arguments: object) -> None:
    """Call `target` in a process of its own and fail if it does."""
    process = multiprocessing.get_context("spawn").Process(target=target, args=arguments)
    process.start()
    try:
        process.join(2 * PATIENCE)
        assert process.exitcode == 0
    finally:
        process.kill()
        process.join()


def test_a_worker_is_woken(tmp_path: Path) -> None:
    in_a_process(work, tmp_path)
    assert (tmp_path / "two").exists()


class Evil:
    """Unpickling it makes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.file,)


def enqueue(database: str, folder: Path, name: str) -> None:
    """In a process of its own: nobody works on the queue."""
    noting = Noting(folder)
    durable.launch(database, "gateway")
    durable.enqueue(durable.ANALYSE, noting.note, name, name, 1)
    if durable.is_over(name):
        sys.exit(f"{name} has not begun")
    durable.shut_down()


def work_beside(database: str, folder: Path, name: str) -> None:
    """In a process of its own: what it cannot read does not keep it from its work."""
    noting = Noting(folder)
    durable.launch(database, "worker")
    if not durable.is_over(name):
        sys.exit("nobody would enqueue it again")
    poller = durable.listen(0.1, is_news=lambda: True)
    again = f"{name} again"
    durable.enqueue(durable.ANALYSE, noting.note, again, again, 1)

    def both_ended() -> bool:
        poller.wake()
        return durable.is_over(again) and is_refused(database, name)

    until(both_ended, "the refusal of the pickle, and what came after it")
    durable.shut_down()


def table(database: str, name: str) -> str:
    return name if database.startswith("sqlite") else f"dbos.{name}"


def is_refused(database: str, name: str) -> bool:
    engine = sa.create_engine(database)
    query = f"SELECT status FROM {table(database, 'workflow_status')} WHERE workflow_uuid = :name"
    with engine.begin() as connection:
        status = connection.execute(sa.text(query), {"name": name}).scalar()
    engine.dispose()
    return status == "ERROR"


def test_payloads_are_json_and_a_pickle_is_never_read(database: str, tmp_path: Path) -> None:
    in_a_process(enqueue, database, tmp_path, "one")
    evil = pickle.dumps({"args": (Evil(tmp_path / "evil"),), "kwargs": {}})
    engine = sa.create_engine(database)
    inputs, statuses = table(database, "workflow_input"), table(database, "workflow_status")
    with engine.begin() as connection:
        written = connection.execute(sa.text(f"SELECT inputs FROM {inputs}")).scalars().all()
        assert written == ['{"namedArgs":{},"positionalArgs":["one"]}']
        change = f"UPDATE {inputs} SET inputs = :evil"
        connection.execute(sa.text(change), {"evil": base64.b64encode(evil).decode()})
        connection.execute(sa.text(f"UPDATE {statuses} SET serialization = 'py_pickle'"))
    engine.dispose()
    in_a_process(work_beside, database, tmp_path, "one")
    assert sorted(path.name for path in tmp_path.iterdir() if "db" not in path.name) == [
        "one again"
    ]
    pickle.loads(evil)
    assert (tmp_path / "evil").exists()  # so it would have been seen


def test_the_internals_that_are_replaced_are_there() -> None:
    for name in durable.LOOKING:
        assert callable(_dbos.__dict__[name])
    assert callable(_sys_db.SystemDatabase._notification_listener_polling)
    assert callable(_queue.queue_worker_thread)
    assert callable(_dbos.DBOS._recover_pending_workflows)
    assert callable(_serialization.DefaultSerializer.deserialize)


def test_a_poller_looks_when_it_is_woken() -> None:
    poller = durable.Poller(NEVER, 0.0, lambda: 0, is_news=lambda: False)
    threading.Timer(0.01, poller.wake).start()
    assert poller.wait(0.0) is False
    poller.finish()
    assert poller.wait(0.0) is True


def test_a_poller_that_nobody_wakes_looks_once_something_was_written() -> None:
    answers = iter([False, False, True])
    poller = durable.Poller(0.0, 0.0, lambda: 0, is_news=lambda: next(answers))
    assert poller.wait(0.0) is False
    assert next(answers, None) is None


def test_a_poller_does_not_look_while_a_workflow_runs_but_at_once_when_it_has_ended() -> None:
    counts = iter([1, 1, 1, 0])
    poller = durable.Poller(NEVER, NEVER, lambda: next(counts), is_news=lambda: True)
    assert poller.wait(0.0) is False
    assert next(counts, None) is None
    poller = durable.Poller(NEVER, NEVER, lambda: 1, is_news=lambda: True)
    threading.Timer(0.01, poller.finish).start()
    assert poller.wait(0.001) is True, "it is to end, though a workflow runs"


def test_a_poller_looks_often_after_a_workflow_as_the_next_one_is_counted_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(durable, "time", SimpleNamespace(monotonic=lambda: now))
    counts = iter([1, 1, 0])
    poller = durable.Poller(
        0.0, 1.0, lambda: next(counts, 0), is_news=lambda: pytest.fail("it has come to rest")
    )
    now = 60.0
    assert poller.wait(0.0) is False, "the workflow has ended"
    assert poller.wait(0.0) is False, "the next one has begun and is not counted yet"


def hasten(folder: Path) -> None:
    """In a process of its own: nobody works on the queue."""
    noting = Noting(folder)
    durable.launch(f"sqlite:///{folder}/engine.db", "gateway")
    durable.enqueue(durable.ANALYSE, noting.note, "waits", "waits", 3)
    moved = [durable.hasten(name, 1) for name in ("waits", "waits", "unknown")]
    status = DBOS.get_workflow_status("waits")
    if moved != [True, False, False] or status is None or status.priority != 1:
        sys.exit(f"it was not moved forward: {moved}, {status}")
    durable.shut_down()


def test_what_waits_can_be_moved_forward(tmp_path: Path) -> None:
    in_a_process(hasten, tmp_path)
