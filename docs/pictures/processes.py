"""Draws `processes.svg`, the picture of the architecture page: the processes, and what they share.

    python docs/pictures/processes.py > docs/pictures/processes.svg

A test compares the file with what this script prints. The colours follow the reader's scheme.
"""

import sys
from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 1060, 624
COLUMNS = {"receiver": 30, "watcher": 230, "console": 430, "gateway": 630, "worker": 850}
BOX = 176  # width of a box in a column
OUTSIDE, PROCESSES, DATA = 44, 222, 500  # y of the boxes of each layer
HINTS = 200  # y of the line along which hints go
BELOW = PROCESSES + 104  # the processes
STYLE = """
svg { background: #ffffff; }
text { font-family: "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; fill: #1c2733; }
.title { font-size: 15px; font-weight: bold; }
.layer { font-size: 13px; fill: #566574; }
.small { font-size: 12px; fill: #3b4957; }
.step { font-size: 12px; font-weight: bold; fill: #0b63b0; }
rect { stroke: #8a99a8; stroke-width: 1.2; fill: #f3f6f9; }
.frame { fill: none; stroke-dasharray: 6 4; }
.process { fill: #e3effa; stroke: #5b8db8; }
.module { fill: #fdf0dc; stroke: #c58f3b; }
.data { fill: #e6f4e8; stroke: #63a06c; }
.flow { stroke: #0b63b0; stroke-width: 1.8; fill: none; marker-end: url(#flow); }
.hint { stroke: #8a99a8; stroke-width: 1.4; fill: none; stroke-dasharray: 3 4; }
.hint { marker-end: url(#hint); }
#flow path { fill: #0b63b0; }
#hint path { fill: #8a99a8; }
@media (prefers-color-scheme: dark) {
  svg { background: #0f1720; }
  text { fill: #e6edf3; }
  .layer { fill: #9fb0c0; }
  .small { fill: #c3ced9; }
  .step, #flow path { fill: #6cb6ff; }
  .flow { stroke: #6cb6ff; }
  rect { fill: #19232e; stroke: #66788a; }
  .process { fill: #16324a; stroke: #4f86b5; }
  .module { fill: #3a2c12; stroke: #b58a45; }
  .data { fill: #17331c; stroke: #5b9a66; }
  .frame { fill: none; }
}
"""


