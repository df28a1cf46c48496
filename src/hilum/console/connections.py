"""Connections that have an end: whoever sends half a request keeps nobody else from asking.

Each takes its turn only so long: `HEAD_SECONDS` for the head of a request, and `PAUSE_SECONDS`
between two pieces of its body. When too many are open, a new one takes the place of the one that
owes us a request for the longest time.
"""

import asyncio
import os
import socket
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
PAUSE_SECONDS = 20.0
MOST = 256  # connections at one time
BACKLOG = 256  # connections that wait to be accepted
LARGEST_HEAD = 32 * 1024  # bytes
HANDSHAKE_SECONDS = 10.0  # for TLS, before there is a connection


class Loop(asyncio.SelectorEventLoop):
    """Waits for handshakes of TLS not as long as usual, and accepts one connection at a time.

    asyncio would accept as many as may wait. Where no more files can be opened it fails for each of
    them, and for each failure begins anew a second later: ever more often.
    """

    async def create_server(
        self, *arguments: Any, backlog: int = BACKLOG, **options: Any
    ) -> asyncio.Server:
        """Create a server whose handshakes of TLS end in time; `backlog` connections may wait."""
        if options.get("ssl"):
            options["ssl_handshake_timeout"] = HANDSHAKE_SECONDS
        server = await super().create_server(*arguments, backlog=1, **options)
        for listening in server.sockets:
            with socket.socket(fileno=os.dup(listening.fileno())) as same:
                same.listen(backlog)
        return server


class BoundedConnection(H11Protocol):
    """One connection by HTTP/1.1."""

    _deadline: asyncio.TimerHandle | None = None
    _heard = 0.0  # when it was last heard of, on the clock of the loop

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the head of a request."""
        super().connection_made(transport)
        self._heard = self.loop.time()
        self._wait(HEAD_SECONDS)
        others = [other for other in self.connections if other is not self]
        if len(others) >= MOST:
            min(others, key=_worth).transport.abort()  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        """Wait for what is still to come of the request."""
        self._heard = self.loop.time()
        super().data_received(data)
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            self._wait(PAUSE_SECONDS)
        elif state is not h11.IDLE:
            self._stop_waiting()
        elif self._deadline is None:
            self._wait(HEAD_SECONDS)  # from its first byte, however many follow

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self.flow.read_paused:  # it is we who do not read
            self._wait(PAUSE_SECONDS)
        else:
            self.transport.abort()


def _worth(connection: BoundedConnection) -> tuple[bool, float]:
    """What is closed first: who owes us a request, then who was not heard of for longest."""
    owes = connection.conn.their_state in (h11.IDLE, h11.SEND_BODY)
    return not owes, connection._heard
