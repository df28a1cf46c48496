"""Settings: what is wrong is named, with the nearest right word; the written example is valid."""

import tomllib
from pathlib import Path

import pytest

from hilum.config import load, parse
from hilum.config.reference import example, table
from hilum.config.site import Site
from hilum.errors import ConfigurationError

PACS = {"name": "pacs", "kind": "dimse"}
ORTHANC = {"name": "pacs", "kind": "orthanc", "url": "http://pacs:8042"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"reciever": {}}, "unknown setting reciever, did you mean 'receiver'?"),
        ({"receiver": {"prot": 1}}, "unknown setting receiver.prot, did you mean 'port'?"),
        ({"rule": [{"modul": "x"}]}, "did you mean 'module'?"),
        ({"receiver": {"port": 70000}}, "receiver.port"),
        ({"destination": [{"name": "p", "kind": "dimse", "objects": ["segg"]}]}, "'seg'"),
        ({"destination": [{"name": "p", "kind": "dicomweb"}]}, "url is missing"),
        ({"destination": [{"name": "p", "kind": "dimse"}] * 2}, "the same name"),
        (
            {"destination": [{**PACS, "objects": ["sr"], "regions": "segments"}]},
            'destination \'pacs\': regions = "segments" refers to the segmentation: add "seg"',
        ),
        ({"source": [ORTHANC] * 2}, "two sources have the same name: pacs"),
        ({"source": [{**ORTHANC, "pol_seconds": 1}]}, "did you mean 'poll_seconds'?"),
        ({"source": [{**ORTHANC, "url": "pacs:8042"}]}, "an address such as http://pacs:8042"),
        ({"source": [{**ORTHANC, "url": "http://me:secret@pacs"}]}, "username and password_file"),
        ({"source": [{**ORTHANC, "name": "../pacs"}]}, "source.0.name"),
        ({"source": [{"name": "pacs", "kind": "orthanc"}]}, "source.0.url"),
        ({"rule": [{"module": "m", "series": {"SeriesDescripton": "x"}}]}, "not a DICOM keyword"),
        (
            {"rule": [{"module": "m"}, {"module": "m", "priority": "STAT"}]},
            "name every destination",
        ),
        ({"route": [{"send_to": ["p"]}]}, "route: destination 'p' is not defined"),
        ({"receiver": {"ae_title": "x" * 17}}, "1 to 16 ASCII characters"),
        ({"rule": [{"module": "m", "series": {"SeriesDescription": "("}}]}, "not a regular expr"),
        (
            {
                "destination": [{"name": "pacs", "kind": "dimse"}],
                "rule": [{"module": "m", "send_to": ["pasc"]}],
            },
            "destination 'pasc' is not defined, did you mean 'pacs'?",
        ),
    ],
)
def test_a_mistake_is_named(values: dict, message: str) -> None:
    with pytest.raises(ConfigurationError, match="(?s).*" + __import__("re").escape(message)):
        parse(values)


def test_the_example_is_valid_and_names_every_setting() -> None:
    text = example(["hippocampal-volume", "other"], "one\n\n  two")
    site = parse(tomllib.loads(text))
    assert [(rule.module, rule.send_to) for rule in site.rule] == [
        ("hippocampal-volume", ("pacs",)),
        ("other", ("pacs",)),
    ]
    assert "# one\n#\n#   two\n" in text
    for name, _default, help_sentence in table():
        assert help_sentence in text, name
        assert help_sentence.endswith("."), name


def test_without_modules_the_rule_is_a_comment() -> None:
    assert parse(tomllib.loads(example([], ""))).rule == ()


def test_a_missing_or_broken_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="hilum init"):
        load(tmp_path / "absent.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[receiver")
    with pytest.raises(ConfigurationError, match="is not TOML"):
        load(broken)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Site().receiver.port = 1  # type: ignore[misc]


def test_a_scheme_is_read_in_any_letters() -> None:
    web = {"name": "web", "kind": "dicomweb", "url": "HTTPS://pacs/dicom-web/"}
    site = parse({"source": [web], "destination": [web]})
    assert site.source[0].url == site.destination[0].url == "https://pacs/dicom-web"
