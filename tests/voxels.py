"""A series of a module in an environment, of voxels alone."""

from hilum_module import Series, Volume
from hilum_module.asking import Images


def series_of(volume: Volume) -> Series:
    """A series whose volume is `volume`; it has no images."""
    about = {
        "modality": "MR",
        "description": "T1",
        "uid": "1.2.3",
        "label": "",
        "shape": volume.array.shape,
        "cautions": (),
        "instances": (),
        "frames": (),
        "stack": {"order": (), "spacing": volume.spacing[0], "error": 0.0, "problem": None},
    }
    told = {"frame_of_reference_uid": volume.frame_of_reference_uid}
    arrays = {"array": volume.array, "affine": volume.affine}
    return Series(about, Images("series", lambda _inquiry: ([told], arrays)))
