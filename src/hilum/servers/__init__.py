"""Modules that a server computes, one of the hospital's or of a vendor's.

Each is a folder of the site's models whose card says what the server is asked; where it is stands
in the `[[host]]` of the site. Everything here happens behind the walls of a module: images are
decoded, freed of names and laid out, and what the server answers is judged. Only the worker has a
connection, see `hilum.hosts.server`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ValidationError

from hilum.deidentification import Aliases, telling_pixels
from hilum.dicom.film import Film
from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.errors import ModuleError, ServerError
from hilum.findings import Finding, Refusal
from hilum.module import CARD, Needs
from hilum.module.cards import CommonCard, members_of

NOT_SENT = "not-sent"  # code of the refusal
Given = Series | tuple[Film, ...]
Told = TypeVar("Told", bound=BaseModel)


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


class AtServer:
    """A module that a server computes. A format says what is asked and how answers are read."""

    host = "server"
    sends: ClassVar[str]  # what leaves for the server, in words
    card_class: ClassVar[type[CommonCard]]
    described: ClassVar[CommonCard]
    needs: Needs
    name: str
    version: str
    title: str
    weights: Path

    def __init__(self, terms: Terms | None = None, ask: Ask | None = None) -> None:
        """`ask` is the worker's connection to the server; only a host has it."""
        self._terms = terms
        self._ask = ask

    @classmethod
    def with_model(cls, folder: Path) -> type[Self]:
        """The module that the card in `folder` describes; `ConfigurationError` for a wrong card."""
        card: Any = cls.card_class.read(folder)
        facts = {
            **members_of(folder, card),
            "described": card,
            "needs": card.input,
            "weights": folder / CARD,  # all that is known here of what the server has
        }
        return type(cls.__name__, (cls,), facts)

    def run(self, *args: Any, **_inputs: Any) -> Iterable[Finding]:
        """What the server finds in the images; a refusal where they may not be sent."""
        if self._ask is None or self._terms is None:
            raise ModuleError(f'{self.name} runs on a server: [[host]] kind = "server"')
        given: Given = args[0]
        images = images_of(given)
        if not self._terms.burned_in:
            for image in images:
                if why := telling_pixels(image):
                    yield Refusal(NOT_SENT, f"{why}, and this site sends no such images away")
                    return
        yield from self.found(given, self._ask, Aliases(self._terms.key))

    @classmethod
    def asked_without_images(cls, ask: Ask) -> str:
        """Ask the server what it is; in words what is well. `ServerError` where it is not."""
        raise NotImplementedError

    def found(self, given: Given, ask: Ask, aliases: Aliases) -> Iterator[Finding]:
        """The findings in what the server answers; `ModuleError` for an answer that is none."""
        raise NotImplementedError


def images_of(given: Given) -> tuple[Instance, ...]:
    """The images that a module was given."""
    if isinstance(given, Series):
        return given.instances
    return tuple(film.instance for film in given)


def told_in(content: bytes, kind: type[Told], problem: str) -> Told:
    """The JSON of an answer; `ServerError` with `problem`, and where it is of another form."""
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise ServerError(f"{problem}: {place}: {first['type']}") from error
