"""How the tables of an older Hilum become those of this one: one file per step in versions/.

To change a table: change it in `tables`, add the next file to versions/ (the last one shows the
shape) and name it in `schema.HEAD`. A test compares the outcome with `tables`, from an empty
database and from the first one, on SQLite and PostgreSQL. A step may use nothing of Hilum: what it
needs is written down in it as it was then.

All steps are one transaction. A step that fails, or a process that is killed, leaves the database
as it was, so no copy is made before.
"""

import logging
from pathlib import Path

import sqlalchemy as sa

from hilum.errors import OtherVersionError
from hilum.records.migrations.others import still_there
from hilum.records.schema import (
    HEAD,
    VERSION,
    SchemaAge,
    Transact,
    age_of,
    lock,
    make_or_require,
    version,
)

log = logging.getLogger(__name__)

FIRST = "0001"  # the tables of commit 6b943b8
STILL_THERE = (
    "an older Hilum still works on these records ({others}): stop it on every machine, "
    "then start this one"
)


def upgrade(transact: Transact, dead_seconds: float) -> None:
    """Bring the tables up to date if they are older, and make them in an empty database.

    Of several processes that come here at once, one does it and the others wait. `dead_seconds` is
    how long a process on another machine may give no sign of life until it counts as stopped.

    Raises
    ------
    OtherVersionError
        The database is newer than this Hilum, not ours, or a process of the older one still runs.
    """
    if transact(age_of) is SchemaAge.OLDER:
        others = still_there(transact, dead_seconds)
        if others and transact(age_of) is SchemaAge.OLDER:  # else they were as new as we are
            raise OtherVersionError(STILL_THERE.format(others=others))
        transact(_upgrade)
    make_or_require(transact)


def _upgrade(connection: sa.Connection) -> None:
    lock(connection)
    if age_of(connection) is not SchemaAge.OLDER:
        return  # another process has done it
    if version(connection) is None:
        VERSION.create(connection)
        connection.execute(VERSION.insert().values(version_num=FIRST))
    run_steps(connection)
    log.info("the records of an older Hilum were brought up to date: version %s", HEAD)


def run_steps(connection: sa.Connection) -> None:
    """Run the steps that follow the version in the database, all of them where there is none."""
    from alembic import command  # it takes time, and is seldom needed
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
