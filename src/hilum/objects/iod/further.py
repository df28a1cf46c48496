"""Tables, key images and drafts in the measurement report (PS3.16 TID 1500 row 12, TID 1501)."""

from collections.abc import Iterator

from pydicom.dataset import Dataset

from hilum.dicom import codes
from hilum.findings import Draft, Finding, KeyImage, Note
from hilum.objects.iod import content_tree as tree
from hilum.objects.iod import groups
from hilum.objects.report import Report
from hilum.objects.telling import tell

KEY = "Key image"


def _of_key_image(report: Report, key: KeyImage) -> Iterator[Dataset]:
    """TID 1501 without a number: the image, and why it is to be looked at."""
    image = report.analysis.by_uid[key.image]
    uid = report.tracking_uid("key image", key.text, key.image)
    uids = image.sop_class_uid, image.sop_instance_uid
    content = [
        *groups.tracking(f"{KEY}: {key.text}"[:64], uid),
        *groups.algorithm(report.analysis),
        tree.image(codes.SOURCE_OF_MEASUREMENT, *uids),
        tree.text(codes.COMMENT, key.text),
    ]
    yield tree.container(codes.MEASUREMENT_GROUP, content, "1501")


def _as_note(draft: Draft) -> Iterator[Finding]:
    yield Note(draft.sentence, image=draft.image)


tell(KeyImage, lambda key: (), _of_key_image)
tell(Draft, _as_note)
