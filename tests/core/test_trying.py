"""What rules would do is what they do."""

from pathlib import Path

import pytest

from factory import mr_slices, write
from hilum.config import parse
from hilum.config.site import Rule, Site
from hilum.errors import ConfigurationError
from hilum.inbox import Inbox
from hilum.module import Input
from hilum.study.trying import TrialOutcome, rules_in, study_on_disk, try_rules

NEEDS = {"bright": {"series": Input("MR")}}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    out = {"name": "out", "kind": "folder", "folder": str(tmp_path / "out")}
    return parse({"data": str(tmp_path), "destination": [out], "rule": [{"module": "bright"}]})


@pytest.mark.parametrize(
    ("rule", "outcome", "words"),
    [
        ({"module": "bright"}, TrialOutcome.ANALYSE, "4 images"),
        ({"module": "bright", "series": {"SeriesDescription": "Crop"}}, TrialOutcome.ANALYSE, "4"),
        (
            {"module": "bright", "series": {"SeriesDescription": "^T2"}},
            TrialOutcome.NOTHING_FITS,
            "SeriesDescription is 'HippoCrop'",
        ),
        (
            {"module": "bright", "study": {"StudyDescription": "Head"}},
            TrialOutcome.NOT_MEANT,
            "StudyDescription is empty",
        ),
        ({"module": "other"}, TrialOutcome.NO_MODULE, "no module other is installed"),
    ],
)
def test_each_outcome(
    tmp_path: Path, rule: dict[str, object], outcome: TrialOutcome, words: str
) -> None:
    inbox = Inbox(tmp_path)
    slices = mr_slices(count=4, description="HippoCrop")
    for path in write(slices, tmp_path / "scan"):
        inbox.store(path.read_bytes())
    uid = slices[0].StudyInstanceUID
    (inbox.study_folder(uid) / "broken.dcm").write_bytes(b"nothing")
    arrival = study_on_disk(uid, inbox.study_folder(uid))
    (trial,) = try_rules(arrival, [Rule.model_validate(rule)], NEEDS)
    assert (trial.number, trial.outcome) == (1, outcome)
    assert words in trial.text
    assert trial.series == (("HippoCrop",) if outcome is TrialOutcome.ANALYSE else ())


def test_rules_are_read_as_in_a_settings_file(site: Site) -> None:
    text = '[[rule]]\nmodule = "bright"\nsend_to = ["out"]\nseries.SeriesDescription = "^T1"\n'
    (rule,) = rules_in(text, site)
    assert (rule.send_to, rule.series) == (("out",), {"SeriesDescription": "^T1"})
    assert rules_in("", site) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[rule]", "this is not TOML"),
        ('data = "/"', "only [[rule]] can be tried here, not data"),
        ('[[rule]]\nmodule = "m"\nsend_to = ["none"]', "none"),
        ('[[rule]]\nmodul = "m"', "modul"),
        ('[[rule]]\nmodule = "m"\nseries.SeriesDescription = "("', "SeriesDescription"),
    ],
)
def test_what_is_wrong_is_said(site: Site, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        rules_in(text, site)
    assert words in str(raised.value)
