"""A program for an environment with nnU-Net: it trains nothing, and predicts from a file.

`make FOLDER` adds plans and weights by chance to the folder of a model; `predict FOLDER NIFTI NPY`
writes what nnU-Net itself makes of a file.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

SPACING = [1.5, 1.2, 1.2]
LAYERS = {
    "n_stages": 2,
    "features_per_stage": [4, 8],
    "conv_op": "torch.nn.modules.conv.Conv3d",
    "kernel_sizes": [[3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [2, 2, 2]],
    "n_conv_per_stage": [1, 1],
    "n_conv_per_stage_decoder": [1],
    "conv_bias": True,
    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
    "norm_op_kwargs": {"eps": 1e-5, "affine": True},
    "dropout_op": None,
    "dropout_op_kwargs": None,
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
}
ARCHITECTURE = {
    "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
    "arch_kwargs": LAYERS,
    "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
}
RESAMPLING = {
    f"resampling_fn_{what}{ending}": value
    for what, is_seg, order in (("data", False, 3), ("seg", True, 1), ("probabilities", False, 1))
    for ending, value in (
        ("", "resample_data_or_seg_to_shape"),
        ("_kwargs", {"is_seg": is_seg, "order": order, "order_z": 0, "force_separate_z": None}),
    )
}
CONFIGURATION = {
    "data_identifier": "nnUNetPlans_3d_fullres",
    "preprocessor_name": "DefaultPreprocessor",
    "batch_size": 2,
    "patch_size": [16, 16, 16],
    "median_image_size_in_voxels": [20, 30, 26],
    "spacing": SPACING,
    "normalization_schemes": ["ZScoreNormalization"],
    "use_mask_for_norm": [False],
    "architecture": ARCHITECTURE,
    "batch_dice": True,
    **RESAMPLING,
}
PLANS = {
    "dataset_name": "Dataset900_Tiny",
    "plans_name": "nnUNetPlans",
    "original_median_spacing_after_transp": SPACING,
    "original_median_shape_after_transp": [20, 30, 26],
    "image_reader_writer": "SimpleITKIO",
    "transpose_forward": [0, 1, 2],
    "transpose_backward": [0, 1, 2],
    "configurations": {"3d_fullres": CONFIGURATION},
    "experiment_planner_used": "ExperimentPlanner",
    "label_manager": "LabelManager",
    "foreground_intensity_properties_per_channel": {"0": {}},
}


def make(folder: Path) -> None:
    (folder / "plans.json").write_text(json.dumps(PLANS))
    plans = PlansManager(PLANS)
    labels = plans.get_label_manager(json.loads((folder / "dataset.json").read_text()))
    configuration = plans.get_configuration("3d_fullres")
    for fold in (0, 1):
        torch.manual_seed(fold)
        network = nnUNetTrainer.build_network_architecture(
            plans, configuration, 1, labels.num_segmentation_heads, enable_deep_supervision=False
        )
        for layer in network.decoder.seg_layers:  # or one label would win nearly everywhere
            layer.weight.data -= layer.weight.data.mean(1, keepdim=True)
            layer.bias.data.zero_()
        checkpoint = {
            "network_weights": network.state_dict(),
            "trainer_name": "nnUNetTrainer",
            "init_args": {"configuration": "3d_fullres"},
            "inference_allowed_mirroring_axes": (0, 1, 2),
        }
        torch.save(checkpoint, folder / f"fold_{fold}" / "checkpoint_final.pth")


def predict(folder: Path, image: str, into: str) -> None:
    predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(folder), (0, 1))
    voxels, properties = SimpleITKIO().read_images([image])
    np.save(into, predictor.predict_single_npy_array(voxels, properties, None, None, False))


if __name__ == "__main__":
    {"make": make, "predict": predict}[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
