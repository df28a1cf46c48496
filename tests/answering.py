"""A server of Python's standard library that answers while a test runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseServer


@contextmanager
def answering(server: BaseServer) -> Iterator[str]:
    """It answers in a thread, until this ends; HOST:PORT of it."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))  # ends as soon
        thread.start()
        try:
            yield "{}:{}".format(*server.server_address)
        finally:
            server.shutdown()
            thread.join()
