"""The PDF shows the patient's name in the script that it is written in; the picture shows none."""

import html
import re
import subprocess
import unicodedata
from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pypdf import PdfReader

from hilum.objects import write_objects
from hilum.objects.sheet.identity import names

from . import exams

PRINTED = {
    "japanese": ("Yamada, Tarou", "山田 太郎", "やまだ たろう"),
    "cyrillic": ("Петров, Иван",),
    "arabic": ("قباني, لنزار",),
    "greek": ("Παπαδοπουλος, Νικος",),
    "german": ("Äneas, Rüdiger",),
    "unicode": ("Wang, XiaoDong", "王 小东"),
    "chinese": ("Zhang, XiaoDong", "张 小东"),
    "korean": ("Hong, Gildong", "洪 吉洞", "홍 길동"),
    "hebrew": ("שרון, דבורה",),
    "thai": ("นามสกุล, ชื่อต้น",),
    "hindi": ("शर्मा, प्रिया",),
}
SHAPED = {"arabic", "thai", "hindi"}  # several glyphs for a letter: text is not copied exactly


def document_of(folder, name, character_set="ISO_IR 192"):
    def change(image: Dataset) -> None:
        image.SpecificCharacterSet = character_set
        image.PatientName = name

    study = exams.write_exam(folder, change, shape=(4, 12, 12))
    written = dict(write_objects(exams.analysis_of(study, study.series[0]), ("sc", "pdf")))
    return bytes(written["pdf"].EncapsulatedDocument), written["sc"].PixelData


@pytest.mark.parametrize("script", exams.NAMES)
def test_every_representation_of_a_name_is_printed(tmp_path, script):
    character_set, name = exams.NAMES[script]
    assert names(name) == PRINTED[script]
    document, _ = document_of(tmp_path, name, character_set)
    text = PdfReader(BytesIO(document)).pages[0].extract_text()
    assert "?" not in text and "\ufffd" not in text
    for printed in PRINTED[script]:
        if script in SHAPED or script == "hebrew":
            letters = {c for c in printed if unicodedata.category(c).startswith("L")}
            assert letters <= set(text)
        else:
            assert printed in text


@pytest.mark.parametrize(("script", "last"), [("hebrew", "דבורה"), ("arabic", "لنزار")])
def test_scripts_from_right_to_left_run_so(tmp_path, script, last):
    """The first word stands on the right, as an independent reader of the page finds it."""
    character_set, name = exams.NAMES[script]
    document, _ = document_of(tmp_path, name, character_set)
    places = [left for left, word in words_of(document) if set(word) & set(name)]
    first_letters, last_letters = set(name.split("^")[0]), set(last)
    lefts = {
        which: min(left for left, word in words_of(document) if set(word) & letters)
        for which, letters in (
            ("first", first_letters - last_letters),
            ("last", last_letters - first_letters),
        )
    }
    assert places and lefts["first"] > lefts["last"]


@pytest.mark.parametrize(
    ("joined", "apart"),
    [
        ("شكر", "\u200c".join("شكر")),  # letters of one word take another form
        ("क्ष", "क्\u200cष"),  # two letters become one
    ],
)
def test_letters_are_joined_as_their_script_wants(tmp_path, joined, apart):
    widths = []
    for number, name in enumerate((joined, apart)):
        folder = tmp_path / str(number)
        folder.mkdir()
        document, _ = document_of(folder, name)
        widths.append(sum(width for _, width in boxes_of(document, set(name))))
    assert widths[0] < widths[1]


def test_a_name_in_a_script_that_no_font_has_is_left_to_the_header(tmp_path):
    document, _ = document_of(tmp_path, "ᚠᚢᚦ^ᚨᚱᚲ=山田^太郎")
    text = PdfReader(BytesIO(document)).pages[0].extract_text()
    assert "山田 太郎" in text
    (tmp_path / "other").mkdir()
    document, _ = document_of(tmp_path / "other", "ᚠᚢᚦ^ᚨᚱᚲ")
    assert "see the image header" in PdfReader(BytesIO(document)).pages[0].extract_text()


def test_the_picture_is_the_same_whatever_the_name(tmp_path):
    pictures = []
    for script in ("japanese", "arabic"):
        (tmp_path / script).mkdir()
        pictures.append(document_of(tmp_path / script, exams.NAMES[script][1])[1])
    assert pictures[0] == pictures[1]


def words_of(document):
    """Left edge and text of each word on the first page."""
    return [(left, word) for left, _, word in _words(document)]


def boxes_of(document, letters):
    """Left edge and width of each word that holds one of `letters`."""
    return [(left, right - left) for left, right, word in _words(document) if set(word) & letters]


def _words(document):
    command = ["pdftotext", "-bbox", "-l", "1", "-", "-"]
    told = subprocess.run(command, input=document, capture_output=True, check=True).stdout.decode()
    found = re.findall(r'<word xMin="([\d.]+)".*?xMax="([\d.]+)".*?>(.*?)</word>', told)
    return [(float(left), float(right), html.unescape(word)) for left, right, word in found]
