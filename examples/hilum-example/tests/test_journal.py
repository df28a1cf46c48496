from pathlib import Path

from hilum_example.journal import JournalNotifier, JournalNotifierSettings

from hilum.testing import check_notifier


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    file = tmp_path / "alarms.txt"
    notifier = JournalNotifier(JournalNotifierSettings(name="journal", file=file))
    check_notifier(notifier)
    assert file.read_text().startswith("msg_1 error destination pacs destination pacs does not")
