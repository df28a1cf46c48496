"""The format "mercure": modules of the mercure orchestrator, as they are (mercure 0.4)."""

import json
from collections.abc import Iterator
from typing import Any

from pydicom.dataset import Dataset

from hilum.dicom.header import HOSTILE
from hilum.dicom.instance import Instance
from hilum.findings import Finding, Note, Refusal
from hilum.hosts.container.card import ContainerModule
from hilum.hosts.container.folders import RunFolders, put
from hilum.hosts.container.program import ContainerOrder, Containers
from hilum.module import Films

IN, OUT, KEPT = "/tmp/data", "/tmp/output", "/tmp/persistence"
ENVIRONMENT = {
    "MERCURE_IN_DIR": IN,
    "MERCURE_OUT_DIR": OUT,
    "MONAI_INPUTPATH": IN,
    "MONAI_OUTPUTPATH": OUT,
    "HOLOSCAN_INPUT_PATH": IN,
    "HOLOSCAN_OUTPUT_PATH": OUT,
    "MODULE_PERSISTENCE_DIR": KEPT,
}
HIDDEN = ("SQ", "OB", "OW", "OF", "OD", "OL", "OV", "UN")  # values that `.tags` files do not hold
LONGEST_NOTE = 500  # characters


class MercureModule(ContainerModule):
    """A mercure module: `card.toml` names its image, and what `module_config` would hold."""

    def order(self, _containers: Containers, case: RunFolders) -> ContainerOrder:
        for name, image in case.images.items():
            put(case, name.removesuffix(".dcm") + ".tags", _json(tags_of(image)))
        put(case, "task.json", _json(self._task(case)))
        # what mercure sets wins over what the module's own settings say
        environment = {**self.described.environment, **ENVIRONMENT}
        folders = {IN: case.given, OUT: case.left}
        as_image_says = self.described.as_image_user
        return ContainerOrder(
            self.described.image, environment, folders, as_image_says=as_image_says
        )

    def _task(self, case: RunFolders) -> dict[str, Any]:
        image = next(iter(case.images.values()))
        of_study = isinstance(self.needs, Films)
        header = image.header
        return {
            "id": image.study_uid if of_study else image.series_uid,
            "info": {
                "action": "process",
                "uid": image.study_uid if of_study else image.series_uid,
                "uid_type": "study" if of_study else "series",
                "applied_rule": self.name,
                "triggered_rules": {self.name: True},
                "patient_name": header.text("PatientName"),
                "mrn": header.text("PatientID"),
                "acc": header.text("AccessionNumber"),
                "mercure_server": "hilum",
            },
            "process": {
                "module_name": self.name,
                "module_config": {
                    "docker_tag": self.described.image,
                    "settings": self.described.settings,
                },
                "settings": self.described.settings,
                "retain_input_images": False,
            },
            "dispatch": {},
            "study": {},
        }

    def remarks(self, result: object) -> Iterator[Finding]:
        if not isinstance(result, dict):
            return
        told = result.get("__mercure_notification")
        if isinstance(told, dict) and str(told.get("text") or "").strip():
            text = f"The module says: {str(told['text'])[:LONGEST_NOTE]}"
            yield Note(text, caution=told.get("requested") is True)
        yield from _routed(result.get("__mercure_routing"))


def _routed(wish: object) -> Iterator[Finding]:
    """The module's word on where the result goes. Only the rules of the site send anything."""
    if not isinstance(wish, dict):
        return
    if wish.get("discard") is True:
        yield Refusal("discarded", "the module asked to discard its result")
    elif wish.get("target") or wish.get("use_alternate_target"):
        yield Note("The module asked for another destination; the rules of Hilum were followed.")


def tags_of(image: Instance) -> dict[str, str]:
    """What a `.tags` file of mercure holds: values as text by keyword."""
    header: Dataset = image.header
    found = {}
    for keyword in header.dir():
        try:
            element = header[keyword]
            if element.VR not in HIDDEN:
                found[keyword] = str(element.value)
        except HOSTILE:
            continue
    return found


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1).encode()
