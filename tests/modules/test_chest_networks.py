"""A network of one's own: described by a card, found in a folder, checked before it is used."""

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from hilum.checking import check_rules
from hilum.cli import app
from hilum.config import parse
from hilum.dicom.parts import Part
from hilum.dicom.uids import derived_uid
from hilum.engine import exchange
from hilum.errors import ConfigurationError, ModuleError
from hilum.findings import Findings
from hilum.hosts import Job, Place, in_child, open_host
from hilum.hosts.discovery import discover, installed_modules
from hilum.module import facts_of
from hilum.modules.chest import ChestRadiograph
from hilum.modules.chest.networks import Classifier

from .films import film_of, held_out
from .tiny_onnx import write_network

SIDE = 32
CARD = """\
module = "chest-radiograph"
name = "our-network"
version = "3"
title = "Chest: bright or dark"
licence = "ours"
basis = "A score says how bright the film is."
abstain_below = 0.6
low_evidence = 0.1

[input]
rows = 32
columns = 32
colours = "BGR"
layout = "NCHW"
crop = "full"
cut_top = 0.1
fit = "squash"
scale = 255.0
mean = [10.0, 20.0, 30.0]
std = [2.0, 4.0, 5.0]

[output]
scores = "scores"
kind = "logits"
temperature = 50.0
activation = "map"

[[group]]
label = "bright"
value = "371251000"
scheme = "SCT"
meaning = "White color"

[[group]]
label = "dark"
value = "371251001"
scheme = "99LOCAL"
meaning = "Dark"
"""
WEIGHTS = [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
GUIDE = Path(__file__).parents[2] / "docs/how-to/bring-your-own-model.md"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of models with one in it."""
    folder = tmp_path / "models" / "ours"
    folder.mkdir(parents=True)
    (folder / "card.toml").write_text(CARD)
    write_network(folder / "network.onnx", WEIGHTS, SIDE)
    (tmp_path / "models" / "notes.txt").write_text("not a network")
    return folder.parent


def test_is_a_module_like_any_other(models: Path) -> None:
    found, problems = discover(Place(models=models))
    assert problems == {}
    facts = facts_of(found["our-network"])
    assert (facts.version, facts.title) == ("3", "Chest: bright or dark")
    assert found["chest-radiograph"] is ChestRadiograph
    assert "our-network" not in discover()[0]
    card = models / "ours" / "card.toml"
    card.write_text(CARD.replace("abstain_below = 0.6", "abstain_below = 0.7"))
    assert facts_of(discover(Place(models=models))[0]["our-network"]) != facts, (
        "a changed card is another one"
    )


def test_the_picture_is_made_as_the_card_says(models: Path) -> None:
    image = np.zeros((200, 300), np.float32)
    image[20:] = 0.5  # the rows above are cut off
    reading = Classifier(models / "ours")(image, np.zeros(image.shape, bool))
    first, last = (127.5 - 10) / 2, (127.5 - 30) / 5
    expected = 1 / (1 + np.exp((last - first) / 50))
    assert reading.scores == pytest.approx([expected, 1 - expected], abs=1e-3)
    evidence = reading.evidence(0)
    assert evidence is not None
    assert evidence.shape == image.shape
    assert evidence[:20].max() == 0
    assert evidence[20:].min() == pytest.approx(1)


def test_channels_last_gives_the_same(models: Path) -> None:
    image = np.random.default_rng(0).random((200, 300), np.float32)
    lungs = np.zeros(image.shape, bool)
    lungs[50:150, 60:240] = True
    for crop in ("full", "lungs"):
        text = CARD.replace('crop = "full"\ncut_top = 0.1', f'crop = "{crop}"')
        text = text.replace('activation = "map"\n', "")  # the tiny network's map keeps its order
        folder = models / "ours"
        (folder / "card.toml").write_text(text)
        expected = Classifier(folder)(image, lungs).scores
        other = models / "last"
        other.mkdir(exist_ok=True)
        (other / "card.toml").write_text(text.replace("NCHW", "NHWC"))
        write_network(other / "network.onnx", WEIGHTS, SIDE, channels_last=True)
        reading = Classifier(other)(image, lungs)
        assert reading.scores == pytest.approx(expected, abs=1e-5)
        assert reading.evidence(0) is None


PROBLEMS = [
    ('version = "3"', f'version = "{33 * "3"}"', "version: 32 characters at most"),
    ("abstain_below = 0.6", "abstain_below = 6", "abstain_below: .*1 or less is needed"),
    ("rows = 32", "rows = 64", r"one input \(1, 3, 64, 32\), not \[1, 3, 32, 32\]"),
    ('scores = "scores"', 'scores = "prob"', "no output 'prob', only scores, map"),
    ("[10.0, 20.0, 30.0]", "[10.0, 20.0]", "mean has 2 values, BGR needs 1 or 3"),
    ('fit = "squash"', 'fit = "squeeze"', "input.fit: 'pad' or 'squash' is needed"),
    ('licence = "ours"', "", "licence is missing"),
    ('licence = "ours"', 'license = "ours"', "unknown key license"),
    ('name = "our-network"', 'name = "chest-radiograph"', "a module 'chest-radiograph' already"),
    (
        'module = "chest-radiograph"',
        'module = "hippo"',
        "'hippo', which takes no model of yours; known: chest-radiograph",
    ),
    ('kind = "logits"\n', 'kind = "probabilities"\n', "a temperature is for logits"),
    ('label = "dark"', 'label = "bright"', "two groups have the same label"),
    ("[input]", "[input", "card.toml"),
    ("[input]", 'file = "../x.onnx"\n[input]', "file is a file name"),
    ("[input]", 'file = "other.onnx"\n[input]', "other.onnx"),
]


@pytest.mark.parametrize(("old", "new", "problem"), PROBLEMS)
def test_a_wrong_card_is_explained(models: Path, old: str, new: str, problem: str) -> None:
    assert old in CARD
    (models / "ours" / "card.toml").write_text(CARD.replace(old, new))
    found, problems = discover(Place(models=models))
    assert "chest-radiograph" in found
    if "our-network" in found:  # the card alone is right
        with pytest.raises(ConfigurationError, match=problem):
            found["our-network"]()
    else:
        (told,) = problems.values()
        assert re.search(problem, told), told


def test_only_a_process_of_its_own_loads_the_network(models: Path, tmp_path: Path) -> None:
    (models / "ours" / "network.onnx").write_bytes(b"hostile")
    found, problems = discover(Place(models=models))
    assert "our-network" in found
    assert problems == {}
    check_rules(parse({"models": str(models), "rule": [{"module": "our-network"}]}))
    listed = CliRunner().invoke(app, ["modules", "--models", str(models)])
    assert "network.onnx" in listed.output
    host = open_host(in_child("our-network"), Place(parse({}).worker, models))
    with pytest.raises(ModuleError, match=r"does not load: .*network\.onnx"):
        host.run(Job({"series": []}, tmp_path / "out", ""))
    host.close()


def test_what_tells_of_a_network_is_its_own_card_and_not_ours(models: Path) -> None:
    assert (
        installed_modules(Place(models=models))["our-network"].card == models / "ours" / "card.toml"
    )  # type: ignore[attr-defined]
    (models / "ours" / "card.md").write_text("# Ours\n")
    assert (
        installed_modules(Place(models=models))["our-network"].card == models / "ours" / "card.md"
    )  # type: ignore[attr-defined]
    assert installed_modules(Place(models=models))["chest-radiograph"].card == ChestRadiograph.card


def test_no_folder_stops_another(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(folder: Path) -> None:
        raise ValueError("Marker")

    monkeypatch.setattr(ChestRadiograph, "with_model", broken)
    found, problems = discover(Place(models=models))
    assert "chest-radiograph" in found
    assert problems["our-network"].endswith("ours: ValueError")


def test_an_activation_without_a_positive_value_is_no_evidence(
    models: Path, shared: Path, tmp_path: Path
) -> None:
    write_network(models / "ours" / "network.onnx", [[-9.0, 0.0, 0.0], [-8.0, 0.0, 0.0]], SIDE)
    text = CARD.replace("[10.0, 20.0, 30.0]", "[0.0]")
    (models / "ours" / "card.toml").write_text(text)
    module = discover(Place(models=models))[0]["our-network"]()
    findings = Findings(tuple(module.run([film_of(held_out(shared, every=16)[0], tmp_path)])))
    assert findings.classifications
    assert not findings.measurements
    assert not any("evidence" in note.text for note in findings.notes)


@pytest.mark.parametrize("weight", [np.nan, np.inf])
def test_an_activation_must_be_finite(models: Path, weight: float) -> None:
    network = Classifier(models / "ours")
    with pytest.raises(ModuleError, match="not finite"):
        network._activation(np.full((1, 2, 4, 4), weight, np.float32))


def test_a_folder_that_is_not_there_is_a_setting_to_mend(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"models: .* is not a folder"):
        parse({"models": str(tmp_path / "nowhere")})


def test_the_command_line_lists_it(models: Path) -> None:
    listed = CliRunner().invoke(app, ["modules", "--models", str(models), "--json"])
    assert "our-network" in listed.stdout
    assert "our-network" not in CliRunner().invoke(app, ["modules", "--json"]).stdout


def test_the_command_line_lists_those_of_the_settings(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    absent = CliRunner().invoke(app, ["modules", "--config", "none.toml"])
    assert isinstance(absent.exception, ConfigurationError)
    (tmp_path / "hilum.toml").write_text(f'models = "{models}"\n')
    assert "our-network" in CliRunner().invoke(app, ["modules", "--json"]).stdout
    run = ["run", "our-network", str(tmp_path), "--output", str(tmp_path / "out")]
    unknown = CliRunner().invoke(app, run)
    assert "--models, or your settings by --config" in str(unknown.exception)
    cured = CliRunner().invoke(app, [*run, "--config", "hilum.toml"])
    assert "no module" not in str(cured.exception)


def test_runs_in_its_own_process_with_the_same_gates(
    models: Path, shared: Path, tmp_path: Path
) -> None:
    good = film_of(held_out(shared, every=16)[0], tmp_path / "films", "good")
    lateral = film_of(
        np.eye(256), tmp_path / "films", derived_uid("lateral")[-8:], ViewPosition="LL"
    )
    site = parse({"models": str(models)})
    host = open_host(in_child("our-network"), Place(site.worker, site.models))
    files = [good.instance.path, lateral.instance.path]
    weights = facts_of(installed_modules(Place(models=models))["our-network"]).weights_sha256
    host.run(Job({"series": [Part(file) for file in files]}, tmp_path / "out", weights))
    host.close()
    findings = exchange.load(tmp_path / "out")
    (classification,) = findings.classifications
    assert {score.label for score in classification.scores} == {"bright", "dark"}
    assert classification.basis == "A score says how bright the film is."
    assert findings.heat_maps
    assert [item.code for item in findings.about(lateral.uid).items] == ["lateral"]  # type: ignore[union-attr]


def test_the_guide_shows_a_card_that_works(models: Path) -> None:
    (text,) = re.findall(r"```toml\n(module = \"chest.*?)```", GUIDE.read_text(), re.DOTALL)
    (models / "ours" / "card.toml").write_text(text)
    write_network(models / "ours" / "network.onnx", np.eye(3).tolist(), 480, channels_last=True)
    found, problems = discover(Place(models=models))
    assert problems == {}
    assert "covid-net" in found
