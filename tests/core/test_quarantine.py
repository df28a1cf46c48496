"""`hilum quarantine` shows every object in quarantine, each with its file and what to do."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hilum.cli import app
from hilum.inbox import ADVICE, SEND_AGAIN, Inbox

COUNT = 130


@pytest.fixture
def config(tmp_path: Path) -> Path:
    inbox = Inbox(tmp_path / "data")
    reasons = [*ADVICE, "not a readable DICOM object: it ends in the middle of an element"]
    for number in range(COUNT):
        reason = reasons[number % len(reasons)]
        inbox.quarantine(f"object {number}".encode(), reason, f"CT{number}", f"1.2.{number}")
    path = tmp_path / "hilum.toml"
    path.write_text(f'data = "{tmp_path}/data"\n')
    return path


def typed(config: Path, *words: str) -> str:
    ended = CliRunner().invoke(
        app, ["quarantine", "--config", str(config), *words], env={"COLUMNS": "999"}
    )
    if ended.exception and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return ended.stdout


def test_every_object_is_on_a_page_with_its_file_and_what_to_do(config: Path) -> None:
    pages = [json.loads(typed(config, "--json", "--page", str(page))) for page in (1, 2, 3)]
    assert {page["total"] for page in pages} == {COUNT}
    assert {page["pages"] for page in pages} == {3}
    listed = [item for page in pages for item in page["objects"]]
    assert len(listed) == COUNT
    files = {path.name for path in (config.parent / "data" / "quarantine").glob("*.dcm")}
    assert {item["file"] for item in listed} == files
    for item in listed:
        assert item["advice"] == ADVICE.get(item["reason"], SEND_AGAIN)
    assert [item["at"] for item in listed] == sorted((i["at"] for i in listed), reverse=True)


def test_a_person_reads_where_it_lies_and_how_to_go_on(config: Path) -> None:
    shown = typed(config)
    assert f"130 objects in {config.parent}/data/quarantine, page 1/3" in shown
    assert "`hilum quarantine --page 2` shows the next ones" in shown
    first = json.loads(typed(config, "--json"))["objects"][0]
    assert f"{first['reason']}  {first['file']}\n    {first['advice']}\n" in shown
    with pytest.raises(Exception, match="there is no page 4; the last one is 3"):
        typed(config, "--page", "4")


def test_an_empty_one_says_so(tmp_path: Path) -> None:
    path = tmp_path / "hilum.toml"
    path.write_text(f'data = "{tmp_path}/data"\n')
    assert typed(path) == "the quarantine is empty\n"
