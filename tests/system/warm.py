"""What the fork server of the tests has loaded, so that no Hilum that is started does it again."""

from highdicom._standard_utils import is_attribute_in_iod
from pydicom.uid import SegmentationStorage

from hilum.service import supervisor

__all__ = ["supervisor"]

is_attribute_in_iod("PatientName", SegmentationStorage)  # reads the tables of the standard: 0.4 s
