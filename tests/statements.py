"""What SQLAlchemy has compiled for one database serves all databases of a process.

An engine keeps what it has compiled to itself. A service has one or two engines, but the tests open
thousands of databases one after the other: to compile the same statements for each of them took two
fifths of what a test of the records takes. Whoever imports this file shares them.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.util import LRUCache

MOST = 5000


class _Shared(LRUCache[Any, Any]):
    """The statements by what SQLAlchemy knows them by, but for which engine they were made."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_of_any_engine(key), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(_of_any_engine(key), compiled)


def _of_any_engine(key: Any) -> Any:
    dialect, *statement = key
    return (type(dialect), *statement)


COMPILED = _Shared(MOST)


@sa.event.listens_for(sa.Engine, "engine_connect")
def _share(connection: sa.Connection) -> None:
    connection.execution_options(compiled_cache=COMPILED)
