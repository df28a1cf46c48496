"""One contract for every module, ours by the same function as anybody's."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from hilum import Films, Finding, Input, Note
from hilum.hosts.discovery import installed_modules
from hilum.modules.chest import ChestRadiograph
from hilum.modules.hippocampus import HippocampalVolume
from hilum.testing import check_module, write_series

from .films import film_of
from .hippocampi import series_of
from .test_chest import blob


def brain(_tmp_path: Path, exam: Path) -> list[Path]:
    return [instance.path for instance in series_of(exam).instances]


def chest(tmp_path: Path, _exam: Path) -> list[Path]:
    return [film_of(np.asarray(blob()), tmp_path).instance.path]


OURS = {HippocampalVolume: brain, ChestRadiograph: chest}


def test_all_of_ours_are_checked() -> None:
    assert {kind.name for kind in OURS} == set(installed_modules())


@pytest.mark.parametrize("module", OURS, ids=lambda module: module.name)
def test_ours(module: type, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    files: Callable[[Path, Path], list[Path]] = OURS[module]
    exam = request.getfixturevalue("folder") if files is brain else tmp_path
    assert check_module(module, files(tmp_path, exam)).items


NUMBERS = count()


class Steady:
    """Keeps every promise; the others break one each."""

    name, version, needs = "steady", "1", Input("MR")

    def run(self, series: object) -> Iterator[Finding]:
        yield Note("always the same")


class Restless(Steady):
    def run(self, series: object) -> Iterator[Finding]:
        yield Note(f"run {next(NUMBERS)}")


class Remembers(Steady):
    def __init__(self) -> None:
        self.runs = 0

    def run(self, series: object) -> Iterator[Finding]:
        self.runs += 1
        yield Note(f"run {self.runs}")


class Silent(Steady):
    def run(self, series: object) -> Iterator[Finding]:
        return iter(())


class WantsFilms(Steady):
    needs = Films()


class Nameless:
    version, needs = "1", Input("MR")

    def run(self, series: object) -> Iterator[Finding]:
        return iter(())


BROKEN = {
    Restless: "a second run gives the same result",
    Remembers: "a second run gives the same result",
    Silent: "what it found, or why",
    WantsFilms: "`needs` fits the files: ",
    Nameless: "has no name",
}


def test_what_keeps_all_promises_passes(tmp_path: Path) -> None:
    check_module(Steady, write_series(tmp_path))


@pytest.mark.parametrize("module", BROKEN, ids=lambda module: module.__name__)
def test_a_broken_promise_is_named(module: type, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=BROKEN[module]):
        check_module(module, write_series(tmp_path))
