"""One study through five modules in five kinds of host at once; three of them go wrong."""

import os
from pathlib import Path

import pytest

import containers
from hilum.dicom.instance import Instance
from hilum.installing import Wanted, add
from hilum.processes.process import descendants
from hilum.testing import write_series
from plugin import install_plugin
from tests.hosts.test_container import CARD, image  # noqa: F401 - a fixture
from tests.installing.test_environments import project, wheels  # noqa: F401 - a fixture

from .site import Running, running

EATING = """
    from hilum import Input

    class Module:
        name, version, needs = "eating", "1", Input(modality="MR")

        def run(self, series):
            held = []
            while True:
                held.append(bytearray(1 << 24))
"""
HANGING = """
import time

from hilum_module import Input


class Module:
    name, version, needs = "hanging", "1.0", Input(modality="MR")

    def run(self, series):
        time.sleep(3600)
"""
PROJECT = """
[project]
name = "hanging"
version = "1.0"
dependencies = ["hilum-module", "numpy<2"]

[project.entry-points."hilum.modules"]
hanging = "old_numbers:Module"
"""
WELL = ("bright-part", "mercure")  # by a host of the example package, and in a container
ENDS = {
    "eating": "raised MemoryError in plugin_eating.py, line 10; a fresh process failed, too",
    "hanging": "ran for more than 60 s; killed",
    "monai-map": "the container was killed",
}


def write_model(models: Path, format: str, image_id: str, deed: str) -> None:
    """A model called as its format, in a container that does `deed`."""
    card = CARD.format(image=image_id, format=format, deed=deed).replace('"outside"', f'"{format}"')
    (models / format).mkdir()
    (models / format / "card.toml").write_text(card)


def hanging_container() -> str:
    """The name of the container of ours that hangs; "" if there is none yet."""
    names = containers.podman("ps", "--filter=label=hilum.worker", "--format={{.Names}}").split()
    ours = {str(pid) for pid in descendants(os.getpid())}
    for name in names:
        if name.split("-")[1] in ours:
            said = containers.podman("inspect", "--format={{.Config.Env}}", name)
            if "DEED=hangs" in said:
                return name
    return ""


def kill(gateway: Running) -> None:
    """From outside, as the kernel does where a machine has no memory left."""
    containers.podman("kill", gateway.until(hanging_container, "the container that hangs"))


@pytest.mark.whole
def test_two_are_verified_while_one_is_killed_one_hangs_and_one_eats_memory(
    image: str,  # noqa: F811
    wheels: Path,  # noqa: F811
    example_package: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    add(Wanted(str(project(tmp_path / "source", PROJECT, HANGING)), wheels=wheels), models)
    write_model(models, "mercure", image, "well")
    write_model(models, "monai-map", image, "hangs")
    install_plugin(tmp_path / "plugin", monkeypatch, EATING, "eating")
    modules = (*ENDS, *WELL)
    settings = {
        "models": models,
        "worker": {"count": len(modules), "memory_mb": 512, "timeout_seconds": 60},
        "host": [{"module": "bright-part", "kind": "fresh"}],
        "destination": [{"name": "out", "kind": "folder", "folder": tmp_path / "out"}],
        "rule": [{"module": name, "send_to": ["out"]} for name in modules],
    }
    files = write_series(tmp_path / "exam")
    with running(tmp_path, **settings) as gateway:
        gateway.send(files)
        kill(gateway)
        study = gateway.settled(Instance.read(files[0]).study_uid, workitems=len(modules))
    of = {item.module: item for item in study.workitems}
    assert set(of) == set(modules)
    for name in WELL:
        assert of[name].state == "completed", of[name].reason
        assert of[name].results
        assert all(result.verified for result in of[name].results)
    for name, reason in ENDS.items():
        assert of[name].state == "failed"
        assert reason in of[name].reason
