"""Export trained weights to the ONNX file the module runs.

    python training/hippocampus/export.py --weights OUT/ema.pt [--onnx PATH]

The graph takes (1, 1, x, y, z) z-scored crops, sides multiples of 8, and gives logits; the same
weights always give the same bytes. `evaluate.py` then adds what it measures as metadata.
"""

import argparse
import hashlib
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch

from hilum.modules.hippocampus import HippocampalVolume
from hilum.modules.hippocampus.network import Segmenter
from unet import UNet

OPSET = 17
LARGEST_DIFFERENCE = 1e-3  # of logits, which span about 20


def export(network: UNet, path: Path) -> None:
    """Write `network` to `path`, its spatial sizes dynamic."""
    axes = {2: "x", 3: "y", 4: "z"}
    with warnings.catch_warnings():
        # the TorchScript exporter writes plain operators that every engine optimises; its
        # successor needs another package and gives a larger graph
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network,
            (torch.zeros(1, 1, 32, 48, 32),),
            path,
            input_names=["image"],
            output_names=["logits"],
            dynamic_axes={"image": axes, "logits": axes},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    for node in model.graph.node:
        node.ClearField("doc_string")  # holds the paths of source files
    path.write_bytes(model.SerializeToString(deterministic=True))


@torch.no_grad()
def largest_difference(network: UNet, path: Path) -> float:
    """Largest difference of any logit between torch and our inference on crops of several sizes."""
    segmenter = Segmenter(path)
    rng = np.random.default_rng(0)
    differences = []
    for sides in [(32, 48, 32), (40, 56, 40), (24, 64, 48)]:
        image = rng.standard_normal(sides).astype(np.float32)
        expected = network(torch.from_numpy(image)[None, None])[0].numpy()
        differences.append(np.abs(segmenter.logits(image) - expected).max())
    return float(max(differences))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="ema.pt of train.py")
    parser.add_argument("--onnx", type=Path, default=HippocampalVolume.weights)
    options = parser.parse_args()

    network = UNet().eval()
    network.load_state_dict(torch.load(options.weights, weights_only=True))
    export(network, options.onnx)
    difference = largest_difference(network, options.onnx)
    if difference > LARGEST_DIFFERENCE:
        raise SystemExit(f"the export differs from torch by {difference:.2g}")
    written = options.onnx.read_bytes()
    print(f"{options.onnx}: {len(written) / 1e6:.1f} MB, differs from torch by {difference:.1g}")
    print(f"sha256 {hashlib.sha256(written).hexdigest()}")


if __name__ == "__main__":
    main()
