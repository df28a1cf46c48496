"""Paths of results are relative to the data folder, which may be moved.

A result lies in `results/<workitem>/<file>`, wherever the data folder was.

The results of a workitem that is scheduled or running are those of a writing that did not end. They
were owed to nobody, and this Hilum may write them otherwise: they are forgotten.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

UNFINISHED = ("scheduled", "running")

workitem = sa.table("workitem", sa.column("id", sa.Text), sa.column("state", sa.Text))
result = sa.table("result", sa.column("workitem_id", sa.Text), sa.column("path", sa.Text))


def upgrade() -> None:
    """Forget what was never owed; shorten the paths of the others."""
    unfinished = sa.select(workitem.c.id).where(workitem.c.state.in_(UNFINISHED))
    op.execute(sa.delete(result).where(result.c.workitem_id.in_(unfinished)))
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    position = sa.func.instr if is_sqlite else sa.func.strpos
    folder = position(result.c.path, "/" + result.c.workitem_id + "/", type_=sa.Integer)
    below = "results" + sa.func.substr(result.c.path, folder, type_=sa.Text)
    op.execute(sa.update(result).where(folder > 0).values(path=below))
