"""Modules in containers, by a real podman: what they get, what becomes of what they leave."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import containers
from hilum.config.site import Worker
from hilum.engine import exchange
from hilum.errors import (
    ConfigurationError,
    MachineError,
    ModuleCancelled,
    ModuleCrashed,
    ModuleError,
)
from hilum.findings import Findings, OwnObject
from hilum.hosts import Job, Place, open_host, usual
from hilum.hosts.container.monai_map import Manifest
from hilum.hosts.container.program import LABEL, Containers
from hilum.hosts.discovery import discover, installed_module
from hilum.module import parameters_of
from hilum.processes.process import descendants
from hilum.testing import check_host, job_of, write_series
from patience import until

MEMORY_MB = 512
CARD = """
module = "{format}"
name = "outside"
version = "1.0"
title = "Module from outside"
image = "{image}"
licence = "MIT"
basis = "none: a test"

[input]
modality = "MR"
slices = [3, 100]

[settings]
threshold = 5

[environment]
DEED = "{deed}"

[[measurement]]
key = "volume.ml"
value = "118565006"
scheme = "SCT"
meaning = "Volume"
unit = "ml"
"""
Run = Callable[..., Findings]


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    return containers.image(tmp_path_factory.mktemp("image"))


def model(folder: Path, image: str, deed: str = "well", format: str = "mercure") -> Path:
    """A folder of models with one in a container."""
    (folder / "models" / "outside").mkdir(parents=True)
    card = CARD.format(image=image, deed=deed, format=format)
    (folder / "models" / "outside" / "card.toml").write_text(card)
    return folder / "models"


def place(models: Path, **limits: Any) -> Place:
    return Place(Worker(**{"memory_mb": MEMORY_MB, "timeout_seconds": 60, **limits}), models)


def job(models: Path, folder: Path) -> Job:
    files = write_series(folder / "exam", count=3)
    return job_of(installed_module("outside", Place(models=models)), files, folder / "out")


@pytest.fixture
def run(image: str, tmp_path: Path) -> Iterator[Run]:
    """Run one deed to its end; nothing of it may be left on the machine."""

    def run(deed: str, format: str = "mercure", output_mb: int = 16, **limits: Any) -> Findings:
        models = model(tmp_path, image, deed, format)
        settings = usual("outside", Place(models=models)).model_copy(
            update={"output_mb": output_mb}
        )
        with closing(open_host(settings, place(models, **limits))) as host:
            host.run(job(models, tmp_path))
        return exchange.load(tmp_path / "out")

    yield run
    assert ours() == []


def ours() -> list[str]:
    """The containers of this process."""
    names = containers.podman("ps", "-a", "--filter=label=hilum.worker", "--format={{.Names}}")
    return [name for name in names.split() if name.startswith(f"hilum-{os.getpid()}-")]


@pytest.mark.parametrize("format", ["mercure", "monai-map"])
def test_a_module_leaves_objects_and_numbers(run: Run, format: str) -> None:
    found = run("well", format)
    (own,) = found.of(OwnObject)
    assert own.dataset.ImageType == ["DERIVED", "SECONDARY"]
    (measured,) = found.measurements
    assert (measured.label, measured.value, measured.unit.value) == ("Volume", 12.5, "ml")


def test_it_keeps_the_promises_of_a_host(image: str, tmp_path: Path) -> None:
    models = model(tmp_path, image)
    with closing(open_host(usual("outside", Place(models=models)), place(models))) as host:
        check_host(host, job(models, tmp_path))


def test_mercure_gets_its_files_and_is_heard(run: Run) -> None:
    found = run("tells")
    said, routing = (note.text for note in found.notes)
    user, folder, settings = json.loads(said.removeprefix("The module says: "))
    assert user == (os.getuid() or 65534)
    assert (folder, settings) == ("/tmp/data", {"threshold": 5})
    assert routing == (
        "The module asked for another destination; the rules of Hilum were followed."
    )


def test_a_rule_sets_what_the_card_lets_it_set(image: str, tmp_path: Path) -> None:
    models = model(tmp_path, image, "tells")
    module = installed_module("outside", Place(models=models))
    with pytest.raises(ConfigurationError, match="did you mean 'threshold'"):
        parameters_of(module, {"treshold": 6})
    with pytest.raises(ConfigurationError, match="parameter threshold: a whole number is needed"):
        parameters_of(module, {"threshold": "high"})
    with closing(open_host(usual("outside", Place(models=models)), place(models))) as host:
        host.run(replace(job(models, tmp_path), parameters={"threshold": 6}))
    said = exchange.load(tmp_path / "out").notes[0].text
    assert said.endswith('{"threshold": 6}]')


def test_mercure_may_discard_its_result(run: Run) -> None:
    refusal = run("discards").refusal
    assert refusal is not None
    assert "asked to discard" in refusal.text


def test_images_that_are_given_back_are_no_result(run: Run) -> None:
    found = run("gives_back")
    assert not found.of(OwnObject)
    assert found.measurements


def test_there_is_no_network(run: Run) -> None:
    (note,) = run("network").notes[-1:]
    assert note.text == "The module says: Network is unreachable ['lo']"


def test_the_image_cannot_be_changed(run: Run) -> None:
    (note,) = run("writes").notes[-1:]
    assert set(json.loads(note.text.removeprefix("The module says: "))) <= {
        "Read-only file system",
        "Permission denied",
    }


def test_a_fork_bomb_ends_at_the_limit(run: Run) -> None:
    (note,) = run("fork_bomb").notes[-1:]
    assert 100 < int(note.text.removeprefix("The module says: ")) < 512


FAILURES = {
    "fails": r"failed \(exit status 3\)",
    "memory": "as if it needed more than 256 MiB",
    "huge": "failed|more than 16 MiB",
    "many": "more than 16 MiB or 10000 files, .*; killed",
    "floods": "printed too much",
    "hangs": "ran for more than 2 s",
    "nothing": "left no result",
    "link": "no plain file, such as a link",
    "deep": "folders more than 8 deep",
    "folder_link": "no plain file, such as a link",
    "fifo": "no plain file, such as a link",
    "lacks": "as MR Image Storage it lacks PhotometricInterpretation",
}


@pytest.mark.parametrize("deed", FAILURES)
def test_what_goes_wrong_is_named(run: Run, tmp_path: Path, deed: str) -> None:
    limits = {"hangs": {"timeout_seconds": 2}, "memory": {"memory_mb": 256}}
    with pytest.raises(ModuleError, match=FAILURES[deed]) as error:
        run(deed, **limits.get(deed, {}))
    assert "sample" not in str(error.value)
    assert not (tmp_path / "out" / exchange.FINDINGS).exists()


def test_what_it_printed_stands_where_a_traceback_would(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ModuleCrashed):
        run("fails")
    assert "no such weights" in (tmp_path / "out" / "traceback.txt").read_text()


def test_a_result_that_is_not_wanted_any_more_is_not_waited_for(image: str, tmp_path: Path) -> None:
    models = model(tmp_path, image, "hangs")
    with closing(open_host(usual("outside", Place(models=models)), place(models))) as host:
        asked = job(models, tmp_path)
        with pytest.raises(ModuleCancelled):
            host.run(asked, lambda: not ours())
    assert ours() == []


def test_an_image_that_is_not_there_is_named_with_the_cure(run: Run, tmp_path: Path) -> None:
    models = model(tmp_path, f"sha256:{'0' * 64}")
    with (
        closing(open_host(usual("outside", Place(models=models)), place(models))) as host,
        pytest.raises(ModuleError, match="is not on this machine: `podman pull` or `podman load`"),
    ):
        host.run(job(models, tmp_path))


@pytest.mark.parametrize(
    ("given", "left"), [("input", "input"), ("/", "output"), ("input", "/x:ro"), (".", "./")]
)
def test_folders_that_no_container_can_have_are_told(given: str, left: str) -> None:
    told = {**containers.MANIFEST, "input": {"path": given}, "output": {"path": left}}
    with pytest.raises(ModuleError, match="as its input and output folders"):
        _ = Manifest.model_validate(told).folders
    assert Manifest.model_validate(containers.MANIFEST).folders == (
        "/var/holoscan/input",
        "/var/holoscan/output",
    )


MACHINE = {  # what is wrong with podman, and what is said of that
    "storage": "podman does not work on this machine: what `podman images` says",
    "option": r"podman did not run the container \(exit status 125\): .* options of the",
    "program": "broken cannot be started: Exec format error",
}


@pytest.mark.parametrize("fault", MACHINE)
def test_what_is_wrong_with_podman_is_no_fault_of_the_image(
    fault: str, image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = model(tmp_path, image)
    (tmp_path / "broken").write_bytes(b"\x7fELF and nothing else")
    (tmp_path / "broken").chmod(0o700)
    changes: dict[str, dict[str, Any]] = {
        "option": {"options": ("--nonsense",)},
        "program": {"program": str(tmp_path / "broken")},
    }
    settings = usual("outside", Place(models=models)).model_copy(update=changes.get(fault, {}))
    if fault == "storage":
        monkeypatch.setenv("CONTAINERS_STORAGE_CONF", "/etc/hostname")
    with (
        closing(open_host(settings, place(models))) as host,
        pytest.raises((MachineError, ModuleCrashed), match=MACHINE[fault]),
    ):
        host.run(job(models, tmp_path))


KILLED = """
import sys
from pathlib import Path
from hilum.config.site import Worker
from hilum.hosts import Place, open_host, usual
from hilum.hosts.discovery import installed_module
from hilum.testing import job_of
models, files = Path(sys.argv[1]), [Path(file) for file in sys.argv[2:]]
job = job_of(installed_module("outside", Place(models=models)), files, models.parent / "out")
open_host(usual("outside", Place(models=models)), Place(Worker(), models)).run(job)
"""


def test_a_killed_worker_leaves_no_container(image: str, tmp_path: Path) -> None:
    models = model(tmp_path, image, "hangs")
    files = write_series(tmp_path / "exam", count=3)
    worker = subprocess.Popen([sys.executable, "-c", KILLED, models, *files])
    mark = f"hilum-{worker.pid}-"
    listed = ("ps", "-a", "--format={{.Names}}", f"--filter=name={mark}")
    until(lambda: mark in containers.podman(*listed), "the container of the worker")
    worker.kill()
    worker.wait()
    until(lambda: mark not in containers.podman(*listed), "the end of the container")


def test_what_a_killed_keeper_has_left_is_removed(image: str, tmp_path: Path) -> None:
    """At once where the worker lives, else when a worker starts."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    name = f"hilum-{gone.pid}-1-1"
    containers.podman("create", f"--name={name}", f"--label={LABEL}={name}", image, "nothing")
    Containers().sweep()
    assert name not in containers.podman("ps", "-a", "--format={{.Names}}")

    def kill_keepers() -> bool:
        for pid, line in lines_below() if ours() else ():
            if "keeper.py" in line:
                os.kill(pid, signal.SIGKILL)
        return True

    models = model(tmp_path, image, "hangs")
    with (
        closing(open_host(usual("outside", Place(models=models)), place(models))) as host,
        pytest.raises(ModuleCrashed, match="that ran the container was killed"),
    ):
        host.run(job(models, tmp_path), kill_keepers)
    assert ours() == []


def lines_below() -> Iterator[tuple[int, str]]:
    """The command lines of all processes that we have started."""
    for pid in descendants(os.getpid()):
        with suppress(OSError):  # it has ended meanwhile
            yield pid, Path(f"/proc/{pid}/cmdline").read_text()


WRONG = {
    'image = "{image}"': ('image = "example:latest"', "image: a text of the form"),
    'modality = "MR"': ("colour = 1", "input: unknown key colour"),
    "licence = ": ("earlier = 1\nlicence = ", "earlier: .* the images of one exam, no earlier"),
    'module = "{format}"': ('module = "jar"', "known: .*mercure, monai-bundle, monai-map"),
}


@pytest.mark.parametrize("right", WRONG)
def test_a_wrong_card_is_refused_by_name(tmp_path: Path, right: str) -> None:
    (tmp_path / "outside").mkdir()
    wrong, message = WRONG[right]
    card = CARD.replace(right, wrong).format(
        image=f"x@sha256:{'0' * 64}", format="mercure", deed="well"
    )
    (tmp_path / "outside" / "card.toml").write_text(card)
    problem = discover(Place(models=tmp_path))[1]["outside"]
    assert re.search(message, problem), problem
