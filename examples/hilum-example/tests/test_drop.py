import shutil
from collections.abc import Iterable
from pathlib import Path

from hilum_example.drop import DropSettings, DropSource

from hilum.testing import check_source, write_series


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    first = write_series(tmp_path / "first", count=3)
    second = write_series(tmp_path / "second", count=2, SeriesDescription="T2")

    def copy_of(path: Path) -> Path:
        return drop / f"{path.parent.name}-{path.name}"

    def deposit(files: Iterable[Path]) -> None:
        for path in files:
            shutil.copy(path, copy_of(path))

    settings = DropSettings(name="drop", folder=drop)
    check_source(
        lambda: DropSource(settings),
        deposit,
        lambda path: copy_of(path).unlink(),
        [*first, *second],
    )
