"""Torch to ONNX: plain operators, the same weights give the same bytes."""

import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime import InferenceSession

OPSET = 17
LARGEST_DIFFERENCE = 1e-3


def write(
    network: torch.nn.Module,
    example: torch.Tensor | tuple[torch.Tensor, ...],
    path: Path,
    outputs: list[str],
    inputs: list[str] | None = None,
) -> None:
    """Write `network` (in eval mode) to `path`, batch dynamic; fail if ONNX Runtime differs."""
    inputs = inputs or ["image"]
    examples = example if isinstance(example, tuple) else (example,)
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # the TorchScript exporter writes plain operators; its successor needs another package
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network,
            examples,
            path,
            input_names=inputs,
            output_names=outputs,
            dynamic_axes={name: {0: "n"} for name in [*inputs, *outputs]},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    for node in model.graph.node:
        node.ClearField("doc_string")  # holds the paths of source files
    path.write_bytes(model.SerializeToString(deterministic=True))
    difference = _difference(network, examples, path, inputs)
    if difference > LARGEST_DIFFERENCE:
        raise SystemExit(f"the export differs from torch by {difference:.2g}")
    size = path.stat().st_size / 1e6
    print(f"{path}: {size:.1f} MB, differs from torch by {difference:.1g}", flush=True)


@torch.no_grad()
def _difference(
    network: torch.nn.Module, examples: tuple[torch.Tensor, ...], path: Path, names: list[str]
) -> float:
    torch.manual_seed(0)
    feed = [torch.rand_like(each) for each in examples]
    expected = network(*feed)
    expected = expected if isinstance(expected, tuple) else (expected,)
    session = InferenceSession(path)
    found = session.run(None, {name: each.numpy() for name, each in zip(names, feed, strict=True)})
    return max(float(np.abs(a - b.numpy()).max()) for a, b in zip(found, expected, strict=True))
