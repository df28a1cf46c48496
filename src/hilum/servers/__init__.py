"""Modules that a server computes, one of the hospital's or of a vendor's.

Each is a folder of the site's models whose card says what the server is asked; where it is stands
in the `[[host]]` of the site. Everything here happens behind the walls of a module: images are
decoded, freed of names and laid out, and what the server answers is judged. Only the worker has a
connection, see `hilum.hosts.server`. What both say to each other stands here, so that whoever only
carries it imports nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass

NOT_SENT = "not-sent"  # code of the refusal


@dataclass(frozen=True)
class ServerRequest:
    """What a server is asked: a path below its address, and a body, without one it is a GET.

    `json_length` is that of the JSON before what is binary, 0 where all is one. One that is
    `until_ready` asks whether the model is ready, and is repeated where it is not. One that asks
    whether it `exists` is answered with success also by a path that takes a POST alone (HTTP 405).
    """

    path: str
    content: bytes = b""
    media_type: str = ""
    json_length: int = 0
    until_ready: bool = False
    exists: bool = False


@dataclass(frozen=True)
class ServerReply:
    """What a server answered; its length is bounded, and nothing else about it is known."""

    content: bytes
    media_type: str = ""
    json_length: int = 0


@dataclass(frozen=True)
class Terms:
    """What the site lets a server have: names by this key, and pixels that may tell others."""

    key: str
    burned_in: bool = False


Ask = Callable[[ServerRequest], ServerReply]
