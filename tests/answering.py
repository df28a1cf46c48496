"""A server that answers in a thread while a test runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseServer

import uvicorn

from tests.patience import until


@contextmanager
def answering(server: BaseServer) -> Iterator[str]:
    """One of Python's standard library answers until this ends; HOST:PORT of it."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))  # ends as soon
        thread.start()
        try:
            yield "{}:{}".format(*server.server_address)
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def app_answering(config: uvicorn.Config, what: str) -> Iterator[None]:
    """A web application answers until this ends; `what` names it where it does not begin to."""
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started, what)
        yield
    finally:
        server.should_exit = True
        thread.join()
