"""DICOM headers alone: pydicom, without what it imports in case somebody reads pixels or samples.

To import all of pydicom takes twice as long, which is too much for a short command.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

# What pydicom does without where it is not installed: decoders, numpy, and how it gets its samples.
OPTIONAL = (
    *("PIL", "gdcm", "libjpeg", "numpy", "openjpeg", "pylibjpeg", "rle"),
    *("requests", "tqdm"),
)
# What it imports in any case and no header needs, with the names that it takes of each: its
# samples, where they are downloaded from, the elements that vendors have made up, and pixels.
NEEDLESS = {
    "pydicom.data": ("get_palette_files",),
    "pydicom.examples": (),
    "pydicom._private_dict": ("private_dictionaries",),
    "pydicom.pixels": ("compress", "convert_color_space", "decompress", "pixel_array"),
    "pydicom.pixels.utils": (
        *("get_image_pixel_ids", "iter_pixels", "pixel_array"),
        *("reshape_pixel_array", "set_pixel_data"),
    ),
    "pydicom.pixel_data_handlers": (),
    "pydicom.pixel_data_handlers.gdcm_handler": (),
    "pydicom.pixel_data_handlers.jpeg_ls_handler": (),
    "pydicom.pixel_data_handlers.numpy_handler": (),
    "pydicom.pixel_data_handlers.pillow_handler": (),
    "pydicom.pixel_data_handlers.pylibjpeg_handler": (),
    "pydicom.pixel_data_handlers.rle_handler": (),
}


@contextmanager
def headers_only() -> Iterator[None]:
    """What is imported inside finds none of that, if this process has not imported it yet.

    pydicom then decodes no pixels in this process, and knows no private elements. It is for
    commands that ask and end.
    """
    if "pydicom" in sys.modules:
        yield
        return
    hidden = [name for name in OPTIONAL if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: import fails
    for name, taken in NEEDLESS.items():
        empty = sys.modules[name] = ModuleType(name)
        vars(empty).update({one: {} for one in taken})
    try:
        yield
    finally:
        for name in (*hidden, *NEEDLESS):
            del sys.modules[name]
