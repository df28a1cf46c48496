"""Rows as values: a table, read and written as a frozen dataclass whose fields are its columns.

Only the modules of this package use it. Outside, rows are the values of `models`.
"""

import dataclasses
import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from hilum.records.database import Database, insert_once

Model = TypeVar("Model")
Key = TypeVar("Key", str, int)
Condition = sa.ColumnElement[bool]
Order = sa.ColumnElement[Any]
NONE: Mapping[str, object] = {}
VALUES_IN_A_QUERY = 500  # a database takes only so many

log = logging.getLogger(__name__)


class TableRows(Generic[Model]):
    """The rows of `table` as values of `model`, which may have fields for some columns only.

    All methods take part in the transaction of a connection, as `insert` below does.
    """

    def __init__(self, table: sa.Table, model: type[Model]) -> None:
        self._table = table
        self._model = model

    @cached_property
    def query(self) -> sa.Select[Any]:
        """All rows; made when it is first used, since most tables are not asked by a process."""
        names = [field.name for field in dataclasses.fields(self._model)]  # type: ignore[arg-type]
        return sa.select(*(self._table.c[name] for name in names))

    def select(
        self,
        connection: sa.Connection,
        *where: Condition,
        order_by: Order | None = None,
        limit: int | None = None,
    ) -> list[Model]:
        """The rows that meet all conditions."""
        query = self.query.where(*where).order_by(order_by).limit(limit)
        return [_value(self._model, row) for row in connection.execute(query).mappings()]

    def select_readable(
        self,
        connection: sa.Connection,
        *where: Condition,
        order_by: Order | None = None,
        blank: Mapping[str, object] = NONE,
    ) -> list[Model]:
        """The same, where one row that cannot be read must not hide the others.

        It has the values of `blank` in its columns. If it cannot even be read so, the log says so,
        and it is left out.
        """
        rows = connection.execute(self.query.where(*where).order_by(order_by)).mappings()
        return [value for row in rows for value in self._readable(row, blank)]

    def _readable(self, row: sa.RowMapping, blank: Mapping[str, object]) -> Iterator[Model]:
        problem = ""
        for attempt in (row, {**row, **blank}):
            try:
                yield _value(self._model, attempt)
            except ValidationError as error:
                problem = ", ".join(sorted({str(one["loc"][0]) for one in error.errors()}))
            else:
                return
        key = next(iter(row.values()))
        log.error("%s %s on record cannot be read: %s", self._table.name, key, problem)

    def update(self, connection: sa.Connection, *where: Condition, **values: object) -> int:
        """Change columns of the rows that meet all conditions; how many did."""
        statement = sa.update(self._table).where(*where).values(to_jsonable_python(values))
        return connection.execute(statement).rowcount

    def delete(self, connection: sa.Connection, *where: Condition) -> None:
        """Delete the rows that meet all conditions."""
        connection.execute(sa.delete(self._table).where(*where))


class Rows(TableRows[Model]):
    """The same with methods that do it in a transaction of their own."""

    def __init__(self, database: Database, table: sa.Table, model: type[Model]) -> None:
        super().__init__(table, model)
        self._database = database

    def find(
        self, *where: Condition, order_by: Order | None = None, limit: int | None = None
    ) -> list[Model]:
        return self._database.transact(
            lambda connection: self.select(connection, *where, order_by=order_by, limit=limit)
        )

    def find_among(self, column: sa.ColumnElement[Key], values: Iterable[Key]) -> Iterator[Model]:
        """The rows whose `column` has one of `values`; of many values, a query asks for some."""
        wanted = sorted(set(values))
        for start in range(0, len(wanted), VALUES_IN_A_QUERY):
            yield from self.find(column.in_(wanted[start : start + VALUES_IN_A_QUERY]))

    def find_readable(
        self, *where: Condition, order_by: Order | None = None, blank: Mapping[str, object] = NONE
    ) -> list[Model]:
        return self._database.transact(
            lambda connection: self.select_readable(
                connection, *where, order_by=order_by, blank=blank
            )
        )

    def first_readable(self, *where: Condition, order_by: Order | None = None) -> Model | None:
        """The first row that can be read, in the same way; None if there is none."""

        def read(connection: sa.Connection) -> Model | None:
            query = self.query.where(*where).order_by(order_by).limit(1)
            for skip in itertools.count():
                row = connection.execute(query.offset(skip)).mappings().first()
                if row is None:
                    return None
                for value in self._readable(row, NONE):
                    return value
            return None

        return self._database.transact(read)

    def are_there(self, *where: Condition) -> bool:
        """Whether any row meets all conditions, whatever else it holds."""
        query = sa.select(sa.literal(1)).select_from(self._table).where(*where).limit(1)
        return bool(select(self._database, query))

    def read(self, query: sa.Select[Any]) -> list[Model]:
        """The rows of a query that goes on from `query`."""
        return self._database.transact(
            lambda c: [_value(self._model, row) for row in c.execute(query).mappings()]
        )

    def first(self, *where: Condition, order_by: Order | None = None) -> Model | None:
        """The first row that meets all conditions, None if none does."""
        return next(iter(self.find(*where, order_by=order_by, limit=1)), None)

    def one(self, *where: Condition) -> Model:
        """The same, where there has to be one; `LookupError` if there is none."""
        row = self.first(*where)
        if row is None:
            raise LookupError(f"no such {self._table.name}")
        return row

    def add(self, row: Model) -> bool:
        return self._database.transact(lambda connection: insert(connection, self._table, row))

    def change(self, *where: Condition, **values: object) -> int:
        return self._database.transact(lambda connection: self.update(connection, *where, **values))

    def remove(self, *where: Condition) -> None:
        self._database.transact(lambda connection: self.delete(connection, *where))


def insert(connection: sa.Connection, table: sa.Table, row: object) -> bool:
    """Insert a value of `models` unless its primary key is there already; whether it was new."""
    return insert_once(connection, table, to_jsonable_python(row))


def read(database: Database, model: type[Model], query: sa.Select[Any]) -> list[Model]:
    """The rows of a query of several tables as values of `model`."""
    return database.transact(
        lambda connection: [_value(model, row) for row in connection.execute(query).mappings()]
    )


def select(database: Database, query: sa.Select[Any]) -> list[Any]:
    """The rows of a query that is not for whole rows of one table."""
    return database.transact(lambda connection: list(connection.execute(query)))


def _value(model: type[Model], row: Mapping[Any, Any]) -> Model:
    if model not in _READERS:
        _READERS[model] = TypeAdapter(model)
    value: Model = _READERS[model].validate_python(dict(row))
    return value


_READERS: dict[type, TypeAdapter[Any]] = {}  # made when first used: that takes time
