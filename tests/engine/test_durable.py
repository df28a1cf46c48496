"""What is said of DBOS where it is used: a worker is woken, and an idle engine does nothing."""

import base64
import multiprocessing
import pickle
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from dbos import DBOS, _dbos, _queue, _serialization, _workflow_commands

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
    noting = Noting(folder)
    durable.launch(f"sqlite:///{folder}/engine.db", "executor")
    poller = durable.listen(idle_seconds=NEVER, lively_seconds=0.0)
    for name in ("one", "two"):  # the second after it has come to rest
        durable.enqueue(durable.ANALYSE, noting.note, name, name, 1)
        until(lambda n=name: poller.wake() or durable.is_over(n), name)
    polling = [t.name for t in threading.enumerate() if t.name.startswith("queue-worker")]
    if polling:
        sys.exit(f"DBOS looks at queues of its own: {polling}")
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
    poller = durable.listen(idle_seconds=0.1)
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
    assert callable(_dbos.__dict__["queue_thread"])
    assert callable(_queue.queue_worker_thread)
    assert _workflow_commands._BACKGROUND_JOBS_INTERVAL_SEC > 0
    assert callable(_dbos.DBOS._recover_pending_workflows)
    assert callable(_serialization.DefaultSerializer.deserialize)


def test_a_poller_looks_often_only_while_there_is_work() -> None:
    running = 1
    poller = durable.Poller(NEVER, 0.0, lambda: running)
    assert poller.wait(0.0) is False  # at once: something runs
    running = 0
    threading.Timer(0.01, poller.wake).start()
    assert poller.wait(0.0) is False  # only now that it was woken
    poller.set()
    poller.wake()
    assert poller.wait(0.0) is True


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
