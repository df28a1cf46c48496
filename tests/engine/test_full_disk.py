"""The engine on a disk that fills up: its workflows wait and go on."""

import multiprocessing
import threading
from pathlib import Path

from hilum.engine import durable
from hilum_lab.disk import BALLAST, Mount, fill
from tests.patience import PATIENCE, until


@durable.workflows
class Filling(durable.Workflows):
    """A workflow whose first step takes all the room before its outcome is written down."""

    def __init__(self, disk: Path) -> None:
        super().__init__("filling")
        self.disk = disk
        self.done = disk.parent / "done"

    @durable.workflow
    def run(self, _argument: str) -> None:
        self.take_all_room()
        self.go_on()

    @durable.step
    def take_all_room(self) -> None:
        threading.Timer(1.5, fill(self.disk).unlink).start()

    @durable.step
    def go_on(self) -> None:
        self.done.write_text(f"{(self.disk / BALLAST).exists()}")


def work(disk: Path) -> None:
    """In a process of its own: there is one engine in each."""
    filling = Filling(disk)
    durable.launch(f"sqlite:///{disk}/engine.db", "executor")
    durable.listen(durable.POLLING_SECONDS, is_news=lambda: True)
    durable.enqueue(durable.ANALYSE, filling.run, "workflow", "argument", 1)
    until(lambda: durable.is_over("workflow"), "the workflow")
    durable.shut_down()


def test_a_workflow_waits_for_room(tmp_path: Path, small_disk: Mount) -> None:
    with small_disk(6) as disk:
        process = multiprocessing.get_context("spawn").Process(target=work, args=(disk,))
        process.start()
        process.join(2 * PATIENCE)
        process.kill()
        process.join()
        assert process.exitcode == 0
    assert (tmp_path / "done").read_text() == "False"
