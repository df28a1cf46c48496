"""What packages register is found as the disk has it, and unchanged folders are read once."""

import shutil
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from hilum import entry_points as ours
from hilum_lab.package import write_package

GROUP = "hilum.tried"


def _found() -> list[tuple[str, str]]:
    found = ours.points_of(GROUP)
    assert set(found) == set(entry_points(group=GROUP)), "Python finds the same"
    return [(point.name, point.value) for point in found]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two folders of the path, the first before the second."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (second, first):
        folder.mkdir()
        monkeypatch.syspath_prepend(str(folder))
    return first, second


def test_each_change_is_seen_at_once(folders: tuple[Path, Path]) -> None:
    first, second = folders
    assert _found() == []
    about = write_package(second, "one", {"a": "one:A"}, GROUP)
    assert _found() == [("a", "one:A")]
    (about / "entry_points.txt").write_text(f"[{GROUP}]\na = one:B\n")
    assert _found() == [("a", "one:B")]
    write_package(second, "other", {"b": "other:B"}, "of.another.program")
    assert _found() == [("a", "one:B")]
    shadow = write_package(first, "one", {"c": "one:C"}, GROUP)
    assert _found() == [("c", "one:C")], "the first of a name on the path counts"
    shutil.rmtree(shadow)
    shutil.rmtree(about)
    assert _found() == []


def test_a_folder_that_did_not_change_is_looked_through_once(
    folders: tuple[Path, Path],
) -> None:
    ours.points_of(GROUP)
    before = ours._packages.cache_info().misses
    ours.points_of(GROUP)
    assert ours._packages.cache_info().misses == before
    write_package(folders[0], "one", {"a": "one:A"}, GROUP)
    ours.points_of(GROUP)
    assert ours._packages.cache_info().misses == before + 1


def test_what_is_left_of_a_package_stops_no_other_one(folders: tuple[Path, Path]) -> None:
    about = write_package(folders[0], "one", {"a": "one:A"}, "hilum.left")
    (about / "METADATA").unlink()
    write_package(folders[1], "other", {"b": "other:B"}, GROUP)
    assert _found() == [("b", "other:B")]


@pytest.mark.parametrize("spoil", [shutil.rmtree, Path.touch], ids=["gone", "touched"])
def test_a_folder_of_the_path_may_be_anything(
    folders: tuple[Path, Path], spoil: Callable[[Path], object]
) -> None:
    write_package(folders[1], "one", {"a": "one:A"}, GROUP)
    spoil(folders[0])
    sys.path.insert(0, str(folders[1] / "one-1.0.dist-info" / "METADATA"))  # no folder
    try:
        assert _found() == [("a", "one:A")]
    finally:
        del sys.path[0]
