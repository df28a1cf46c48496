"""Models as frameworks leave them, tiny: a MONAI bundle, the folder of an nnU-Net; their wheels."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

VERSIONS = {  # for which there are wheels; the specification of bundles names each of these keys
    "monai_version": "1.6.1",
    "pytorch_version": "2.13.0+cpu",
    "numpy_version": "2.4.6",
    "required_packages_version": {"nibabel": "5.4.2", "pytorch-ignite": "0.5.5"},
}
IMAGE = {
    "type": "image",
    "format": "magnitude",
    "modality": "MR",
    "num_channels": 1,
    "spatial_shape": [16, 16, 16],
    "channel_def": {"0": "image"},
}
RESULT = {
    "type": "image",
    "format": "segmentation",
    "num_channels": 2,
    "spatial_shape": [16, 16, 16],
    "channel_def": {"0": "background", "1": "spleen"},
}
METADATA: dict[str, Any] = {
    "version": "0.1.0",
    "name": "Bright spleen",
    "intended_use": "A test.",
    **VERSIONS,
    "network_data_format": {"inputs": {"image": IMAGE}, "outputs": {"pred": RESULT}},
}
STEPS = [
    {"_target_": "LoadImaged", "keys": "image"},
    {"_target_": "EnsureChannelFirstd", "keys": "image"},
    {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS", "labels": None},
    {"_target_": "Spacingd", "keys": "image", "pixdim": [1.25, 1.25, 1.25], "mode": "bilinear"},
    {
        "_target_": "ScaleIntensityRanged",
        "keys": "image",
        "a_min": 0,
        "a_max": 1000,
        "b_min": 0,
        "b_max": 1,
    },
]
BACK = [
    {"_target_": "Activationsd", "keys": "pred", "softmax": True},
    {
        "_target_": "Invertd",
        "keys": "pred",
        "transform": "@preprocessing",
        "orig_keys": "image",
        "nearest_interp": False,
        "to_tensor": True,
    },
    {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
    {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"},
]
WORKFLOW: dict[str, Any] = {  # as the bundles of MONAI's model zoo are written
    "imports": ["$import glob", "$import torch"],
    "bundle_root": "/workspace/bright",
    "output_dir": "$@bundle_root + '/eval'",
    "dataset_dir": "/workspace/data",
    "datalist": "$sorted(glob.glob(@dataset_dir + '/*.nii.gz'))",
    "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
    "network_def": {
        "_target_": "torch.nn.Conv3d",
        "in_channels": 1,
        "out_channels": 2,
        "kernel_size": 1,
    },
    "network": "$@network_def.to(@device)",
    "preprocessing": {"_target_": "Compose", "transforms": STEPS},
    "dataset": {
        "_target_": "Dataset",
        "data": "$[{'image': path} for path in @datalist]",
        "transform": "@preprocessing",
    },
    "dataloader": {
        "_target_": "DataLoader",
        "dataset": "@dataset",
        "batch_size": 1,
        "num_workers": 4,
    },
    "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [16, 16, 16], "overlap": 0.5},
    "postprocessing": {"_target_": "Compose", "transforms": BACK},
    "brighter_than_half": [
        "$@network_def.weight.data.copy_(torch.tensor([-9.0, 9.0]).reshape(2, 1, 1, 1, 1))",
        "$@network_def.bias.data.copy_(torch.tensor([4.5, -4.5]))",
    ],
    "evaluator": {
        "_target_": "SupervisedEvaluator",
        "device": "@device",
        "val_data_loader": "@dataloader",
        "network": "@network",
        "inferer": "@inferer",
        "postprocessing": "@postprocessing",
    },
    "initialize": ["$@brighter_than_half"],
    "run": ["$@evaluator.run()"],
}
DATASET: dict[str, Any] = {
    "channel_names": {"0": "T1"},
    "labels": {"background": 0, "spleen": 1, "kidney_left": 2, "ignore": 3},
    "file_ending": ".nii.gz",
}
NNUNET_CARD = """\
module = "nnunet"
name = "tiny-nnunet"
version = "1"
title = "Tiny nnU-Net"
licence = "none"
basis = "Random weights: a test."
axes = "SPL"

[input]
modality = "MR"
"""


def write_bundle(folder: Path, card: str = "", **metadata: Any) -> Path:
    """The bundle "bright_spleen" below `folder`, with other `metadata` where they are given."""
    bundle = folder / "bright_spleen"
    (bundle / "configs").mkdir(parents=True)
    (bundle / "docs").mkdir()
    (bundle / "configs" / "metadata.json").write_text(json.dumps({**METADATA, **metadata}))
    (bundle / "configs" / "inference.json").write_text(json.dumps(WORKFLOW))
    (bundle / "docs" / "README.md").write_text("# Bright spleen\n\nA test.\n")
    if card:
        (bundle / "card.toml").write_text(card)
    return bundle


def write_nnunet(folder: Path, card: str = NNUNET_CARD, **dataset: Any) -> Path:
    """The folder of an nnU-Net below `folder`, as far as no PyTorch is needed for it."""
    model = folder / "Dataset900_Tiny"
    for fold in ("fold_0", "fold_1", "fold_all"):
        (model / fold).mkdir(parents=True)
        (model / fold / "checkpoint_final.pth").write_bytes(b"weights")
    (model / "plans.json").write_text("{}")
    (model / "dataset.json").write_text(json.dumps({**DATASET, **dataset}))
    if card:
        (model / "card.toml").write_text(card)
    return model


def wheels_of(request: pytest.FixtureRequest, name: str, packages: Sequence[str]) -> Path:
    """A folder with the wheels of `packages`; what comes as source is made into one."""
    folder = request.config.cache.mkdir(name)
    done = folder / "done"
    if not done.exists():
        command = [sys.executable, "-m", "pip", "wheel", "-q", "-w", str(folder), *packages]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip(f"{', '.join(packages)} cannot be had for this Python")
        done.touch()
    return folder
