"""Which image stands for each series of a study (pure)."""

from collections.abc import Iterable

from hilum.dicom.instance import Instance
from hilum.routing import Selection


def siblings_of(images: Iterable[Instance], selection: Selection) -> tuple[str, ...]:
    """Files of one image of each series and patient, an analysed one where there is one.

    The middle one, since it is shown as the picture of its series.
    """
    found: dict[tuple[str, object], list[Instance]] = {}
    for image in (*selection.images.values(), *images):
        if not image.is_own_result:
            found.setdefault((image.series_uid, image.patient), []).append(image)
    analysed = set(selection.images)
    return tuple(
        sorted(
            _middle([one for one in some if one.sop_instance_uid in analysed] or some)
            for some in found.values()
        )
    )


def _middle(images: Iterable[Instance]) -> str:
    """The file of the middle one by its number in the series."""
    ordered = sorted(images, key=lambda i: (i.header.integer("InstanceNumber") or 0, i.path.name))
    return ordered[len(ordered) // 2].path.name
