"""Ship one variant: export it, set its thresholds on validation films, judge it, write its card.

    python training/chest/evaluate.py --data DIR --out OUT --variant NAME [--studies DIR]

`OUT` is that of compare.py and gate.py. Writes network.onnx, the numbers in card.toml, card.md and
docs/models/chest-held-out.csv.
"""

import argparse
from pathlib import Path

import torch

from calibrate import set_in_card, temperature_of, threshold_of
from compare import VARIANTS
from export import write
from films import load
from hilum.module import CARD
from hilum.modules.chest import BUILT_IN, ChestRadiograph
from hilum.modules.chest.card import ModelCard
from judge import Judge, pictures, table
from lite import Classifier, Tail, Trunk
from measure import Measured, measure, softmax
from probes import size_probe
from report import Report, write_card, write_table
from runs import read_runs
from views import SIDE


def export(folder: Path, name: str) -> None:
    """The classifier of the variant as the built-in network."""
    tail = Tail()
    tail.load_state_dict(torch.load(folder / "runs" / name / "tail.pt", weights_only=True))
    network = Classifier(Trunk(), tail).eval()
    path = BUILT_IN / ModelCard.read(BUILT_IN).file
    write(network, torch.zeros(1, 1, SIDE, SIDE), path, ["logits", "activation"])


def calibrate(measured: Measured) -> None:
    """Temperature and threshold from the validation films, into the card."""
    temperature = temperature_of(measured.logits, measured.labels)
    scores = softmax(measured.logits / temperature)
    threshold = threshold_of(scores, measured.labels)
    set_in_card(BUILT_IN / CARD, temperature=temperature, abstain_below=threshold)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--variant", choices=VARIANTS, required=True)
    parser.add_argument("--studies", type=Path, help="folder of DICOM studies, as odd inputs")
    parser.add_argument("--docs", type=Path, default=Path("docs/models"))
    parser.add_argument("--draft", action="store_true", help="only export and set thresholds")
    options = parser.parse_args()

    torch.set_num_threads(1)
    films = load(options.data)
    held_out = [film for film in films if film.split == "val"]
    export(options.out, options.variant)
    measured = measure(held_out)
    calibrate(measured)
    if options.draft:
        return
    judge = Judge()
    report = Report(
        films=films,
        held_out=held_out,
        variant=options.variant,
        measured=measured,
        card=ModelCard.read(BUILT_IN),
        runs=read_runs(options.out, films),
        size=size_probe(films),
        gates=table(judge, pictures(held_out, options.data, options.studies)),
        bounds=judge.bounds,
        accepted=[judge(film.values()) is None for film in held_out],
    )
    options.docs.mkdir(parents=True, exist_ok=True)
    write_table(report, options.docs / "chest-held-out.csv")
    write_card(report, ChestRadiograph.card)
    print(report.summary())


if __name__ == "__main__":
    main()
