"""Whether a database is damaged is said by what SQLite finds in it, not by the disk below it."""

import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hilum.errors import RecordsUnusable
from hilum.records import Records
from hilum.records.soundness import damage_of


@contextmanager
def nothing_can_be_written() -> Iterator[None]:
    """Every file is too large for this process, so SQLite gets an error of the disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def no_file_can_be_opened() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("trouble", [nothing_can_be_written, no_file_can_be_opened])
def test_a_whole_database_that_cannot_be_read_is_not_damaged(tmp_path: Path, trouble) -> None:
    file = tmp_path / "hilum.db"
    with closing(Records(f"sqlite:///{file}")):
        pass
    with trouble(), pytest.raises(RecordsUnusable) as refused:
        damage_of(file)
    assert "cannot be read (" in str(refused.value)
    assert "recover" not in str(refused.value)
    assert damage_of(file) == ""


def test_what_is_no_database_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "hilum.db"
    file.write_text("not a database\n" * 1000)
    assert damage_of(file) == "file is not a database"
