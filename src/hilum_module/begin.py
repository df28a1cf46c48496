"""The first thing that the interpreter of an environment runs; its walls stand already.

Called with the folder of the environment's packages, what names the module, "instance" or "class"
(what is needed of it), and the descriptors of the pipe and of both memories. The interpreter was
started without the packages (`-I -S`), so nothing of them has run before.
"""

import faulthandler
import importlib.util
import mmap
import os
import signal
import site
import socket
import sys


def main(packages: str, target: str, needed: str, *descriptors: str) -> None:
    """Be the process of a module until Hilum ends."""
    faulthandler.enable()  # where it crashes, the line does not die with it
    faulthandler.register(signal.SIGUSR1)  # as Hilum asks one that it is about to kill
    site.addsitedir(packages)
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - quick
    spec = importlib.util.spec_from_file_location(
        "hilum_module",
        f"{here}/__init__.py",
        submodule_search_locations=[here],
    )
    assert spec is not None and spec.loader is not None
    # Hilum's own copy, whatever is installed: both ends of the pipe are of one version.
    sys.modules["hilum_module"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["hilum_module"])
    from hilum_module.serving import serve

    pipe, given, found = map(int, descriptors)
    with mmap.mmap(given, 0, prot=mmap.PROT_READ) as images, mmap.mmap(found, 0) as memory:
        makes = needed == "instance"
        serve(target, packages, makes, socket.socket(fileno=pipe), images, memory)


if __name__ == "__main__":
    main(*sys.argv[1:])
