"""Settings: what is wrong is named, with the nearest right word; the written example is valid."""

import pickle
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.datadict import keyword_dict

from hilum.config import load, parse
from hilum.config.fields import keywords
from hilum.config.kinds import SECTIONS_BY_KIND, settings_of
from hilum.config.reference import example, table, tables_by_kind
from hilum.config.site import Site
from hilum.errors import ConfigurationError
from hilum.kinds import DESTINATIONS, NOTIFIERS, SOURCES, WORKLISTS

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
        ({"destination": [{"name": "p"}]}, "destination p: kind is missing"),
        ({"destination": [{"name": "p", "kind": "dmise"}]}, "did you mean 'dimse'?"),
        ({"destination": ["p"]}, "destination 1: a table is needed"),
        ({"receiver": {"port": "abc"}}, "receiver.port: a whole number is needed (got 'abc')"),
        ({"worker": {"count": 0}}, "worker.count: 1 or more is needed (got 0)"),
        ({"receiver": {"allowed_hosts": "here"}}, "receiver.allowed_hosts: a list is needed"),
        ({"receiver": {"allowed_hosts": ["::1", "x"]}}, "receiver.allowed_hosts 2: an IP address"),
        ({"rule": [{"module": "m", "name": "my m"}]}, "rule my m: name: a name has 1 to 32"),
        ({"rule": [{"module": "m", "priority": "HI"}]}, "rule m: priority: 'STAT', 'HIGH', 'MED"),
        ({"rule": [{}, {"hours": "9"}]}, "rule 1: module is missing; rule 2: module is missing"),
        ({"audit": {"syslog": [{"port": 1}]}}, "audit.syslog 1: host is missing"),
        ({"console": {"tls": {"key_file": 1}}}, "console.tls.key_file: a path in quotes is needed"),
        ({"host": [{"module": "m", "kind": "child"}] * 2}, "two hosts are for the same module: m"),
        ({"host": [{"module": "m", "kind": "moon"}]}, "no host of kind 'moon'; known: child"),
        (
            {"destination": [{**PACS, "objects": ["sr"], "regions": "segments"}]},
            'destination pacs: regions = "segments" refers to the segmentation: add "seg" to obj',
        ),
        ({"source": [ORTHANC] * 2}, "two sources have the same name: pacs"),
        ({"source": [{**ORTHANC, "pol_seconds": 1}]}, "did you mean 'poll_seconds'?"),
        ({"source": [{**ORTHANC, "url": "pacs:8042"}]}, "an address such as http://pacs:8042"),
        ({"source": [{**ORTHANC, "url": "http://me:secret@pacs"}]}, "username and password_file"),
        (
            {"source": [{**ORTHANC, "name": "../pacs"}]},
            "source ../pacs: name: a name has 1 to 32 letters",
        ),
        ({"source": [{"name": "pacs", "kind": "orthanc"}]}, "source pacs: url is missing"),
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
    with pytest.raises(ConfigurationError, match="(?s).*" + re.escape(message)):
        parse(values)


def test_the_example_is_valid_and_names_every_setting() -> None:
    text = example(["hippocampal-volume", "other"], "one\n\n  two")
    site = parse(tomllib.loads(text))
    assert [(rule.module, rule.send_to) for rule in site.rule] == [
        ("hippocampal-volume", ("pacs",)),
        ("other", ("pacs",)),
    ]
    assert "# one\n#\n#   two\n" in text
    of_kinds = [row for key, rows in tables_by_kind().items() for row in rows]
    of_sections = [row for row in table() if not row[0].endswith(".kind")]
    for name, _default, help_sentence in (*of_sections, *of_kinds):
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


OTHERS_SETTINGS = [
    (section, kind, other, key)
    for section, kinds in SECTIONS_BY_KIND.items()
    for kind in kinds.usable()
    for other in kinds.usable()
    for key in settings_of(kinds, other).model_fields
    if key not in settings_of(kinds, kind).model_fields
]


@pytest.mark.parametrize(("section", "kind", "other", "key"), OTHERS_SETTINGS)
def test_a_kind_takes_no_settings_of_another(section: str, kind: str, other: str, key: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse({section: [{"name": "p", "kind": kind, key: "x"}]})
    assert re.search(rf"{section} p: unknown setting {key}[,;] ", str(refused.value))


def test_a_folder_with_a_port_is_refused_with_the_nearest_setting() -> None:
    folder = {"name": "out", "kind": "folder", "folder": "out"}
    with pytest.raises(ConfigurationError) as refused:
        parse({"destination": [{**folder, "port": 104, "ae_title": "PACS", "moed": "0644"}]})
    assert "destination out: unknown setting port" in str(refused.value)
    assert "destination out: unknown setting ae_title" in str(refused.value)
    assert "destination out: unknown setting moed, did you mean 'mode'?" in str(refused.value)


def test_every_block_of_the_example_is_valid_without_its_comment_signs() -> None:
    written = tomllib.loads("\n".join(uncommented(example(["hippocampal-volume"], ""))))
    assert {source["kind"] for source in written["source"]} == set(SOURCES.names)
    assert {place["kind"] for place in written["destination"]} == set(DESTINATIONS.names)
    assert {told["kind"] for told in written["notify"]} == set(NOTIFIERS.names)
    assert {one["kind"] for one in written["worklist"]} == set(WORKLISTS.names)
    named = ("source", "destination", "notify", "worklist")
    names = (f"{section}.{number}" for section in named for number in range(9))
    for section in named:
        for block, name in zip(written[section], names, strict=False):
            block["name"] = name.replace(".", "-")
    for number, host in enumerate(written["host"]):
        host["module"] = f"module-{number}"  # each has one place to run in
    site = parse({section: written[section] for section in SECTIONS_BY_KIND})
    ends = (*site.source, *site.destination, *site.notify, *site.worklist)
    assert [type(end).__name__ for end in ends] == [
        "DicomwebSourceSettings",
        "OrthancSourceSettings",
        "DimseDestinationSettings",
        "DicomwebDestinationSettings",
        "FhirDestinationSettings",
        "FolderDestinationSettings",
        "MllpDestinationSettings",
        "WebhookDestinationSettings",
        "EmailNotifierSettings",
        "WebhookNotifierSettings",
        "UpsSettings",
        "UpsRsSettings",
    ]


def uncommented(text: str) -> Iterator[str]:
    """The lines of `text`, with the settings that are comments."""
    for line in text.splitlines():
        plain = line.removeprefix("# ")
        if re.fullmatch(r"\[+\w+\]+|\w+ = \S.*", plain):
            yield plain


def test_what_is_validated_by_kind_survives_writing_and_reading() -> None:
    site = parse({"destination": [{"name": "out", "kind": "folder", "folder": "out"}]})
    assert parse(site.model_dump()) == site
    assert pickle.loads(pickle.dumps(site)) == site


def test_the_keywords_that_a_rule_may_use_are_those_of_pydicom() -> None:
    """They are read from a file of pydicom's own, which it may move or write in another way."""
    assert keywords() == set(keyword_dict) - {""}
    with pytest.raises(ConfigurationError, match="not a DICOM keyword"):
        parse({"rule": [{"module": "m", "series": {"": "x"}}]})
