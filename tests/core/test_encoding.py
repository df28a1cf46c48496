"""How segmentations are encoded for a destination, and what is said where it is not as wanted."""

from hilum.config import parse
from hilum.config.kinds import DestinationSettings
from hilum.dicom import codes
from hilum.findings import Segment
from tests.core.test_composing import WHOLE, find
from tests.core.test_order_of_arrival import contents, gateway


def destination(**settings: object) -> DestinationSettings:
    named = {"name": "out", "kind": "folder", "folder": "/nowhere/out", **settings}
    return parse({"destination": [named]}).destination[0]


def test_automatic_is_binary_unless_ohif_shows_it() -> None:
    assert destination().encoding == "binary"
    assert destination(viewer="ohif").encoding == "ohif"
    assert destination(viewer="ohif", segmentation="labelmap").encoding == "labelmap"
    assert destination().variant != destination(viewer="ohif").variant, "they get other objects"


def test_a_label_map_that_became_binary_is_told() -> None:
    out = {"name": "out", "kind": "folder", "folder": "/nowhere/out", "segmentation": "labelmap"}
    rule = WHOLE.model_copy(update={"send_to": ("out",)})
    with gateway(rule=(rule,), destination=[out]) as hall:
        for image in contents("one"):
            hall.receive(image, "a")
        hall.wait(150)
        [item] = hall.items("one", rule)
        series = hall.flow.workitems.parts(item)
        volume = hall.flow.needs["m"]["series"].read(series["series"]).volume()  # type: ignore[union-attr]
        mask = volume.with_array(volume.array >= volume.array.mean())
        first, second = (Segment(mask, codes.BRAIN, name) for name in ("One", "Two"))
        find(hall, item, first, second)
        told = [event.text for event in hall.records.events.of_study(item.study_uid)]
        assert [text for text in told if text.startswith("structures overlap")]
