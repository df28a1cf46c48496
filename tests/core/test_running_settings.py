"""Every setting as Hilum works by it, with the line that sets it, and without any secret."""

import tomllib
from pathlib import Path

import pytest

from hilum.config import parse
from hilum.config.reference import example, table
from hilum.config.running import RunningSetting, running
from hilum.config.site import Site

TEXT = """\
# A comment.
data = "{data}"
database = "postgresql+psycopg://hilum:marker-secret@db/hilum"

[receiver]
ae_title = "HILUM"
port = 11112  # as it is
tls = {{ certificate_file = "/etc/c.pem", key_file = "/etc/k.pem" }}

[[destination]]
name = "pacs"
kind = "dicomweb"
url = "http://127.0.0.1:1/dicom-web"

[[destination]]
name = "shelf"
kind = "folder"
folder = "/tmp/shelf"

[[rule]]
module = "m"
send_to = ["pacs"]
  [rule.series]
  SeriesDescription = "T1"
"""


@pytest.fixture
def text(tmp_path: Path) -> str:
    return TEXT.format(data=tmp_path)


def by_name(site: Site, text: str) -> dict[str, RunningSetting]:
    return {
        f"{section.title} {one.name}".strip(): one
        for section in running(site, text)
        for one in section.settings
    }


def test_each_setting_names_its_line_and_its_default(text: str) -> None:
    found = by_name(parse(tomllib.loads(text)), text)

    def said(name: str) -> tuple[str, str, int | None]:
        return found[name].value, found[name].default, found[name].line

    assert said("[receiver] ae_title") == ('"HILUM"', '"HIPPOAI"', 6)
    assert said("[receiver] port") == ("11112", "11112", 7)
    assert said("[receiver] tls.key_file") == ('"/etc/k.pem"', "", 8)
    assert said("[receiver] host") == ('"127.0.0.1"', '"127.0.0.1"', None)
    assert said("[[destination]] shelf folder") == ('"/tmp/shelf"', "", 18)
    assert said("[[rule]] m send_to") == ('["pacs"]', "[]", 22)
    assert said("[[rule]] m series") == ('{ SeriesDescription = "T1" }', "{  }", 24)
    assert found["[receiver] port"].is_default and not found["[receiver] ae_title"].is_default


def test_no_secret_is_shown(text: str) -> None:
    found = by_name(parse(tomllib.loads(text)), text)
    assert "marker-secret" not in str(found)
    assert found["database"].value == '"postgresql+psycopg://hilum:******@db/hilum"'


def test_every_setting_is_there_with_its_sentence(tmp_path: Path) -> None:
    text = example([], "")
    found = by_name(parse(tomllib.loads(text) | {"data": str(tmp_path)}), text)
    sentences = {one.help for one in found.values()}
    for name, _, sentence in table():
        section = name.partition(".")[0]
        if section in ("receiver", "worker", "retention", "console", "audit") and (
            name.count(".") < 2 and "tls" not in name and "openid" not in name
        ):
            assert sentence in sentences, name


def test_without_a_file_no_line_is_named(text: str) -> None:
    found = by_name(parse(tomllib.loads(text)), "")
    assert {one.line for one in found.values()} == {None}
