"""What the sheets of a report hold and in which order: one story, which every theme lays out."""

from collections.abc import Iterator, Sequence

from hilum.findings import Classification, Plot, Table
from hilum.objects.report import Report
from hilum.objects.report.course import ChangeRow, Course
from hilum.objects.report.drawing import Marked
from hilum.objects.report.evidence import OUTLINE_COLOUR, fitted, scale_of_colours
from hilum.objects.report.films import FilmReport, Outcome, Tone
from hilum.objects.report.graph import Graph
from hilum.objects.report.planes import View, Views
from hilum.objects.report.rows import LIMIT, Grid, Row, row_of
from hilum.objects.report.shapes import rows_of_shapes
from hilum.objects.sheet.blocks import (
    Bar,
    Block,
    Calm,
    Card,
    Cards,
    Changes,
    Cuts,
    Film,
    Group,
    Headline,
    Line,
    Listing,
    Numbers,
    Plane,
    Plotted,
    Remarks,
    Scores,
    Sheet,
    Value,
    Warned,
)
from hilum.objects.sheet.theme import Theme
from hilum.printing import percent
from hilum.wording import sentence

PANE = (596, 560)  # largest size of a film in the picture, pixels
CARD = (376, 340)  # the same of one among several
MANY = 30  # rows; more of them stand side by side
LEFT_OUT = "{} more {} in the measurement report."


def sheets(report: Report, theme: Theme) -> tuple[Sheet, ...]:
    """One on a volume; of films a sheet for each, and a summary before several."""
    if not report.films:
        blocks = tuple(_volume(report, theme))
        origin, analysed = report.origin, report.analysis.instances
        facts = origin.provenance
        return (Sheet("", origin.images, blocks, facts, analysed, _roomy(blocks)),)
    each = [_film(report, film, theme) for film in report.films]
    return (*_summary(report, theme), *each)


def _volume(report: Report, theme: Theme) -> Iterator[Block]:
    yield from _urgent(report)
    if report.confidence:
        yield _confidence(report.confidence)
    if report.incomplete:
        yield Warned(report.incomplete)
    if report.grid or report.rows:
        yield _numbers(report.grid, report.rows, report.legend, theme)
    if report.changes:
        yield _changes(report.changes, report.course, theme)
    yield from _tables(report.tables, theme)
    yield from _plotted(report.plots, theme)
    if shown := (*report.marked, *report.key_images, *report.drawn):
        yield _marked(shown, theme)
    yield from _remarks("Notes", (), report.remarks, theme)
    if not report.refusal and report.views:
        yield _cuts(report.views)


def _urgent(report: Report) -> Iterator[Headline]:
    """A box above all else."""
    if report.urgencies:
        reasons = " ".join(sentence(urgency.text) for urgency in report.urgencies)
        yield Headline("URGENT", reasons, Tone.REFUSED, is_large=False)


def _tables(tables: Sequence[Table], theme: Theme) -> Iterator[Listing]:
    for table in tables:
        kept = theme.lines(table.rows)
        more = _left_out(len(table.rows) - len(kept), "row")
        yield Listing(table.title, table.columns, tuple(kept), more)


def _plotted(plots: Sequence[Plot], theme: Theme) -> Iterator[Plotted]:
    for plot in plots:
        yield Plotted(plot.title, tuple(Graph(plot).marks(*theme.graph)), theme.graph[1])


def _marked(marked: Sequence[Marked], theme: Theme) -> Cards:
    """What lies in a volume, each upon its slice."""
    cards = tuple(
        Card(fitted(one.image, *CARD), one.label, one.value, Tone.RESULT, one.place)
        for one in theme.lines(marked)
    )
    return Cards(cards, 3, _left_out(len(marked) - len(cards), "mark"))


def _confidence(confidence: Outcome) -> Block:
    """A warning is a box, that there is none a line."""
    if confidence.tone is Tone.RESULT:
        return Calm(confidence.words)
    return Headline(confidence.words, confidence.detail, confidence.tone, is_large=False)


def _numbers(grid: Grid | None, rows: Sequence[Row], legend: str, theme: Theme) -> Numbers:
    lines = [
        Line(line.name, line.is_part, tuple(Value.of(c) if c else None for c in line.cells))
        for line in (grid.lines if grid else ())
    ]
    across = theme.across if len(rows) > MANY else 1
    kept, values = theme.lines(lines), theme.rows([Value.of(row) for row in rows], across)
    lost = len(lines) + len(rows) - len(kept) - len(values)
    columns, more = grid.columns if grid else (), _left_out(lost, "result")
    return Numbers(columns, tuple(kept), tuple(values), legend, more, across)


def _changes(changes: Sequence[ChangeRow], course: Course | None, theme: Theme) -> Changes:
    kept = theme.lines(changes)
    lines = sum(1 + len(row.steps) for row in kept)
    height = theme.plot_height(lines, len(course.tracks) if course else 0)
    marks = tuple(course.marks(theme.plot_width, height, 1)) if course else ()
    more = _left_out(len(changes) - len(kept), "change")
    return Changes(tuple(kept), marks, height, LIMIT, more)


