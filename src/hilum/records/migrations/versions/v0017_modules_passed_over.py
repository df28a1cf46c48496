"""Lists tell the modules that could analyse a study from those that were not applicable."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

NOT_APPLICABLE = "not applicable"
workitem = sa.table("workitem", *map(sa.column, ("study_uid", "module", "state", "superseded_by")))
listing = sa.table("listing", *map(sa.column, ("study_uid", "modules", "passed_over")))


def upgrade() -> None:
    """Add the column, and divide the modules of every line."""
    column = sa.Column("passed_over", sa.Text, nullable=False, server_default="")
    op.add_column("listing", column)
    connection = op.get_bind()
    current = (
        sa.select(workitem.c.study_uid, workitem.c.module, workitem.c.state)
        .where(workitem.c.superseded_by.is_(None))
        .order_by(workitem.c.study_uid)
    )
    lines = [
        {
            "uid": study_uid,
            "modules": _marked(one.module for one in of_study if one.state != NOT_APPLICABLE),
            "passed_over": _marked(one.module for one in of_study if one.state == NOT_APPLICABLE),
        }
        for study_uid, found in groupby(connection.execute(current), lambda one: one.study_uid)
        if (of_study := list(found))
    ]
    if lines:
        changed = listing.update().where(listing.c.study_uid == sa.bindparam("uid"))
        changed = changed.where(listing.c.modules != "")  # others are made anew in a while
        values: dict[str, Any] = {name: sa.bindparam(name) for name in ("modules", "passed_over")}
        connection.execute(changed.values(values), lines)


def _marked(modules: Iterable[str]) -> str:
    found = sorted(set(modules))
    return f"|{'|'.join(found)}|" if found else ""
