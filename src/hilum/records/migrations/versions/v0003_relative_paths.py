"""Paths of results are relative to the data folder, which may be moved.

A result lies in `results/<workitem>/<file>`, wherever the data folder was.

The results of a workitem that is scheduled or running are those of a writing that did not end. They
were owed to nobody, and this Hilum may write them otherwise: they are forgotten.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

AT_ONCE = 1000
UNFINISHED = ("scheduled", "running")

workitem = sa.table("workitem", sa.column("id"), sa.column("state"))
result = sa.table(
    "result",
    sa.column("sop_instance_uid"),
    sa.column("variant"),
    sa.column("workitem_id"),
    sa.column("path"),
)


def upgrade() -> None:
    """Forget what was never owed; shorten the paths of the others."""
    unfinished = sa.select(workitem.c.id).where(workitem.c.state.in_(UNFINISHED))
    op.execute(sa.delete(result).where(result.c.workitem_id.in_(unfinished)))
    bind = op.get_bind()
    rows = bind.execute(sa.select(result)).mappings().all()
    changes = [
        {
            "uid": row["sop_instance_uid"],
            "of": row["variant"],
            "at": f"results/{row['workitem_id']}/{row['path'].rpartition('/')[2]}",
        }
        for row in rows
    ]
    statement = (
        sa.update(result)
        .where(result.c.sop_instance_uid == sa.bindparam("uid"))
        .where(result.c.variant == sa.bindparam("of"))
        .values(path=sa.bindparam("at"))
    )
    for start in range(0, len(changes), AT_ONCE):
        bind.execute(statement, changes[start : start + AT_ONCE])