def _remarks(
    title: str, bases: Sequence[str], notes: Sequence[str], theme: Theme
) -> Iterator[Remarks]:
    given = [text for text in dict.fromkeys(notes) if text not in bases]
    kept = theme.texts(given)
    if lost := _left_out(len(given) - len(kept), "note"):
        kept = [*kept, lost]
    if bases or kept:
        yield Remarks(title, tuple(bases), tuple(kept))


def _left_out(count: int, what: str) -> str:
    if not count:
        return ""
    return LEFT_OUT.format(count, f"{what} is" if count == 1 else f"{what}s are")


def _cuts(views: Views) -> Cuts:
    planes = tuple(_plane(view, view.place.words) for view in views.planes)
    rows = tuple(tuple(_plane(view, view.place.mark) for view in row) for row in views.rows)
    return Cuts(planes, rows, views.caption)


def _plane(view: View, place: str) -> Plane:
    bar = (view.scale_bar * view.scale, f"{view.scale_bar} mm")
    return Plane(view.image, view.name, place, view.letters, bar)


def _summary(report: Report, theme: Theme) -> Iterator[Sheet]:
    """What is said of several films together."""
    conclusion = report.conclusion
    if conclusion is None:
        return
    blocks: list[Block] = [
        *_urgent(report),
        Headline(conclusion.words, conclusion.detail, conclusion.tone, is_large=True),
        _cards(report.films, theme),
    ]
    if report.incomplete:
        blocks.append(Warned(report.incomplete))
    bases = tuple(dict.fromkeys(basis for film in report.films for basis in film.bases))
    blocks += _remarks("What to know", bases, report.notes, theme)
    place = f"Summary of {len(report.films)} films of this study"
    yield Sheet(place, (), tuple(blocks), report.origin.facts, report.analysis.instances)


def _cards(films: Sequence[FilmReport], theme: Theme) -> Cards:
    """Two or three side by side, so that no row looks empty."""
    kept = theme.lines(films)
    across = 2 if len(films) in (2, 4) else 3
    return Cards(tuple(map(_card, kept)), across, _left_out(len(films) - len(kept), "film"))


def _card(film: FilmReport) -> Card:
    image = film.marked or film.evidence or film.picture
    view = film.film.header.get("ViewPosition")
    outcome = film.outcome
    return Card(
        fitted(image, *CARD) if image else None,
        f"{film.name}{f', view {view}' if view else ''}",
        outcome.words if outcome else "",
        outcome.tone if outcome else None,
        film.gist,
    )


def _film(report: Report, film: FilmReport, theme: Theme) -> Sheet:
    blocks: list[Block] = [*_urgent(report)]
    if film.outcome:
        outcome = film.outcome
        blocks.append(Headline(outcome.words, outcome.detail, outcome.tone, is_large=True))
    blocks.append(_shown(film))
    is_sure = film.outcome is not None and film.outcome.tone is Tone.RESULT
    scored = () if film.refusal else film.classifications
    groups = tuple(group_of(classification, is_sure) for classification in scored)
    given = [*map(row_of, film.measurements), *rows_of_shapes(film.own.shapes)]
    rows = tuple(map(Value.of, given))
    if groups or rows:
        blocks.append(Scores(groups, rows))
    if report.incomplete:
        blocks.append(Warned(report.incomplete))
    blocks += _tables([t for t in report.tables if t.image in (None, film.film.uid)], theme)
    blocks += _plotted([p for p in report.plots if p.image in (None, film.film.uid)], theme)
    if report.drawn:
        blocks.append(_marked(report.drawn, theme))
    notes = (*film.notes, *filter(None, (report.replaces,)))
    blocks += _remarks("What to know", film.bases, notes, theme)
    place = f"{film.name} of {film.count}" if film.count > 1 else ""
    about = (("Film", film.description),)
    shown = (film.film.instance,)
    return Sheet(place, about, tuple(blocks), report.origin.provenance, shown, _roomy(blocks))


def _roomy(blocks: Sequence[Block]) -> int | None:
    """The last block that is narrow enough for another one beside it."""
    narrow = [n for n, block in enumerate(blocks) if _is_narrow(block)]
    return narrow[-1] if narrow else None


def _is_narrow(block: Block) -> bool:
    match block:
        case Numbers():
            return not (block.lines and block.rows) and block.across == 1
        case Film():
            return len(block.images) == 1
        case _:
            return isinstance(block, Scores)


def _shown(film: FilmReport) -> Film:
    images = (film.marked or film.picture, None if film.refusal else film.evidence)
    heat = film.heat_map
    return Film(
        tuple(fitted(image, *PANE).convert("RGB") for image in images if image),
        scale_of_colours(),
        OUTLINE_COLOUR if heat is not None and heat.region is not None else None,
    )


def group_of(classification: Classification, is_sure: bool) -> Group:
    """The bar of the outcome stands out where nothing speaks against it."""
    chosen = classification.outcome if is_sure else None
    bars = tuple(
        Bar(s.label, s.value, percent(s.value), s == chosen) for s in classification.scores
    )
    return Group(bars, classification.threshold)
