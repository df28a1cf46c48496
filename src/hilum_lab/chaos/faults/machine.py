"""The machine below Hilum: a full disk, a locked database."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from hilum_lab import disk
from hilum_lab.chaos.network import Plan
from hilum_lab.chaos.registry import fault
from hilum_lab.chaos.trial import Trial

DISK_MB, LOW_WATER_MB = 160, 32
SMALL_DISK = Plan(
    "small disk", receiver={"low_water_mb": LOW_WATER_MB}, data_mb=DISK_MB, watched=False
)
TINY_DISK = Plan("disk to its end", data_mb=DISK_MB, watched=False, last=True)
FULL_SECONDS, LOCKED_SECONDS = 10.0, 60.0


@fault(
    "disk below its low-water mark",
    "no room for images for 10 s: refused with 0xA700, the sender tries again",
    plan=SMALL_DISK,
    skip=disk.why_not,
)
def low_water(trial: Trial) -> None:
    study = trial.study()
    ballast = disk.fill(trial.hilum.site.data, (LOW_WATER_MB - 8) * 1024)
    with trial.meanwhile(lambda: trial.send(study, to="hilum")):
        time.sleep(FULL_SECONDS)
        trial.require(not study.accepted, "images were accepted below the low-water mark")
        ballast.unlink()
        trial.lifted()


@fault(
    "disk full",
    "not a byte is left for 10 s while a module runs: no result, no record can be written",
    plan=TINY_DISK,
    skip=disk.why_not,
    limit=120,
)
def disk_full(trial: Trial) -> None:
    trial.most_inferences = 3
    study = trial.send(to="hilum")
    trial.wait_for(study, "running")
    ballast = disk.fill(trial.hilum.site.data)
    time.sleep(FULL_SECONDS)
    ballast.unlink()
    trial.lifted()


def _locked(name: str) -> Callable[[Trial], None]:
    def inject(trial: Trial) -> None:
        trial.most_inferences = 2
        with _lock(trial, name):
            trial.send()
            time.sleep(LOCKED_SECONDS)
        trial.lifted()

    return inject


@contextmanager
def _lock(trial: Trial, name: str) -> Iterator[None]:
    with closing(sqlite3.connect(trial.hilum.site.data / name, timeout=30)) as connection:
        connection.isolation_level = None
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


for _name, _what in (("hilum.db", "records"), ("engine.db", "engine's tables")):
    fault(
        f"{_what} locked",
        f"somebody holds the lock on the {_what} for a minute while a study comes",
    )(_locked(_name))
