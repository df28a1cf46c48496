"""Networks on a server of KServe's protocol: only voxels leave, masks come back to their place."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hilum.errors import ModuleError
from hilum.findings import Findings, LabelMap, Measurement, Note
from inference_servers import Behaviour, kserve, running

from .test_server import PATIENT, Site

CARD = """
module = "kserve"
name = "bright-part"
version = "3"
title = "Bright part"
licence = "ours"
basis = "What is brighter than 500."
warnings = ["Not tested at this hospital."]

[input]
modality = "MR"

[voxels]
axes = "RAS"

[server]
model = "bright"
input = "voxels"

[output]
name = "said"
channels = 2

[[label]]
number = 1
label = "Spleen"
"""
IN_WINDOWS = CARD.replace("[output]", "[patch]\nsize = [16, 16, 2]\n\n[output]")


def found_by(
    folder: Path, behaviour: Behaviour, card: str = CARD, walled: bool = False, **server: Any
) -> tuple[Findings, Site]:
    with running(kserve(behaviour, **server)) as url:
        site = Site(folder, url, card)
        return site.run_walled() if walled else site.run(), site


def brighter(site: Site) -> np.ndarray:
    return np.stack([each.pixel_array > 500 for each in site.slices])


def map_of(found: Findings) -> np.ndarray:
    (labels,) = found.of(LabelMap)
    return np.asarray(labels.labels.array == 1)


@pytest.mark.parametrize("is_binary", [True, False])
def test_a_mask_lies_where_the_voxels_lay(tmp_path: Path, is_binary: bool) -> None:
    behaviour = Behaviour()
    found, site = found_by(tmp_path, behaviour, walled=is_binary, is_binary=is_binary)
    assert np.array_equal(map_of(found), brighter(site))
    (volume,) = found.of(Measurement)
    assert volume.value == pytest.approx(brighter(site).sum() / 1000)
    notes = [note.text for note in found.of(Note)]
    assert "Computed by bright, version 3, as its server says." in notes
    assert "Not tested at this hospital." in notes
    (body,) = behaviour.received
    assert not [text for text in PATIENT if text.encode() in body]
    assert site.slices[0].StudyInstanceUID.encode() not in body


def test_a_large_volume_goes_window_by_window(tmp_path: Path) -> None:
    behaviour = Behaviour()
    found, site = found_by(tmp_path, behaviour, IN_WINDOWS)
    assert np.array_equal(map_of(found), brighter(site))
    assert len(behaviour.received) > 4


def test_half_precision_goes_as_bytes_only(tmp_path: Path) -> None:
    found, site = found_by(tmp_path / "bytes", Behaviour(), datatype="FP16")
    assert np.array_equal(map_of(found), brighter(site))
    with pytest.raises(ModuleError, match="takes FP16, which has to be sent as bytes"):
        found_by(tmp_path / "json", Behaviour(), datatype="FP16", is_binary=False)


def test_a_model_that_is_not_ready_is_waited_for(tmp_path: Path) -> None:
    found, site = found_by(tmp_path, Behaviour(), not_ready=2)
    assert np.array_equal(map_of(found), brighter(site))
    with pytest.raises(ModuleError, match="the model is not ready; it was asked 6 times"):
        found_by(tmp_path / "never", Behaviour(), not_ready=9)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('model = "bright"', 'model = "other"'), "the server has no such model"),
        (('name = "said"', 'name = "spoken"'), "the card names 'spoken', the model has said"),
        (("channels = 2", "channels = 3"), "said is [1, 2, -1, -1, -1], the card gives [1, 3,"),
        (('input = "voxels"', 'input = "x"'), "the card names 'x', the model has voxels"),
    ],
)
def test_a_model_that_is_not_that_of_the_card_is_told(
    tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    with pytest.raises(ModuleError, match=re.escape(words)):
        found_by(tmp_path, Behaviour(), CARD.replace(*change))


def test_another_version_than_that_of_the_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModuleError, match="version '4' of the model bright answers, not '3'"):
        found_by(
            tmp_path,
            Behaviour(change={"model_version": "4"}),
            CARD.replace("input =", 'version = "3"\ninput ='),
        )


def output(**changed: Any) -> dict[str, Any]:
    tensor = {"name": "said", "datatype": "FP32", "shape": [1, 2, 20, 24, 3], "data": [1.0] * 2880}
    return {"outputs": [tensor | changed]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (output(name="other"), "the output is 'other'"),
        (output(shape=[1, 2, 24, 20, 3]), "gave (1, 2, 24, 20, 3) for a window of (20, 24, 3)"),
        (output(shape=[1, 2, 1 << 40, 24, 3]), "not have as many values as it states"),
        (output(shape=[]), "FP32 of []"),
        (output(datatype="BYTES"), "BYTES of"),
        (output(data=["a"] * 2880), "not numbers"),
        (output(data=[[1.0], [1.0, 2.0]]), "not numbers"),
        (output(data=[float("nan")] * 2880), "values that are not finite"),
        (output(data=None), "not have as many bytes as it states"),
        (output(data=None, parameters={"binary_data_size": 1 << 60}), "not have as many bytes"),
        ({"outputs": []}, "outputs: too_short"),
    ],
)
def test_an_answer_that_is_none_is_told(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ModuleError, match=re.escape(words)):
        found_by(tmp_path, Behaviour(change=change), is_binary=False)


def test_the_words_of_a_failure_get_through_the_walls(tmp_path: Path) -> None:
    with pytest.raises(ModuleError) as told:
        found_by(tmp_path, Behaviour(change=output(name="other")), walled=True)
    assert str(told.value) == "the answer does not follow KServe's protocol: the output is 'other'"
