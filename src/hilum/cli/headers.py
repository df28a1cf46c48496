"""DICOM headers alone: pydicom, without what it imports in case somebody reads pixels or samples.

To import all of pydicom takes twice as long, which is too much for a short command.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

# What pydicom does without where it is not installed: decoders, numpy, and how it gets its samples.
OPTIONAL = (
    *("PIL", "gdcm", "libjpeg", "numpy", "openjpeg", "pylibjpeg", "rle"),
    *("requests", "tqdm"),
)


@contextmanager
def headers_only() -> Iterator[None]:
    """What is imported inside finds none of `OPTIONAL`, if this process has not imported it yet.

    pydicom then decodes no pixels in this process. It is for commands that ask and end.
    """
    hidden = [name for name in OPTIONAL if "pydicom" not in sys.modules and name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: import fails
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
