"""The format "kserve": a network for volumes on a server that speaks KServe's protocol, version 2.

Triton, OpenVINO Model Server, MLServer and others do. Only voxels leave, window by window, without
any header (open-inference-protocol: inference_rest.md; Triton: extension_binary_data.md).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hilum.deidentification import Aliases
from hilum.dicom.series import Series
from hilum.errors import ServerError
from hilum.findings import Finding, Note
from hilum.module.cards import CardTable
from hilum.modules.volume.card import SegmentationCard
from hilum.modules.volume.network import SegmentationNetwork
from hilum.modules.volume.segmenting import segmented
from hilum.servers import Ask, ServerReply, ServerRequest
from hilum.servers.at_server import AtServer, Form, Given, parsed

TYPES = {"FP32": "<f4", "FP64": "<f8", "FP16": "<f2"}  # of tensors, in the byte order of the wire
ONLY_BINARY = "FP16"  # has no form in JSON
BINARY_EXTENSION = "binary_tensor_data"
JSON_TYPE, BINARY_TYPE = "application/json", "application/octet-stream"
PATH_PART = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
OTHER_FORM = "the answer does not follow KServe's protocol"
FREE = -1  # a side that may have any length
Text = Annotated[str, Field(max_length=200)]
Sides = Annotated[list[int], Field(max_length=8)]


class ServedModel(CardTable):
    """What the server calls the model, and the tensor that it gets.

    Without a `version` the server chooses one; with it, no other may answer.
    """

    model: str = Field(pattern=PATH_PART)
    version: str = Field("", pattern=rf"{PATH_PART}|^$")
    input: str = Field(min_length=1, max_length=200)

    @property
    def path(self) -> str:
        return f"v2/models/{self.model}" + (f"/versions/{self.version}" if self.version else "")


class KServeCard(SegmentationCard):
    """The whole card; `output.name` is the tensor that comes out."""

    module: Literal["kserve"]
    server: ServedModel


class _FromServer(BaseModel):
    model_config = ConfigDict(extra="ignore")


class TensorFacts(_FromServer):
    """What the server says of a tensor."""

    name: Text
    datatype: Text
    shape: Sides


class ServerFacts(_FromServer):
    """What the server says of itself."""

    extensions: Annotated[list[Text], Field(max_length=100)] = []


class ModelFacts(_FromServer):
    """What the server says of the model."""

    inputs: Annotated[list[TensorFacts], Field(max_length=20)]
    outputs: Annotated[list[TensorFacts], Field(max_length=20)]


class _Parameters(_FromServer):
    binary_data_size: int | None = Field(None, ge=0)


class OutputTensor(TensorFacts):
    """A tensor that came out; its numbers are in `data`, or behind the JSON."""

    parameters: _Parameters = _Parameters()
    data: Any = None


class InferenceAnswer(_FromServer):
    """What the server answers to a tensor."""

    model_version: Annotated[str, Field(max_length=100, pattern=r"^[ -~]*$")] = ""
    outputs: Annotated[list[OutputTensor], Field(min_length=1, max_length=1)]


@dataclass(frozen=True)
class Contract:
    """How the server wants its tensors: type of the input, and whether as bytes behind the JSON."""

    datatype: str
    is_binary: bool


class KServeModel(AtServer):
    """Segments one series with a network on a server, and measures each structure."""

    sends = "voxels without any header"
    card_class = KServeCard
    described: ClassVar[KServeCard]

    @classmethod
    def asked_without_images(cls, ask: Ask) -> str:
        ServedNetwork(cls.described, ask)
        return f"its model {cls.described.server.model} is ready, and has the tensors of the card"

    def found(self, given: Given, ask: Ask, _aliases: Aliases) -> Iterator[Finding]:
        assert isinstance(given, Series)
        network = ServedNetwork(self.described, ask)
        yield from segmented(given, self.described, network)
        version = f", version {network.version}" if network.version else ""
        yield Note(f"Computed by {self.described.server.model}{version}, as its server says.")


class ServedNetwork(SegmentationNetwork):
    """The network as this run sees it; `version` is what the server calls it."""

    def __init__(self, card: KServeCard, ask: Ask) -> None:
        """Wait until the model is ready, and compare what the server says of it with the card."""
        super().__init__(card)
        self.version = ""
        self._served = card.server
        self._ask = ask
        ask(ServerRequest(f"{self._served.path}/ready", until_ready=True))
        self._contract = self._agreed()

    def ask(self, image: np.ndarray) -> np.ndarray:
        reply = self._ask(self._request(image))
        answer, rest = _answer(reply)
        (tensor,) = answer.outputs
        if tensor.name != self.card.output.name:
            raise _no_answer(f"the output is {tensor.name!r}")
        self._require_version(answer.model_version)
        return _numbers(tensor, rest)

    def _require_version(self, stated: str) -> None:
        """One run is of one version, the one that the card names if it does."""
        wanted = self._served.version or self.version or stated
        if stated != wanted:
            raise ServerError(
                f"version {stated!r} of the model {self._served.model} answers, not {wanted!r}"
            )
        self.version = stated

    def _agreed(self) -> Contract:
        size = self.card.patch.size or (FREE, FREE, FREE)
        facts = self._facts(ModelFacts, self._served.path)
        given = self._tensor(facts.inputs, self._served.input, (1, 1, *size))
        self._tensor(facts.outputs, self.card.output.name, (1, self.card.output.channels, *size))
        server = self._facts(ServerFacts, "v2")
        is_binary = BINARY_EXTENSION in server.extensions
        if given.datatype == ONLY_BINARY and not is_binary:
            why = "which has to be sent as bytes, and the server takes none"
            raise ServerError(f"the model takes {ONLY_BINARY}, {why}")
        return Contract(given.datatype, is_binary)

    def _facts(self, kind: type[Form], path: str) -> Form:
        return parsed(self._ask(ServerRequest(path)).content, kind, OTHER_FORM)

    def _tensor(
        self, tensors: Sequence[TensorFacts], name: str, wanted: Sequence[int]
    ) -> TensorFacts:
        """The facts of one tensor; `ServerError` where they are not those of the card."""
        found = next((tensor for tensor in tensors if tensor.name == name), None)
        if found is None:
            known = ", ".join(tensor.name for tensor in tensors) or "none"
            raise self._differs(f"the card names {name!r}, the model has {known}")
        fits = len(found.shape) == len(wanted) and all(
            FREE in (theirs, ours) or theirs == ours
            for theirs, ours in zip(found.shape, wanted, strict=True)
        )
        if not fits:
            raise self._differs(f"{name} is {found.shape}, the card gives {list(wanted)}")
        if found.datatype not in TYPES:
            raise self._differs(f"{name} is {found.datatype}, and {', '.join(TYPES)} are known")
        return found

    def _differs(self, how: str) -> ServerError:
        return ServerError(
            f"the server's model {self._served.model} is not that of the card: {how}"
        )

    def _request(self, image: np.ndarray) -> ServerRequest:
        contract = self._contract
        values = np.ascontiguousarray(image, TYPES[contract.datatype])
        tensor: dict[str, Any] = {
            "name": self._served.input,
            "shape": list(image.shape),
            "datatype": contract.datatype,
        }
        wanted: dict[str, Any] = {"name": self.card.output.name}
        if contract.is_binary:
            tensor["parameters"] = {"binary_data_size": values.nbytes}
            wanted["parameters"] = {"binary_data": True}
        else:
            tensor["data"] = values.ravel().tolist()
        head = json.dumps({"inputs": [tensor], "outputs": [wanted]}).encode()
        path = f"{self._served.path}/infer"
        if not contract.is_binary:
            return ServerRequest(path, head, JSON_TYPE)
        return ServerRequest(path, head + values.tobytes(), BINARY_TYPE, len(head))


def _answer(reply: ServerReply) -> tuple[InferenceAnswer, bytes]:
    """The JSON of an answer, and what lies behind it."""
    length = reply.json_length or len(reply.content)
    head, rest = reply.content[:length], reply.content[length:]
    return parsed(head, InferenceAnswer, OTHER_FORM), rest


def _numbers(tensor: OutputTensor, rest: bytes) -> np.ndarray:
    """The numbers of a tensor, float32, of the shape that it states."""
    kind = np.dtype(TYPES[tensor.datatype]) if tensor.datatype in TYPES else None
    if kind is None or min(tensor.shape, default=0) < 1:
        raise _no_answer(f"its output is {tensor.datatype} of {tensor.shape}")
    count = prod(tensor.shape)
    if tensor.data is None:
        if not tensor.parameters.binary_data_size == len(rest) == count * kind.itemsize:
            raise _no_answer("it does not have as many bytes as it states")
        values = np.frombuffer(rest, kind)
    else:
        try:
            values = np.asarray(tensor.data, np.float64).ravel()
        except (TypeError, ValueError) as error:
            raise _no_answer("its data are not numbers") from error
    if values.size != count:
        raise _no_answer("it does not have as many values as it states")
    return values.astype(np.float32).reshape(tensor.shape)


def _no_answer(why: str) -> ServerError:
    return ServerError(f"{OTHER_FORM}: {why}")
