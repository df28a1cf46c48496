"""Whether anything was written to a database since the last look, for a few microseconds."""

import sqlalchemy as sa

from hilum.records.database import Database

# What is another one after each commit of somebody else: a number that SQLite keeps (its manual,
# PRAGMA data_version), and the transactions that can be seen on PostgreSQL (its manual, 9.27.5).
VERSION = {
    "sqlite": "PRAGMA data_version",
    "postgresql": "SELECT CAST(pg_current_snapshot() AS text)",
}


class NewWrites:
    """Tells whether anybody has written to `database`; asked from one thread, before each look.

    It has a connection of its own. What cannot be told counts as a change: the look shows why.
    """

    def __init__(self, database: Database) -> None:
        self._engine = database.engine
        self._connection: sa.PoolProxiedConnection | None = None
        self._seen: object = None

    def are_there(self) -> bool:
        """Whether something may have been written since the last call; True at the first one."""
        before, self._seen = self._seen, self._version()
        return self._seen is None or self._seen != before

    def _version(self) -> object:
        """None where the database does not answer."""
        try:
            if self._connection is None:
                self._connection = self._engine.raw_connection()
            cursor = self._connection.cursor()
            cursor.execute(VERSION[self._engine.dialect.name])
            row = cursor.fetchone()
            self._connection.rollback()  # PostgreSQL would keep a transaction open
        except (sa.exc.SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error):
            self.close()
            return None
        return row[0] if row else None

    def close(self) -> None:
        """Give the connection up; the next question opens another one."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection = None
