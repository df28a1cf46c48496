"""Each study says what it waits for, or why no rule applies to it.

Of a study that was decided on before, nothing is known.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Give the studies their new columns."""
    op.add_column("study", sa.Column("reason", sa.Text, nullable=False, server_default=""))
    op.add_column("study", sa.Column("patience", sa.Float, nullable=False, server_default="0"))
