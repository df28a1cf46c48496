"""A channel by which a web service tells what has happened: a web socket (RFC 6455)."""

import queue
from collections.abc import Iterator

from hilum.errors import RESTART
from hilum.transport.web import HttpClient

LARGEST_MESSAGE = 1 << 20  # bytes


class ChannelClient(HttpClient):
    """An `HttpClient` that also opens channels, with the same login, trust and proxy."""

    def told(self, address: str, patience: float) -> Iterator[str]:
        """The messages of the web socket at `address` as they come; "" after `patience` s of none.

        It ends with the error for a delay, whatever has closed the channel. An address on another
        host, or without the encryption of the account, is refused: we would log in there.
        """
        import httpx
        from httpx_ws import HTTPXWSException, WebSocketSession, connect_ws

        own, there = httpx.URL(self._account.url), httpx.URL(address)
        is_safe = there.scheme in ("https", "wss") or own.scheme == "http"
        if there.host != own.host or not is_safe:
            text = f"its channel of events is elsewhere, at {there.host}: correct url, {RESTART}"
            raise self.refusal(text)
        scheme = "https" if there.scheme in ("https", "wss") else "http"
        self._client = self._client or self._opened()
        try:
            channel: WebSocketSession
            with connect_ws(
                str(there.copy_with(scheme=scheme)),
                self._client,
                max_message_size_bytes=LARGEST_MESSAGE,
            ) as channel:
                while True:
                    try:
                        yield channel.receive_text(timeout=patience)
                    except queue.Empty:
                        yield ""
        except (HTTPXWSException, httpx.HTTPError) as error:
            text = f"its channel of events is closed ({type(error).__name__})"
            raise self._delay(text) from error
