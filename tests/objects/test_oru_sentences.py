"""Each sentence that Hilum or a module of ours can put into a text for the report is translated."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import hilum
from factory import mr_slices, write
from hilum.comparison import norms, priors
from hilum.config.hl7 import Language
from hilum.config.site import Rule
from hilum.dicom.identity import Identity
from hilum.dicom.instance import Instance
from hilum.findings import Draft
from hilum.hosts.inside import EARLIER
from hilum.modules.chest.card import ModelCard
from hilum.modules.chest.gates import REASONS
from hilum.modules.hippocampus.gates import GATES
from hilum.objects.oru.sentences import PLACE, Sentence, every_sentence, translated
from hilum.study.arrival import Arrival
from hilum.study.assembly import _shortage

SOURCE = Path(hilum.__file__).parent
SPOKEN = ("Note", "Refusal", "Urgency")
OF_ANYBODY = ("testing", "environments", "findings")  # hold no sentences of ours
VALUE, LONG = "7.5", 1000.0  # of a place; seconds of silence
INSTEAD = {  # texts in which a place holds no value, but one of a few words
    "The frontal films 7.5: no common outcome.": (
        "The frontal films contradict each other: no common outcome.",
        "The frontal films do not all give an outcome: no common outcome.",
    ),
    "Not compared with norms: the patient's 7.5 is not known for certain.": (
        "Not compared with norms: the patient's age is not known for certain.",
        "Not compared with norms: the patient's sex is not known for certain.",
    ),
}
PARTS = (  # of which sentences are made, and where they are
    *(
        "Hippocampus",
        "Left hippocampus",
        "Hippocampus, anterior",
        "Left hippocampus, posterior",
        "Right hippocampus",
    ),
    *("left hippocampus: it", "right hippocampus: it", "women", "men", "not given"),
    *(f"{EARLIER}it", Draft("It.").sentence, Draft("It.", "Part").sentence),
    f"Other images of this study name another patient ({VALUE})",
)


def example_of(text: ast.expr, names: dict[str, object]) -> str:
    """The text that an expression gives, with a value in each place; "" if it is none of ours."""
    if isinstance(text, ast.Constant):
        return str(text.value)
    if isinstance(text, ast.JoinedStr):
        parts = text.values
        return "".join(str(p.value) if isinstance(p, ast.Constant) else VALUE for p in parts)
    said = names.get(text.id) if isinstance(text, ast.Name) else None
    return said if isinstance(said, str) else ""


def spoken() -> Iterator[str]:
    """What stands in the calls that make remarks, anywhere in Hilum."""
    for file in sorted(SOURCE.rglob("*.py")):
        parts = file.relative_to(SOURCE).with_suffix("").parts
        code = file.read_text()
        if parts[0] in OF_ANYBODY or not any(f"{name}(" in code for name in SPOKEN):
            continue
        calls = [
            node
            for node in ast.walk(ast.parse(code))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in SPOKEN
        ]
        names = vars(import_module(".".join(("hilum", *parts)).removesuffix(".__init__")))
        for call in calls:
            text = call.args[1 if call.func.id == "Refusal" else 0]  # type: ignore[attr-defined]
            yield example_of(text, names)


def told_by(module: str, function: str) -> Iterator[str]:
    """The texts with places in one function."""
    tree = ast.parse((SOURCE / module).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            texts = (one for one in ast.walk(node) if isinstance(one, ast.JoinedStr))
            yield from (text for one in texts if " " in (text := example_of(one, {})))


def of_a_short_series(folder: Path) -> Iterator[str]:
    """Why a series is incomplete, and what was left out of it."""
    images = mr_slices(count=3, shape=(4, 4))
    images[2].PatientID, images[2].PatientBirthDate = "other", "19550101"
    arrival = Arrival(str(images[0].StudyInstanceUID))
    for number, file in enumerate(write(images, folder)):
        arrival.add(Instance.read(file), float(number))
    uid = str(images[0].SeriesInstanceUID)
    arrival.decided = Identity.of(images[0]).key
    yield arrival.left_out(uid)
    arrival.expected[uid] = 8
    for silence in (LONG, float("inf")):
        yield str(_shortage(arrival, uid, Rule(module="m"), silence))
    arrival.expected.clear()
    for left in (3, 1):
        while len(arrival.instances) > left:
            arrival.instances.popitem()
        arrival.broken_off.add(uid)
        yield str(_shortage(arrival, uid, Rule(module="m"), LONG))


def declared(folder: Path) -> Iterator[str]:
    yield from spoken()
    yield from (gate.text.format(value=0.75) for gate in GATES.values())
    yield from (text.format(value=VALUE) for text in REASONS.values())
    told = (text for name, text in vars(priors).items() if name.isupper() and "result" in str(text))
    yield from (str(text).format(day="2024-03-01") for text in told)
    yield from (f"{text} Source: it." for text in told_by("comparison/norms.py", "_compared"))
    yield from (f"{group} of 60-70 years" for group in norms.SEXES.values())
    yield from told_by("dicom/series.py", "cautions")
    yield from of_a_short_series(folder)
    yield from PARTS
    card = ModelCard.read(SOURCE / "modules/chest/network")
    yield from (card.basis, *card.warnings)
    yield from (group.label for group in card.group)


SAME = {"normal", "COVID-19", "Hippocampus", "Hippocampus, anterior"}  # in one of the languages
NO_WORDS = re.compile(r"[0-9.: ]*")


@pytest.fixture(scope="module")
def clauses(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    texts = list(declared(tmp_path_factory.mktemp("declared")))
    said = (new for text in texts for new in INSTEAD.get(text, (text,)))
    return {part for one in said for part in one.split("; ") if not NO_WORDS.fullmatch(part)}


@pytest.mark.parametrize("language", ["de", "fr"])
def test_every_sentence_of_ours_is_translated(clauses: set[str], language: Language) -> None:
    missing = {text for text in clauses if translated(text, language, ",") == text} - SAME
    assert not missing, "\n".join(sorted(missing))


def test_each_sentence_of_the_list_has_the_same_places_in_all_languages() -> None:
    for one in every_sentence():
        assert set(one) == {"en", "de", "fr"}
        places = [sorted(PLACE.findall(text)) for text in one.values()]
        assert places[0] == places[1] == places[2], one["en"]
        assert not one["en"].endswith(".") and "; " not in one["en"], one["en"]


def test_each_sentence_of_the_list_is_said_somewhere(clauses: set[str]) -> None:
    said = {text.removesuffix(".") for text in clauses}
    said |= {text[:1].lower() + text[1:] for text in said}
    for one in every_sentence():
        known_by = Sentence.of(one["en"], "").known_by
        assert any(map(known_by.fullmatch, said)), one["en"]


@pytest.mark.parametrize(
    ("language", "text", "told"),
    [
        ("de", "The age is unknown; the model knows only adults.", "Das Alter ist unbekannt; das"),
        ("fr", "The age is unknown; the model knows only adults.", "L'âge est inconnu ; le modèle"),
        ("de", "the region found measures 0.75 mL, outside what", "the region found"),
        ("de", "left hippocampus: the region found falls into pieces", "linker Hippocampus: die"),
        ("fr", "DRAFT, not checked by anybody: It.", "ÉBAUCHE que personne n'a vérifiée : "),
        ("de", "What {somebody} else says; and more.", "What {somebody} else says; and more."),
        ("en", "The age is unknown.", "The age is unknown."),
    ],
)
def test_clause_by_clause(language: Language, text: str, told: str) -> None:
    assert translated(text, language, ",").startswith(told)
