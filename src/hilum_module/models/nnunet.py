"""nnU-Net v2: a folder of a trained model, as nnUNetv2_train leaves it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from hilum_module.models import ModelModule
from hilum_module.models.axes import Laid
from hilum_module.volume import Volume

QUIET = {  # it looks for these folders when it is imported, and uses none of them to predict
    "nnUNet_raw": "",
    "nnUNet_preprocessed": "",
    "nnUNet_results": "",
    "nnUNet_def_n_proc": "1",  # its walls let a module start no process ...
    "nnUNet_n_proc_DA": "0",  # ... not even the one that asks for the name of the machine
    "nnUNet_compile": "f",
}


def require_one_stage(configuration: Any) -> None:
    """Raise `ValueError` for the second stage of a cascade: nnU-Net itself would fail in a run.

    `configuration` is nnU-Net's own, which only the weights name.
    """
    before = configuration.previous_stage_name
    if before:
        raise ValueError(
            f"it is the second stage of a cascade, and Hilum does not run the first ({before}):"
            " add a model of one stage, such as 3d_fullres"
        )


class NnUNet(ModelModule):
    """Runs the folds of a trained nnU-Net on one volume after the other."""

    def __init__(self) -> None:
        """Load the network of every fold."""
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        import torch
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

        options = self.plan.options
        has_gpu = torch.cuda.is_available()
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        self._predictor = nnUNetPredictor(
            tile_step_size=options["step"],
            use_mirroring=options["mirroring"],
            perform_everything_on_device=has_gpu,
            device=torch.device("cuda" if has_gpu else "cpu"),
            allow_tqdm=False,
        )
        self._predictor.initialize_from_trained_model_folder(
            str(self.model), tuple(options["folds"]), options["checkpoint"]
        )
        require_one_stage(self._predictor.configuration_manager)

    def labels(self, volume: Volume) -> np.ndarray:
        laid = Laid(volume, self.plan.options["axes"])
        voxels = np.ascontiguousarray(laid.array, np.float32)[None]
        found = self._predictor.predict_single_npy_array(
            voxels, {"spacing": list(laid.spacing)}, None, None, False
        )
        return laid.back(np.asarray(found))