def text(x: float, y: float, words: str, kind: str, anchor: str = "middle") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def box(
    x: float, y: float, height: float, kind: str, lines: Sequence[str], width: float = BOX
) -> str:
    """A box with a title and lines below it."""
    parts = [f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="7" class="{kind}"/>']
    for number, line in enumerate(lines):
        name = "small" if number else "title"
        parts.append(text(x + width / 2, y + 22 + 17 * number, line, name))
    return "\n".join(parts)


def arrow(points: Sequence[tuple[float, float]], kind: str = "flow") -> str:
    path = " L ".join(f"{x} {y}" for x, y in points)
    return f'<path d="M {path}" class="{kind}"/>'


def hint(start: float, end: float) -> str:
    return arrow([(start, PROCESSES), (start, HINTS), (end, HINTS), (end, PROCESSES)], "hint")


def middle(column: str) -> float:
    return COLUMNS[column] + BOX / 2


def head(name: str) -> str:
    """The head of an arrow."""
    return (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        'markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
        '<path d="M 0 0 L 8 4 L 0 8 z"/></marker>'
    )


def outside() -> list[str]:
    systems = {
        "receiver": ("scanner, PACS", "send images"),
        "watcher": ("archive", "Orthanc or DICOMweb"),
        "console": ("browser", "shows where a study is"),
        "gateway": ("destinations", "PACS, archive, folder"),
    }
    below = OUTSIDE + 50
    parts = [text(30, 30, "outside", "layer", "start")]
    parts += [box(COLUMNS[c], OUTSIDE, 50, "system", lines) for c, lines in systems.items()]
    parts += [arrow([(middle(c), below), (middle(c), PROCESSES)]) for c in ("receiver", "watcher")]
    parts += [
        text(middle("receiver") + 8, 122, "1  C-STORE", "step", "start"),
        text(middle("watcher") + 8, 122, "1  list and fetch", "step", "start"),
        arrow([(middle("console"), PROCESSES), (middle("console"), below)]),
        text(middle("console") + 8, 122, "pages, API", "step", "start"),
        arrow([(middle("gateway"), PROCESSES), (middle("gateway"), below)]),
        text(middle("gateway") + 8, 114, "6  send results,", "step", "start"),
        text(middle("gateway") + 8, 130, "then read back", "step", "start"),
    ]
    return parts


SUPERVISOR = ("The supervisor starts", "every process, and starts", "it again when it dies.")


def processes() -> list[str]:
    boxes = {
        "receiver": (
            "receiver",
            "DICOM Storage SCP",
            "",
            "answers 0x0000",
            "when the image is safe",
        ),
        "watcher": ("watcher", "one for each archive", "", "fetches what routing", "has lost"),
        "console": ("console", "pages and API", "", "only reads", "the records"),
        "gateway": ("gateway", "the one that decides", "", "assembly, rules,", "delivery, removal"),
        "worker": ("worker", "one or more", "", "one analysis at a time,", "then result objects"),
    }
    parts = [
        f'<rect x="14" y="150" width="{WIDTH - 28}" height="288" rx="10" class="frame"/>',
        text(134, 362, "hilum serve", "title", "start"),
        *(text(134, 382 + 17 * n, line, "small", "start") for n, line in enumerate(SUPERVISOR)),
    ]
    parts += [box(COLUMNS[c], PROCESSES, 104, "process", lines) for c, lines in boxes.items()]
    module = ("module", "warm child,", "may crash alone")
    worker, gateway = COLUMNS["worker"], COLUMNS["gateway"]
    updates = ("updates", "hears of patients (HL7),", "if that is enabled")
    parts += [
        box(336, 362, 62, "process", updates, 164),
        box(worker, 362, 62, "module", module, 124),
        arrow([(worker + 62, BELOW), (worker + 62, 362)]),
        text(worker + 70, 350, "4  analyse", "step", "start"),
        hint(80, gateway + 24),
        text(130, HINTS - 6, "hint: something is new", "small", "start"),
        hint(gateway + 150, worker + 40),
        text(gateway + 158, HINTS - 6, "hint: work", "small", "start"),
    ]
    return parts


BESIDE = (
    "Beside them: quarantine/ (not taken in), versions/ (replaced by a correction), "
    "removed/ (lists of what a rule has removed), patient-updates/ (HL7 messages)."
)


def data() -> list[str]:
    lies = {
        (30, 376): ("incoming/", "accepted images, one folder for each study"),
        (430, 250): ("hilum.db", "decisions, deliveries, the trace"),
        (704, 122): ("engine.db", "who has what"),
        (850, 176): ("results/", "findings, result objects"),
    }
    parts = [
        f'<rect x="14" y="468" width="{WIDTH - 28}" height="140" rx="10" class="frame"/>',
        text(134, 490, "the data folder", "layer", "start"),
        text(30, 590, BESIDE, "small", "start"),
    ]
    parts += [box(x, DATA, 58, "data", lines, width) for (x, width), lines in lies.items()]
    receiver, watcher, console = map(middle, ("receiver", "watcher", "console"))
    gateway, worker = COLUMNS["gateway"], COLUMNS["worker"]
    parts += [
        arrow([(receiver, BELOW), (receiver, DATA)]),
        text(receiver + 8, 458, "2  file and folder synced", "step", "start"),
        arrow([(watcher, BELOW), (watcher, DATA)]),
        arrow([(console, DATA), (console, BELOW)]),
        text(console + 8, 458, "read", "step", "start"),
        arrow([(gateway + 30, BELOW), (gateway + 30, DATA)]),
        text(gateway + 38, 410, "3  decide,", "step", "start"),
        text(gateway + 54, 426, "hand over", "step", "start"),
        arrow([(gateway + 130, BELOW), (gateway + 130, DATA)]),
        arrow([(worker + 150, BELOW), (worker + 150, DATA)]),
        text(worker + 142, 458, "5  write", "step", "end"),
    ]
    return parts


def svg() -> str:
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img">',
        "<title>The processes of hilum serve and the data they share</title>",
        f"<style>{STYLE}</style>",
        f"<defs>{head('flow')}{head('hint')}</defs>",
        *outside(),
        *processes(),
        *data(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(svg())
