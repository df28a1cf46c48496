"""One contract for every kind of module host."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hilum.config.site import Worker
from hilum.errors import ModuleError
from hilum.hosts import Host, Job, Place, open_host
from hilum.hosts.discovery import installed_module
from hilum.kinds import HOSTS
from hilum.testing import check_host, job_of, write_series
from plugin import BRIGHT, install_plugin


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    module = installed_module("bright-volume")
    return job_of(module, write_series(tmp_path / "exam"), tmp_path / "out")


def opened(kind: str) -> Host:
    settings = HOSTS.load(kind).settings(module="bright-volume")
    return open_host(settings, Place(Worker(memory_mb=4096)))


OF_ANY_MODULE = set(HOSTS.names) - {"container", "server"}  # see test_container, test_server


@pytest.mark.parametrize("kind", sorted(OF_ANY_MODULE))
def test_ours(kind: str, job: Job) -> None:
    with contextlib.closing(opened(kind)) as host:
        check_host(host, job)


class Careless:
    """A host that breaks a promise of the one it stands before."""

    def __init__(self) -> None:
        self.inner = opened("child")

    def start(self) -> None:
        self.inner.start()

    def run(self, job: Job, is_wanted: Callable[[], bool] = lambda: True) -> None:
        self.inner.run(job, is_wanted)

    def close(self) -> None:
        self.inner.close()


class TakesAnyWeights(Careless):
    def run(self, job: Job, is_wanted: Callable[[], bool] = lambda: True) -> None:
        with contextlib.suppress(ModuleError):
            super().run(job, is_wanted)


class WritesElsewhere(Careless):
    def run(self, job: Job, is_wanted: Callable[[], bool] = lambda: True) -> None:
        super().run(replace(job, out=job.out.with_suffix(".lost")), is_wanted)


BROKEN = {
    TakesAnyWeights: "never names other weights",
    WritesElsewhere: "a job leaves its findings",
}


@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_a_broken_promise_is_found(kind: type[Careless], job: Job) -> None:
    broken = pytest.raises(AssertionError, match=BROKEN[kind])
    with contextlib.closing(kind()) as host, broken:
        check_host(host, job)
