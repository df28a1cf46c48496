"""What a module says of itself survives the way to JSON and back, whatever it declares."""

from dataclasses import asdict, fields

from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.module import EarlierExams, Films, FindingsOf, Input, Resources
from hilum.module.description import Description, stand_in
from hilum.module.origin import CodeOrigin
from hilum.module.protocol import facts_of, findings_for, inputs_of

WORDS = st.text(st.characters(exclude_categories=("C",)), min_size=1, max_size=30)
NUMBERS = st.floats(0, 1e6) | st.just(float("inf"))
RANGES = st.none() | st.tuples(NUMBERS, NUMBERS)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
INPUT_FIELDS: dict[str, st.SearchStrategy[object]] = dict(
    modality=WORDS,
    sop_classes=st.lists(WORDS, max_size=2).map(tuple),
    volume=st.booleans(),
    slices=st.tuples(st.integers(1, 99), st.integers(1, 10**6)),
    slice_spacing=RANGES,
    pixel_spacing=RANGES,
    extent=RANGES,
    echo_time=RANGES,
    b_value=RANGES,
    tilt=st.sampled_from(("refuse", "resample")),
    header=st.dictionaries(
        st.sampled_from(("BodyPartExamined", "ConvolutionKernel")), st.just("HEAD|B[67]")
    ),
    contrast=st.sampled_from((None, True, False)),
    orientation=st.sampled_from((None, "axial", "coronal", "sagittal")),
    optional=st.booleans(),
)
INPUTS = st.builds(Input, **INPUT_FIELDS)
FILMS = st.builds(Films, modalities=st.lists(WORDS, min_size=1).map(tuple), optional=st.booleans())
DESCRIPTIONS = st.builds(
    Description,
    name=WORDS,
    version=WORDS,
    title=WORDS,
    processes=st.booleans(),
    by_name=st.just(True),
    needs=st.dictionaries(NAMES, (INPUTS | FILMS).map(asdict), min_size=1, max_size=2),
    findings=st.dictionaries(NAMES, st.builds(FindingsOf, WORDS, WORDS, st.booleans()), max_size=2),
    earlier=st.dictionaries(
        NAMES, st.builds(EarlierExams, WORDS, st.integers(1, 9), st.booleans()), max_size=1
    ),
    host=st.just("child"),
    resources=st.builds(Resources, st.integers(1, 10**6), st.integers(1, 99)),
    weights=st.lists(WORDS, max_size=2).map(tuple),
    weights_sha256=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    card=st.text(st.characters(exclude_categories=("Cs",))),
    parameters=st.none() | st.dictionaries(NAMES, st.just({"type": "number", "default": 0.5})),
)


@settings(max_examples=25)
@given(DESCRIPTIONS)
def test_a_description_is_the_same_behind_json(described: Description) -> None:
    assert Description.model_validate_json(described.model_dump_json()) == described


@settings(max_examples=25)
@given(DESCRIPTIONS)
def test_what_stands_for_a_module_needs_what_it_needs(described: Description) -> None:
    described = described.model_copy(update={"findings": {}, "earlier": {}})
    module = stand_in(described, CodeOrigin("stranger:Module", foreign=True), lambda name: str)
    assert inputs_of(module) == described.needs
    assert findings_for(module) == {}
    assert facts_of(module) == described.facts


def test_every_field_of_an_input_is_tried() -> None:
    """So that a new one is not forgotten above; a function is asked for, and not told."""
    tried = set(INPUT_FIELDS)
    assert {field.name for field in fields(Input)} - tried == {"objection"}
