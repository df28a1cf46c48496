"""What a container module says of itself (`card.toml`), and what its findings are."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field, JsonValue, create_model

from hilum.config.fields import JSONValues
from hilum.dicom.part10 import has_prefix
from hilum.errors import ModuleError
from hilum.findings import Finding, Note, OwnObject
from hilum.hosts.container.folders import RunFolders
from hilum.hosts.container.program import ContainerOrder, Containers, as_json
from hilum.module import CARD, Needs
from hilum.module.cards import CardInput, CommonCard, members_of
from hilum.module.result_numbers import ResultNumber, numbers_of

DIGEST = r"^([^\s@]+@)?sha256:[0-9a-f]{64}$"


class ContainerCard(CommonCard):
    """The whole card of a container module.

    `image` is pinned by its digest, so that a result names what made it. `settings` are handed to
    the module as they are.
    """

    module: str
    image: str = Field(pattern=DIGEST)
    as_image_user: bool = False
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    environment: dict[str, str] = Field(default_factory=dict)
    result: str = "result.json"
    input: CardInput
    measurement: tuple[ResultNumber, ...] = ()


class ContainerModule:
    """A module in a container. A format says what is handed to it, and how its words are read."""

    host = "container"
    described: ClassVar[ContainerCard]
    needs: Needs
    name: str
    version: str
    title: str
    weights: Path

    @classmethod
    def with_model(cls, folder: Path) -> type[Self]:
        """The module that the card in `folder` describes; `ConfigurationError` for a wrong card."""
        card = ContainerCard.read(folder)
        facts = {
            **members_of(folder, card),
            "described": card,
            "needs": card.input,
            "weights": folder / CARD,  # it holds the digest of the image
        }
        if card.settings:  # a rule may set each of them, to a value of the same type
            given = {key: (type(value), value) for key, value in card.settings.items()}
            facts["parameters"] = create_model("Settings", **given)  # type: ignore[call-overload]
        return type(cls.__name__, (cls,), facts)

    def run(self, *args: Any, **inputs: Any) -> Iterable[Finding]:
        """Nothing here: the host "container" runs it."""
        raise ModuleError(f'{self.name} runs in a container: [[host]] kind = "container"')

    def order(
        self, containers: Containers, case: RunFolders, settings: JSONValues
    ) -> ContainerOrder:
        """Write what the container reads beside the images; what is to run.

        `settings` are those of the card, as the rule has changed them.
        """
        raise NotImplementedError

    def remarks(self, _result: object) -> Iterator[Finding]:
        """What the JSON that the container left says beside numbers."""
        yield from ()

    def findings(self, left: Mapping[str, bytes], case: RunFolders) -> Iterator[Finding]:
        """The findings in what a container has `left`, files by their paths.

        Raises
        ------
        ModuleError
            It left nothing that is a result, or what cannot be sent.
        """
        result = as_json(left.get(self.described.result, b""))
        objects = list(self._objects(left, case))
        if result is None and not objects:
            raise ModuleError("the container ended well and left no result")
        yield from objects
        yield from numbers_of(result, self.described.measurement)
        yield from self.remarks(result)
        yield from (Note(warning) for warning in self.described.warnings)

    def _objects(self, left: Mapping[str, bytes], case: RunFolders) -> Iterator[Finding]:
        """DICOM objects that it wrote; images that it was given and left again are none."""
        given = {image.sop_instance_uid for image in case.images.values()}
        for content in left.values():
            if has_prefix(content):
                own = OwnObject(np.frombuffer(content, np.uint8))
                if str(own.dataset.get("SOPInstanceUID")) not in given:
                    yield own
