"""The console of a site in this process, on a free port."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from hilum.config.site import Site
from hilum.console.app import application
from hilum.records import Records
from hilum_lab.network.processes import available_port
from tests.patience import until


@contextmanager
def serving(site: Site, records: Records) -> Iterator[str]:
    """Its address."""
    port = available_port()
    server = uvicorn.Server(
        uvicorn.Config(application(site, records, []), port=port, log_config=None)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started, "the console")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
