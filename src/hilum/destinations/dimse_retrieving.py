"""How a study is fetched from a DICOM node: sent to our receiver, or given where we ask for it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING

from hilum.retrieving import Listed, Moved

if TYPE_CHECKING:  # whoever only reads hilum.toml needs none
    from pydicom.dataset import Dataset

    from hilum.transport.getting import Getter
    from hilum.transport.scu import Peer

Find = Callable[["Dataset"], Sequence["Dataset"]]


def query_of(level: str, study_uid: str, *keywords: str) -> "Dataset":
    """A query about one study for the values of `keywords`; "" for the study means any."""
    from pydicom.dataset import Dataset

    query = Dataset()
    query.QueryRetrieveLevel = level
    query.StudyInstanceUID = study_uid
    for keyword in keywords:
        setattr(query, keyword, None)
    return query


class ByMove:
    """C-MOVE: the node opens an association to our receiver, whose address it has to know."""

    def __init__(self, peer: "Peer") -> None:
        self._peer = peer

    def send_to(self, study_uid: str, ae_title: str) -> Iterator[Moved]:
        from hilum.transport.query import move

        return move(study_uid, ae_title, self._peer)


class ByGet:
    """C-GET: the node gives each object on the association that we have opened.

    `find` asks it. The association is opened for the first object that is fetched, and closed at
    the end of `with`.
    """

    def __init__(self, peer: "Peer", find: Find) -> None:
        self._peer = peer
        self._find = find
        self._opened = ExitStack()
        self._classes: dict[str, None] = {}
        self._get: Getter | None = None

    def __enter__(self) -> "ByGet":
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def listed(self, study_uid: str) -> list[Listed]:
        from hilum.dicom.header import text_of

        found = []
        for series in self._find(query_of("SERIES", study_uid, "SeriesInstanceUID")):
            series_uid = text_of(series, "SeriesInstanceUID")
            query = query_of("IMAGE", study_uid, "SOPInstanceUID", "SOPClassUID")
            query.SeriesInstanceUID = series_uid
            for image in self._find(query):
                uid = text_of(image, "SOPInstanceUID")
                self._classes |= dict.fromkeys(filter(None, [text_of(image, "SOPClassUID")]))
                found.append(Listed(uid, study_uid, series_uid, uid))
        return found

    def fetch(self, instance: Listed, largest: int) -> bytes | None:
        if self._get is None:
            self._get = self._opened.enter_context(self._getting())
        return self._get(instance, largest)

    def _getting(self) -> "AbstractContextManager[Getter]":
        from hilum.transport.getting import getting
        from hilum.transport.query import USUAL_CLASSES

        return getting(self._peer, tuple(self._classes) or USUAL_CLASSES)
