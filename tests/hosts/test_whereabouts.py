"""It is said of each module where it runs."""

from pathlib import Path

from hilum.config import parse
from hilum.hosts.container.mercure import MercureModule
from hilum.hosts.discovery import installed_module
from hilum.hosts.whereabouts import runs_in
from hilum.servers.dicom_ai_router import RouterModel

IMAGE = f"registry.example/volumes@sha256:{'ab' * 32}"
CARD = f"""
module = "mercure"
name = "outside"
version = "1.0"
title = "Module from outside"
image = "{IMAGE}"
licence = "MIT"
basis = "none: a test"
input = {{ modality = "MR" }}
"""


def test_where_a_module_runs(tmp_path: Path) -> None:
    (tmp_path / "card.toml").write_text(CARD)
    outside = MercureModule.with_model(tmp_path)
    ours = installed_module("hippocampal-volume")
    site = parse({"data": str(tmp_path / "data")})
    other = {"module": ours.name, "kind": "container"}
    chosen = parse({"data": str(tmp_path / "data"), "host": [other]})
    served = {"module": ours.name, "kind": "server", "url": "https://ai.example"}
    elsewhere = parse({"data": str(tmp_path / "data"), "host": [served]})
    assert runs_in(elsewhere, ours) == "by a host of kind server"
    assert runs_in(site, outside) == f"in a container for each run: {IMAGE}"
    assert runs_in(site, ours) == "in a process of each worker, with the packages of Hilum"
    assert runs_in(chosen, ours) == "by a host of kind container"


def test_on_which_server_a_module_runs(tmp_path: Path) -> None:
    card = CARD.replace('"mercure"', '"dicom-ai-router"').replace(
        f'image = "{IMAGE}"', 'endpoint = "x"'
    )
    (tmp_path / "card.toml").write_text(card)
    module = RouterModel.with_model(tmp_path)
    data = {"data": str(tmp_path / "data")}
    named = {"module": "outside", "kind": "server", "url": "https://models.example"}
    assert (
        runs_in(parse({**data, "host": [named]}), module) == "on a server: https://models.example"
    )
    assert runs_in(parse(data), module) == "on a server that no [[host]] names"
