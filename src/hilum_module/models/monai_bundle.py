"""MONAI bundles: a folder with configs, which say everything from the images to the label map.

The workflow of the bundle is run as its authors wrote it. What is put in its place is where the
images come from and where the result goes.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from hilum_module.errors import ModelError
from hilum_module.models import ModelModule, nifti
from hilum_module.volume import Volume


class MonaiBundle(ModelModule):
    """Runs the inference of a bundle on one volume after the other, in one warm process."""

    def __init__(self) -> None:
        """Import what takes long, and look whether the workflow can be read."""
        sys.path.insert(0, str(self.model))  # a bundle may bring code of its own
        self._workflow({})

    def labels(self, volume: Volume) -> np.ndarray:
        with tempfile.TemporaryDirectory() as scratch:
            given, left = Path(scratch) / "given", Path(scratch) / "left"
            given.mkdir()
            left.mkdir()
            nifti.write(volume, given / "image.nii")
            workflow = self._workflow(self._places(given, left))
            workflow.initialize()
            workflow.run()
            workflow.finalize()
            found = sorted(left.rglob("*.nii*"))
            if len(found) != 1:
                raise ModelError(f"the bundle left {len(found)} NIfTI files where one is needed")
            return nifti.read(found[0], volume)

    def _workflow(self, places: dict[str, Any]) -> Any:
        from monai.bundle import ConfigWorkflow

        # It warns that its log has no settings, which is meant, whoever adds a bundle or runs one.
        logging.getLogger(ConfigWorkflow.__module__).setLevel(logging.ERROR)
        options = self.plan.options
        return ConfigWorkflow(
            str(self.model / options["config"]),
            meta_file=str(self.model / "configs" / "metadata.json"),
            logging_file=False,
            workflow_type="infer",
            **{"bundle_root": str(self.model), **options["override"], **places},
        )

    def _places(self, given: Path, left: Path) -> dict[str, Any]:
        """What is set in the configuration for one run."""
        options = self.plan.options
        return {
            "dataset_dir": str(given),
            options["images_id"]: [{options["image"]: str(given / "image.nii")}],
            options["output_id"]: str(left),
        }
