"""Writes a tiny ONNX network byte by byte (onnx.proto3), so that the tests need no onnx package."""

import struct
from collections.abc import Sequence
from pathlib import Path

FLOAT, INTS = 1, 7  # TensorProto.FLOAT, AttributeProto.INTS


def write_network(
    path: Path, weights: list[list[float]], side: int = 32, channels_last: bool = False
) -> None:
    """Logits and activation map of a 1 x 1 convolution without bias, `weights` (groups, channels).

    Input `picture`, outputs `scores` (1, groups) and `map` (1, groups, side, side).
    """
    groups, channels = len(weights), len(weights[0])
    flat = [value for row in weights for value in row]
    shape = [1, side, side, channels] if channels_last else [1, channels, side, side]
    nodes = [
        _node("Conv", ["planes", "weights"], ["map"]),
        _node("GlobalAveragePool", ["map"], ["pooled"]),
        _node("Flatten", ["pooled"], ["scores"]),
    ]
    first = _node("Identity", ["picture"], ["planes"])
    if channels_last:
        first = _node("Transpose", ["picture"], ["planes"], perm=[0, 3, 1, 2])
    graph = b"".join(_bytes(1, node) for node in [first, *nodes])
    graph += _bytes(2, b"tiny")
    graph += _bytes(5, _tensor("weights", [groups, channels, 1, 1], flat))
    graph += _bytes(11, _value("picture", shape))
    graph += _bytes(12, _value("scores", [1, groups]))
    graph += _bytes(12, _value("map", [1, groups, side, side]))
    model = _number(1, 8) + _bytes(7, graph) + _bytes(8, _bytes(1, b"") + _number(2, 17))
    path.write_bytes(model)


def write_volume_network(
    path: Path, kernels: list[list[float]], bias: list[float], sides: list[int | str]
) -> None:
    """A 3 x 3 x 3 convolution, zero outside: `kernels` (channels, 27), `bias` (channels,).

    Input `image` (1, 1, sides), output `said` (1, channels, sides); a side that is a word is free.
    """
    channels = len(kernels)
    flat = [value for kernel in kernels for value in kernel]
    graph = _bytes(1, _node("Conv", ["image", "weights", "bias"], ["said"], pads=[1] * 6))
    graph += _bytes(2, b"tiny")
    graph += _bytes(5, _tensor("weights", [channels, 1, 3, 3, 3], flat))
    graph += _bytes(5, _tensor("bias", [channels], bias))
    graph += _bytes(11, _value("image", [1, 1, *sides]))
    graph += _bytes(12, _value("said", [1, channels, *sides]))
    model = _number(1, 8) + _bytes(7, graph) + _bytes(8, _bytes(1, b"") + _number(2, 17))
    path.write_bytes(model)


def _tensor(name: str, shape: list[int], flat: list[float]) -> bytes:
    sides = b"".join(_number(1, side) for side in shape)
    values = struct.pack(f"<{len(flat)}f", *flat)
    return sides + _number(2, FLOAT) + _bytes(8, name.encode()) + _bytes(9, values)


def _node(kind: str, inputs: list[str], outputs: list[str], **lists: list[int]) -> bytes:
    node = b"".join(_bytes(1, name.encode()) for name in inputs)
    node += b"".join(_bytes(2, name.encode()) for name in outputs)
    node += _bytes(4, kind.encode())
    for name, values in lists.items():
        attribute = _bytes(1, name.encode()) + b"".join(_number(8, value) for value in values)
        node += _bytes(5, attribute + _number(20, INTS))
    return node


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    sides = b"".join(
        _bytes(1, _bytes(2, side.encode()) if isinstance(side, str) else _number(1, side))
        for side in shape
    )
    tensor = _number(1, FLOAT) + _bytes(2, sides)
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, tensor))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])
