"""A data set while it arrives. A small one is kept in memory, a large one on the disk."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.pdu_primitives import P_DATA

from hilum.dicom.part10 import prefix
from hilum.inbox.growing import Growing
from hilum.inbox.room import MEBIBYTE

LARGEST_IN_MEMORY = 8 * MEBIBYTE  # a CT slice has half of one, a radiograph up to 30


class ReceivedDataSet(BytesIO):
    """The file object to which pynetdicom writes the fragments of a data set.

    `begin` makes the file that a large one grows in, with what belongs before the data set;
    `written` is called when what was received needs no memory any longer. A disk that fails is a
    `problem`, to be raised when the object is complete and can be answered.
    """

    def __init__(self, begin: Callable[[], Growing], written: Callable[[], None]) -> None:
        super().__init__()
        self.file: Growing | None = None
        self.problem: OSError | None = None
        self._begin = begin
        self._written = written

    def write(self, data: Any, /) -> int:
        if self.problem is None and self.file is None:
            if self.tell() + len(data) <= LARGEST_IN_MEMORY:
                return super().write(data)
            self._go_to_disk()
        if self.problem is None and self.file is not None:
            try:
                self.file.write(data)
            except OSError as error:
                self.problem = error
        self._written()
        return len(data)

    def drop(self) -> None:
        """Remove the file if there is one."""
        if self.file is not None:
            self.file.discard()
            self.file = None

    def __del__(self) -> None:
        self.drop()

    def _go_to_disk(self) -> None:
        try:
            self.file = self._begin()
            self.file.write(self.getvalue())
        except OSError as error:
            self.problem = error
        self.seek(0)
        self.truncate()


class ArrivingProvider(DIMSEServiceProvider):
    """The DIMSE service of one association, which receives data sets as `ReceivedDataSet`."""

    def __init__(
        self,
        association: Association,
        grow: Callable[[bytes], Growing],
        written: Callable[[], None],
    ) -> None:
        super().__init__(association)
        self._grow = grow
        self._after_write = written

    def receive_primitive(self, primitive: P_DATA) -> None:
        if self.message is None:
            message = self.message = DIMSEMessage()
            message.data_set = ReceivedDataSet(
                lambda: self._grow(self._before(message)), self._after_write
            )
        super().receive_primitive(primitive)

    def drop(self) -> None:
        """Remove what had arrived of an object when the connection ended."""
        if self.message is not None and isinstance(self.message.data_set, ReceivedDataSet):
            self.message.data_set.drop()

    def _before(self, message: DIMSEMessage) -> bytes:
        """What belongs before the data set that `message` brings, whose command is complete."""
        command = message.command_set
        syntaxes = {c.context_id: c.transfer_syntax[0] for c in self.assoc.accepted_contexts}
        return prefix(
            str(command.get("AffectedSOPClassUID", "")),
            str(command.get("AffectedSOPInstanceUID", "")),
            str(syntaxes.get(message.context_id, "")),
            self.assoc.requestor.ae_title,
        )
