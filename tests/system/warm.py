"""What the fork server of the tests has loaded, so that no Hilum that is started does it again.

That is all of `hilum`, and what its processes else load when they need it first: a process that is
forked begins with it, where a console alone would take half a second, in each of many tests.
"""

import importlib
import pkgutil

from highdicom._standard_utils import is_attribute_in_iod
from PIL import Image
from pydicom.uid import SegmentationStorage

import hilum
from hilum.console.app import _routes
from hilum.objects.sheet import typeface
from tests import statements  # noqa: F401 - shares what is compiled

PROGRAMS = ("hilum.__main__", "hilum.fork_server")  # to import them is to run them
OF_OTHERS = (
    *("dbos._sys_db_sqlite", "sqlalchemy.dialects.sqlite", "multiprocessing.popen_spawn_posix"),
    *("httpx", "httpcore", "rich.console", "pydantic.v1", "encodings.idna", "openvino"),
)

for module in pkgutil.walk_packages(hilum.__path__, f"{hilum.__name__}."):
    if module.name not in PROGRAMS:
        importlib.import_module(module.name)
for name in OF_OTHERS:
    importlib.import_module(name)

is_attribute_in_iod("PatientName", SegmentationStorage)  # reads the tables of the standard: 0.4 s
typeface.shown("\N{HIRAGANA LETTER A}")  # reads which letters each font has
Image.preinit()
_routes()  # of the console
