"""What is said of DBOS where it is used: a worker is woken, and an idle engine does nothing."""

import multiprocessing
import sys
import threading
from pathlib import Path

from dbos import _dbos, _queue, _workflow_commands

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


def test_a_worker_is_woken(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=work, args=(tmp_path,))
    process.start()
    try:
        process.join(2 * PATIENCE)
        assert process.exitcode == 0
    finally:
        process.kill()
        process.join()
    assert (tmp_path / "two").exists()


def test_the_internals_that_are_replaced_are_there() -> None:
    assert callable(_dbos.__dict__["queue_thread"])
    assert callable(_queue.queue_worker_thread)
    assert _workflow_commands._BACKGROUND_JOBS_INTERVAL_SEC > 0
    assert callable(_dbos.DBOS._recover_pending_workflows)


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
