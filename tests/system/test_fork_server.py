"""Whatever becomes of the fork server, `hilum serve` goes on, and what died comes back."""

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from multiprocessing import util
from pathlib import Path

import pytest

from hilum.errors import DeliveryDelayed
from hilum.processes.process import fork_server_pid
from hilum.transport import sender
from tests.patience import PATIENCE
from tests.synthetic import write_series
from tests.system.site import Running, running


@pytest.fixture
def hilum(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as site:
        yield site


def server() -> int:
    pid = fork_server_pid()
    assert pid
    return pid


def hears_again(hilum: Running, files: list[Path], before: int) -> bool:
    """Whether another receiver than the one of `before` takes images."""
    receiver = hilum.supervisor.processes["receiver"]
    if receiver.pid == before or not receiver.is_alive():
        return False
    try:
        return sender.send(files, hilum.listener).stored == len(files)
    except DeliveryDelayed:
        return False


def kill_it(_receiver: int) -> None:
    os.kill(server(), signal.SIGKILL)


def stop_it(receiver: int) -> None:
    os.kill(server(), signal.SIGSTOP)
    os.kill(receiver, signal.SIGKILL)


def remove_its_socket(receiver: int) -> None:
    for path in Path(util.get_temp_dir()).glob("listener-*"):
        path.unlink()
    os.kill(receiver, signal.SIGKILL)


def remove_its_folder(receiver: int) -> None:
    shutil.rmtree(util.get_temp_dir())
    os.kill(receiver, signal.SIGKILL)


@pytest.mark.parametrize("trouble", [kill_it, stop_it, remove_its_socket, remove_its_folder])
def test_the_receiver_comes_back(hilum: Running, tmp_path: Path, trouble) -> None:
    files = write_series(tmp_path / "scan", 2)
    receiver = hilum.supervisor.processes["receiver"].pid
    assert receiver
    trouble(receiver)
    hilum.until(lambda: hears_again(hilum, files, receiver), "the receiver")


def test_it_can_be_stopped_in_order_while_the_fork_server_stands_still(hilum: Running) -> None:
    os.kill(server(), signal.SIGSTOP)
    stopping = threading.Thread(target=hilum.supervisor.stop)
    stopping.start()
    stopping.join(PATIENCE)
    assert not stopping.is_alive()
