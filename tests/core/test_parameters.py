"""What a rule may set for a module: looked at before anything runs, and told in the result."""

from dataclasses import dataclass
from pathlib import Path

import pydicom
import pytest
from pydantic import BaseModel, Field

from factory import mr_slices, write
from hilum.checking import check_rules
from hilum.config import parse
from hilum.config.site import Rule
from hilum.errors import ConfigurationError
from hilum.module import ModuleFacts, parameters_of
from hilum.offline import analyse_folder
from hilum.study.runs import run_uid
from plugin import install_plugin
from tests.objects import validators
from tests.objects.validators import judge

__all__ = ["judge"]

CHOOSING = '''\
"""How much of the volume is brighter than a threshold."""

from dataclasses import dataclass

from hilum import Input, Measurement, Resources, codes


@dataclass(frozen=True)
class Choice:
    threshold: float = 0.5
    name: str = "any"


class Choosing:
    name, version = "choosing", "0.1"
    needs = Input(modality="MR")
    parameters = Choice
    resources = Resources(memory_mb=500)

    def run(self, series, parameters):
        yield Measurement(codes.VOLUME, parameters.threshold, codes.MILLILITRE)
'''


@dataclass(frozen=True)
class Choice:
    threshold: float = 0.5


class Model(BaseModel):
    threshold: float = Field(0.5, ge=0, le=1)


class Chosen:
    name = "chosen"
    parameters: type | None = Choice


class Without(Chosen):
    parameters = None


class Bounded(Chosen):
    parameters = Model


class Wrong(Chosen):
    parameters = int


def test_what_is_not_set_has_its_default():
    assert parameters_of(Chosen, {}) == Choice(0.5)
    assert parameters_of(Chosen, {"threshold": 1}) == Choice(1.0)
    assert parameters_of(Bounded, {"threshold": 0.25}) == Model(threshold=0.25)
    assert parameters_of(Without, {}) is None


@pytest.mark.parametrize(
    ("module", "given", "said"),
    [
        (Chosen, {"treshold": 1}, "'treshold': the module has none.*did you mean 'threshold'"),
        (Chosen, {"threshold": "0.5"}, "parameter threshold: .*number"),
        (Bounded, {"threshold": 2}, "parameter threshold: .*1 or less is needed"),
        (Without, {"threshold": 1}, "the module has none of that name"),
        (Wrong, {}, "neither a dataclass nor a pydantic model"),
    ],
)
def test_what_cannot_be_set_is_said(module, given, said):
    with pytest.raises(ConfigurationError, match=said):
        parameters_of(module, given)


def test_other_parameters_make_another_rule_and_another_result():
    facts = ModuleFacts("m", "1", "M", "00")
    plain, one, other = (
        Rule(module="m", parameters=given) for given in ({}, {"a": 1, "b": 2}, {"b": 3, "a": 1})
    )
    assert len({rule.key for rule in (plain, one, other)}) == 3
    assert len({run_uid(rule, facts, {}) for rule in (plain, one, other)}) == 3
    assert one.key == Rule(module="m", parameters={"b": 2, "a": 1}).key


def test_more_than_a_message_holds_is_refused():
    with pytest.raises(ValueError, match="8000 are allowed"):
        Rule(module="m", parameters={"text": "x" * 9000})


def test_a_rule_is_looked_at_at_the_start_and_the_report_tells_what_it_sets(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    judge: validators.Judge,
) -> None:
    install_plugin(tmp_path / "package", monkeypatch, CHOOSING, "choosing", "Choosing")
    rule = {"module": "choosing", "parameters": {"treshold": 0.25}}
    with pytest.raises(ConfigurationError, match=r"rule: module 'choosing'.*mean 'threshold'"):
        check_rules(parse({"rule": [rule]}))
    with pytest.raises(ConfigurationError, match="which is 300: raise it"):
        check_rules(parse({"rule": [{"module": "choosing"}], "worker": {"memory_mb": 300}}))
    write(mr_slices(count=4), tmp_path / "in")
    chosen = {"threshold": "0.25", "name": "first"}
    (report,) = analyse_folder("choosing", tmp_path / "in", tmp_path / "out", {}, parameters=chosen)
    assert report.findings[0].value == 0.25
    (path,) = (result.path for result in report.results if result.kind == "sr")
    text = str(pydicom.dcmread(path))
    assert "threshold = 0.25" in text and 'name = "first"' in text
    assert validators.dciodvfy(path) == []
    assert validators.dsrdump_complaints(path) == []
    assert judge.complaints(path) == []
