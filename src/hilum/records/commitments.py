"""What destinations were asked to commit themselves to (PS3.4 J)."""

from hilum.records import tables
from hilum.records.database import Database
from hilum.records.models.deliveries import CommitmentRequest
from hilum.records.rows import Rows

commitment = tables.commitment.c


class CommitmentRecords:
    """The requests for storage commitment of all deliveries."""

    def __init__(self, database: Database) -> None:
        self._rows = Rows(database, tables.commitment, CommitmentRequest)

    def add(self, request: CommitmentRequest) -> None:
        """Record a request, before it is made."""
        self._rows.add(request)

    def get(self, transaction_uid: str) -> CommitmentRequest | None:
        """The request with this Transaction UID; also one that was repeated since."""
        return self._rows.first(commitment.transaction_uid == transaction_uid)
