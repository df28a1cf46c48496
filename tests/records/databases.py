"""Databases as earlier Hilums have left them, made from SQL that is kept beside this file."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from hilum.records import Records, migrations, schema

SQL = Path(__file__).parent / "sql"
OLD = "6b943b8"
BETWEEN = ("8df7d2a", "25eb5b0", "e5aa36c", "2418c16")  # each added tables to those before it
DEAD_SECONDS = 0.5


def make_old(url: str, upto: str = OLD) -> None:
    """The tables as commit `upto` left them at `url`: of 6b943b8, with what came since."""
    kind = sa.make_url(url).get_backend_name()
    run(url, (SQL / f"{OLD}-{kind}.sql").read_text())
    if upto != OLD:
        for commit in BETWEEN[: BETWEEN.index(upto) + 1]:
            run(url, (SQL / f"{commit}.sql").read_text())


def run(url: str, statements: str) -> None:
    """Run SQL statements that end in semicolons."""
    engine = sa.create_engine(url)
    lines = [line for line in statements.splitlines() if not line.startswith("--")]
    with engine.begin() as connection:
        for statement in "\n".join(lines).split(";"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    engine.dispose()


@contextmanager
def connected(url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def make_new(url: str) -> None:
    """The tables of this Hilum in an empty database."""
    Records(url).close()


def upgraded(url: str) -> str:
    """Bring the database at `url` up to date; the version it has then."""
    Records(url, prepare=partial(migrations.upgrade, dead_seconds=DEAD_SECONDS)).close()
    with connected(url) as connection:
        return schema.version(connection) or ""
