"""The web server of the console."""

import asyncio
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import FrameType

import uvicorn

from hilum.config.site import Site
from hilum.console.app import NO_CARDS, application
from hilum.module import ModuleFacts
from hilum.records import Records

# Connections that wait. Where no more files can be opened, asyncio tries to accept so many of them
# one after the other, once a second, and logs every failure: with uvicorn's 2048 that was 136 MB in
# a minute.
BACKLOG = 32


class _Server(uvicorn.Server):
    """Ends at once when it is told to: it only reads. So it need not look ten times a second."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        os._exit(0)

    async def main_loop(self) -> None:
        counter = 0
        while not await self.on_tick(counter):
            counter += 10  # the base class counts tenths of a second
            await asyncio.sleep(1.0)


def serve(
    site: Site,
    records: Records,
    installed: Iterable[ModuleFacts],
    cards: Mapping[str, Path] = NO_CARDS,
) -> None:
    """Serve the console until SIGTERM."""
    server = _Server(
        uvicorn.Config(
            application(site, records, installed, cards),
            host=site.console.host,
            port=site.console.port,
            log_config=None,
            access_log=False,  # URLs hold study UIDs, and nobody reads this log
            backlog=BACKLOG,
        )
    )
    server.run()
