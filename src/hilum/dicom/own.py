"""Which objects are results of our own that come back: a PACS that routes everything sends them.

What an object says of its manufacturer is not asked: anybody can write that.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from pydicom.uid import (
    Comprehensive3DSRStorage,
    EncapsulatedPDFStorage,
    KeyObjectSelectionDocumentStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
)

from hilum.dicom.header import HOSTILE, Header
from hilum.dicom.uids import SEGMENTATION_CLASSES

RESULT_SOP_CLASSES = frozenset(
    (
        *SEGMENTATION_CLASSES,
        Comprehensive3DSRStorage,
        SecondaryCaptureImageStorage,
        EncapsulatedPDFStorage,
        KeyObjectSelectionDocumentStorage,
        ParametricMapStorage,
    )
)


@dataclass(frozen=True)
class OwnResults:
    """How results of ours are known: they are on record, or one of our modules made them.

    `device_uids` are the Device UIDs (0018,1002) of our modules, which stand in the Contributing
    Equipment Sequence of their results (PS3.3 C.12.1.5). `is_recorded` tells whether we have
    written an object with a SOP Instance UID.
    """

    device_uids: Collection[str] = ()
    is_recorded: Callable[[str], bool] = lambda _uid: False

    def hold(self, uids: Mapping[str, str], header: Header) -> bool:
        """Whether the object with the identifying `uids` is one of them."""
        if self._made(header):
            return True
        # what modules write themselves may be of any class, and says always which one made it
        is_usual = uids["SOPClassUID"] in RESULT_SOP_CLASSES
        return is_usual and self.is_recorded(uids["SOPInstanceUID"])

    def _made(self, header: Header) -> bool:
        try:
            equipment = list(header.get("ContributingEquipmentSequence", []))
            return any(str(item.get("DeviceUID")) in self.device_uids for item in equipment)
        except HOSTILE:
            return False


NONE = OwnResults()
