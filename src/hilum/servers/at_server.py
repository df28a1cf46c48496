"""A module that a server computes, and how what the server answers is read."""

from collections.abc import Iterable, Iterator
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
from hilum.servers import NOT_SENT, Ask, Terms

Given = Series | tuple[Film, ...]
Form = TypeVar("Form", bound=BaseModel)


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


def parsed(content: bytes, kind: type[Form], problem: str) -> Form:
    """The JSON of an answer; `ServerError` with `problem`, and where it is of another form."""
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise ServerError(f"{problem}: {place}: {first['type']}") from error
