"""The web server of the console."""

import asyncio
import logging
import os
import resource
import ssl
import threading
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from hilum.audit.sending import AuditKeeper
from hilum.config.console import Console
from hilum.config.file import SettingsFile
from hilum.config.site import Site
from hilum.config.tls import ListenerTls
from hilum.console.app import application
from hilum.console.connections import BACKLOG, LARGEST_HEAD, BoundedConnection
from hilum.console.exchange import Exchange
from hilum.console.known import KnownModules
from hilum.logs import going_on
from hilum.processes.process import lasting
from hilum.records import Records
from hilum.transport.tls import RenewedContext

MOST_FILES = 4096  # that may be open, where the system allows it: handshakes of TLS are counted

log = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """Ends at once when it is told to: it only reads. So it need not look ten times a second.

    `each_second` is called so often.
    """

    def __init__(self, config: uvicorn.Config, each_second: Callable[[], None]) -> None:
        super().__init__(config)
        self._each_second = each_second

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        os._exit(0)

    async def main_loop(self) -> None:
        counter = 0
        while not await self.on_tick(counter):
            counter += 10  # the base class counts tenths of a second
            await asyncio.sleep(1.0)
            with going_on("what the console does each second", log):
                self._each_second()


def serve(
    site: Site,
    records: Records,
    modules: KnownModules,
    file: SettingsFile | None = None,
) -> None:
    """Serve the console until SIGTERM."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = 0 <= most < MOST_FILES
    resource.setrlimit(resource.RLIMIT_NOFILE, (most if few else MOST_FILES, most))
    with lasting():  # a tenth of a second, now and again, would else be added to a page
        made = application(site, records, modules, file)
    AuditKeeper(site.audit, made.state.desk.auditor).start()
    threading.Thread(target=made.state.desk.uploads.tidy, name="tidying", daemon=True).start()
    _Server(configuration(made, site.console, site.console.port), Exchange(made).turn).run()


def configuration(made: FastAPI, console: Console, port: int) -> uvicorn.Config:
    """How the application is served at `port`."""
    tls = console.tls
    return uvicorn.Config(
        made,
        host=console.host,
        port=port,
        loop="hilum.console.connections:Loop",
        http=BoundedConnection,
        ws="none",
        log_config=None,
        access_log=False,  # URLs hold study UIDs, and nobody reads this log
        server_header=False,
        backlog=BACKLOG,
        h11_max_incomplete_event_size=LARGEST_HEAD,
        proxy_headers=bool(console.proxies),  # nobody else may say who asks
        forwarded_allow_ips=list(console.proxies),
        ssl_context_factory=(lambda *_: _renewing(tls)) if tls else None,
    )


def _renewing(tls: ListenerTls) -> ssl.SSLContext:
    """The context of `tls`; each connection has the files as they are now."""
    renewed = RenewedContext(tls, "console.tls")
    first = renewed.now()

    def renew(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = renewed.now()

    first.sni_callback = renew  # called whether or not a name was given
    return first
