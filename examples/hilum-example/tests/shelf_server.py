"""A small web server as the destination "shelf" needs it, for tests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ShelfServer(ThreadingHTTPServer):
    """Keeps what is PUT in `shelf`, by path: the media type and the content."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.shelf: dict[str, tuple[str, bytes]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Request(BaseHTTPRequestHandler):
    server: ShelfServer

    def do_HEAD(self) -> None:
        self.send_response(200 if self.path == "/" or self.path in self.server.shelf else 404)
        self.end_headers()

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.shelf[self.path] = self.headers["Content-Type"], content
        self.send_response(201)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the output of the tests clean."""


@contextmanager
def running_shelf() -> Iterator[ShelfServer]:
    """A server that ends with the test."""
    with ShelfServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
