"""Milliseconds per hippocampus crop, load time and memory: our engine beside the others.

    python bench/inference.py [--weights OUT/ema.pt] [--rounds 10]

Each engine runs in a process of its own on the same noise. torch (eager, needs --weights) and
OpenVINO are measured where they are installed. Times are the least of all rounds; the ratios count,
not the milliseconds.
"""

import argparse
import importlib.util
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hilum.modules.hippocampus import HippocampalVolume

ROOT = Path(__file__).parents[1]
SHAPE = (1, 1, 40, 56, 40)  # a typical crop, padded

Run = Callable[[np.ndarray], object]


def onnxruntime(threads: int, _: Path | None) -> Run:
    from hilum.modules.hippocampus.network import Segmenter

    segmenter = Segmenter(HippocampalVolume.weights, threads)
    return lambda crop: segmenter.logits(crop[0, 0])


def torch(threads: int, weights: Path | None) -> Run:
    import torch as library

    sys.path.insert(0, str(ROOT / "training" / "hippocampus"))
    from unet import UNet

    library.set_num_threads(threads)
    network = UNet().eval()
    network.load_state_dict(library.load(weights, weights_only=True))

    def run(crop: np.ndarray) -> object:
        with library.inference_mode():
            return network(library.from_numpy(crop)).numpy()

    return run


def openvino(threads: int, _: Path | None) -> Run:
    import openvino as library

    core = library.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    model = core.read_model(HippocampalVolume.weights)
    model.reshape(SHAPE)
    compiled = core.compile_model(model, "CPU", settings)
    return lambda crop: compiled([crop])


ENGINES = {"onnxruntime": onnxruntime, "torch": torch, "openvino": openvino}


def measure(engine: str, threads: int, weights: Path | None, rounds: int, pipe: object) -> None:
    """Send milliseconds per crop, seconds to load and MB in memory through `pipe`."""
    crop = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    before = time.perf_counter()
    run = ENGINES[engine](threads, weights)
    run(crop)
    loaded = time.perf_counter() - before
    times = []
    for _ in range(rounds):
        before = time.perf_counter()
        run(crop)
        times.append(time.perf_counter() - before)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pipe.send((1000 * min(times), loaded, memory))  # type: ignore[attr-defined]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, help="ema.pt of train.py, for torch")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    present = [name for name in ENGINES if importlib.util.find_spec(name)]
    if options.weights is None and "torch" in present:
        present.remove("torch")
    context = multiprocessing.get_context("spawn")
    print(f"{'engine':12} threads  ms per crop  of ours  load + first, s  peak MB")
    for threads in (1, 2):
        ours = 0.0
        for name in present:
            receiving, sending = context.Pipe(duplex=False)
            arguments = (name, threads, options.weights, options.rounds, sending)
            process = context.Process(target=measure, args=arguments)
            process.start()
            sending.close()
            milliseconds, loaded, memory = receiving.recv()
            process.join()
            ours = ours or milliseconds
            print(
                f"{name:12} {threads:7} {milliseconds:12.0f} {milliseconds / ours:8.2f}"
                f" {loaded:16.2f} {memory:8.0f}"
            )


if __name__ == "__main__":
    main()
