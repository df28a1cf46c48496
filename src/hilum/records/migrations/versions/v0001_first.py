"""The tables of commit 6b943b8 (2026-11-23), the first version whose records can be brought on."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    _make_work()
    _make_places()
    _make_studies()
    _make_service()


def _make_work() -> None:
    op.create_table(
        "workitem",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("study_uid", sa.String(64), index=True, nullable=False),
        sa.Column("module", sa.String(64), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("weights_sha256", sa.String(64), nullable=False),
        sa.Column("rule", sa.JSON, nullable=False),
        sa.Column("rule_key", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), index=True, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("launch", sa.Integer, nullable=False),
        sa.Column("runs", sa.Integer, nullable=False),
        sa.Column("inputs", sa.JSON, nullable=False),
        sa.Column("siblings", sa.JSON, nullable=False),
        sa.Column("verdicts", sa.JSON, nullable=False),
        sa.Column("incomplete", sa.Text),
        sa.Column("failure", sa.Text),
        sa.Column("predecessor", sa.String(64)),
        sa.Column("superseded_by", sa.String(64)),
        sa.Column("findings", sa.JSON),
    )
    op.create_table(
        "result",
        sa.Column("sop_instance_uid", sa.String(64), primary_key=True),
        sa.Column("variant", sa.String(64), primary_key=True),
        sa.Column("workitem_id", sa.String(64), index=True, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("sop_class_uid", sa.String(64), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
    )
    op.create_table(
        "delivery",
        sa.Column("workitem_id", sa.String(64), primary_key=True),
        sa.Column("destination", sa.String(64), primary_key=True),
        sa.Column("variant", sa.String(64), nullable=False),
        sa.Column("images", sa.Boolean, nullable=False),
        sa.Column("state", sa.String(16), index=True, nullable=False),
        sa.Column("owed_at", sa.Float, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("next_attempt", sa.Float, nullable=False),
        sa.Column("verified_at", sa.Float),
    )


def _make_places() -> None:
    op.create_table(
        "destination",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
    )
    op.create_table(
        "source",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("cursor", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
        sa.Column("problem_at", sa.Float),
        sa.Column("seen_at", sa.Float),
        sa.Column("behind", sa.Integer, nullable=False),
        sa.Column("fetched", sa.Integer, nullable=False),
        sa.Column("fetched_at", sa.Float),
    )


def _make_studies() -> None:
    op.create_table(
        "event",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("study_uid", sa.String(64), index=True, nullable=False),
        sa.Column("workitem_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_table(
        "study",
        sa.Column("study_uid", sa.String(64), primary_key=True),
        sa.Column("folder", sa.String(64), unique=True, nullable=False),
        sa.Column("images", sa.Integer, nullable=False),
        sa.Column("settled_images", sa.Integer, nullable=False),
        sa.Column("first_at", sa.Float, nullable=False),
        sa.Column("last_at", sa.Float, nullable=False),
    )
    op.create_table(
        "removal",
        sa.Column("study_uid", sa.String(64), primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("images", sa.Integer, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("results", sa.Integer, nullable=False),
    )


def _make_service() -> None:
    op.create_table(
        "alarm",
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("since", sa.Float, nullable=False),
    )
    op.create_table(
        "executor",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started", sa.String(32), nullable=False),
        sa.Column("beat_at", sa.Float, nullable=False),
    )
    op.create_table(
        "request",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("workitem_id", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("answer", sa.Text),
        sa.Column("done", sa.Boolean, nullable=False),
    )
