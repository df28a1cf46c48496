"""Objects of an archive by C-GET, as they are: Study Root, one at a time (PS3.4 C.4.3)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, product
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context

from hilum.errors import DeliveryDelayed, DeliveryRefused, SourceError
from hilum.retrieving import Listed
from hilum.transport.dimse import OUT_OF_RESOURCES, TRANSFER_SYNTAXES
from hilum.transport.query import GET, PENDING, SYNTAXES
from hilum.transport.scu import MAXIMUM_CONTEXTS, Peer, associate

NOT_OFFERED = '{} does not offer C-GET: enable it there, or set retrieve = "c-move"'

Getter = Callable[[Listed, int], bytes]


class _Arriving:
    """Takes the one object that is asked for, if it is not larger than `largest` bytes."""

    def __init__(self) -> None:
        self.largest = 0
        self.content: bytes | None = None
        self.is_too_large = False

    def expect(self, largest: int) -> None:
        self.largest, self.content, self.is_too_large = largest, None, False

    def take(self, event: Any) -> int:
        self.is_too_large = len(event.request.DataSet.getbuffer()) > self.largest
        if self.is_too_large:
            return OUT_OF_RESOURCES
        self.content = event.encoded_dataset()
        return 0


@contextmanager
def getting(peer: Peer, sop_classes: Sequence[str]) -> Iterator[Getter]:
    """Gives objects of `sop_classes` as Part 10, none larger than so many bytes.

    Each comes in the transfer syntax in which `peer` keeps it, as far as there are presentation
    contexts for all of them. Raises like `scu.store`; of one object that is not given:
    `SourceError`.
    """
    arriving = _Arriving()
    roles = [build_role(sop_class, scp_role=True) for sop_class in sop_classes]
    handlers = [(evt.EVT_C_STORE, arriving.take)]
    with associate(peer, _contexts(sop_classes), roles, handlers) as association:
        if GET not in {str(context.abstract_syntax) for context in association.accepted_contexts}:
            raise DeliveryRefused(NOT_OFFERED.format(peer))

        def get(wanted: Listed, largest: int) -> bytes:
            arriving.expect(largest)
            status = _got(association, peer, wanted)
            if arriving.content is None:
                why = f"larger than {largest} bytes" if arriving.is_too_large else status
                raise SourceError(f"an image is not given by C-GET ({why})")
            return arriving.content

        yield get


def _got(association: Association, peer: Peer, wanted: Listed) -> str:
    """Ask for one object; the status with which that ended."""
    query = Dataset()
    query.QueryRetrieveLevel = "IMAGE"
    query.StudyInstanceUID, query.SeriesInstanceUID = wanted.study_uid, wanted.series_uid
    query.SOPInstanceUID = wanted.sop_instance_uid
    if association.is_established:
        for response, _ in association.send_c_get(query, query_model=GET):
            status = response.get("Status")
            if status is not None and status not in PENDING:
                return f"0x{status:04X}"
    raise DeliveryDelayed(f"{peer}: the connection was lost during C-GET")


def _contexts(sop_classes: Sequence[str]) -> list[PresentationContext]:
    """One for each class and transfer syntax, the usual syntaxes first, as many as there may be.

    An archive answers a context with one syntax: with all of them in one, it would have to convert
    what it keeps otherwise, and most do not.
    """
    pairs = product(TRANSFER_SYNTAXES, sop_classes)
    stored = (build_context(sop_class, syntax) for syntax, sop_class in pairs)
    return [build_context(GET, SYNTAXES), *islice(stored, MAXIMUM_CONTEXTS - 1)]
