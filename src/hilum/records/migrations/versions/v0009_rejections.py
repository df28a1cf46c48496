"""The table of what the receiver rejected has the name that code and glossary use."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Rename the table."""
    op.rename_table("refused", "rejection")
