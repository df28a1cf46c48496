"""The kind "own": DICOM objects that a module wrote itself, as far as they pass the gate."""

from pydicom.dataset import Dataset

from hilum.objects.iod.gate import admitted
from hilum.objects.kinds import Writing
from hilum.results import DICOM


class OwnObjects:
    """The kind "own"."""

    media_type = DICOM
    refers_to: tuple[str, ...] = ()

    def write(self, writing: Writing) -> list[Dataset]:
        return admitted(writing.analysis)
