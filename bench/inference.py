"""Milliseconds per hippocampus crop, load time, memory, size: our engine beside the others.

    python bench/inference.py [--weights OUT/fold0/ema.pt] [--rounds 10]

Each engine runs in a process of its own on the crop of the sample exam, and its label map is
compared with ours (OpenVINO). torch (eager; --weights: what the shipped network was exported from)
is measured where it is installed. Times are the least of all rounds; the ratios count,
not the milliseconds. The size is that of the installed package alone.
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
from hilum.modules.hippocampus.network import MULTIPLE, normalise
from hilum_lab.network import exam, head

ROOT = Path(__file__).parents[1]

Run = Callable[[np.ndarray], np.ndarray]


def sample() -> np.ndarray:
    """The crop of the sample exam as the network sees it, padded: (1, 1, x, y, z)."""
    voxels = head.t1()[exam.CROP][::-1, ::-1]  # LPS to RAS
    padding = [(0, -n % MULTIPLE) for n in voxels.shape]
    return np.pad(normalise(voxels), padding, mode="edge")[None, None].astype(np.float32)


def openvino(threads: int, _: Path | None) -> Run:
    from hilum.modules.hippocampus.network import Segmenter

    segmenter = Segmenter(HippocampalVolume.weights, threads)
    return lambda crop: segmenter.logits(crop[0, 0])[None]


def onnxruntime(threads: int, _: Path | None) -> Run:
    import onnxruntime as library

    options = library.SessionOptions()
    options.intra_op_num_threads = threads
    session = library.InferenceSession(HippocampalVolume.weights, options)
    return lambda crop: np.asarray(session.run(["logits"], {"image": crop})[0])


def torch(threads: int, weights: Path | None) -> Run:
    import torch as library

    sys.path.insert(0, str(ROOT / "training" / "hippocampus"))
    from unet import UNet

    library.set_num_threads(threads)
    network = UNet().eval()
    network.load_state_dict(library.load(weights, weights_only=True))

    def run(crop: np.ndarray) -> np.ndarray:
        with library.inference_mode():
            return np.asarray(network(library.from_numpy(crop)))

    return run


ENGINES = {"openvino": openvino, "onnxruntime": onnxruntime, "torch": torch}


def measure(engine: str, threads: int, weights: Path | None, rounds: int, pipe: object) -> None:
    """Send ms per crop, seconds to load, MB in memory and the label map through `pipe`."""
    crop = sample()
    before = time.perf_counter()
    run = ENGINES[engine](threads, weights)
    labels = run(crop)[0].argmax(0).astype(np.uint8)
    loaded = time.perf_counter() - before
    times = []
    for _ in range(rounds):
        before = time.perf_counter()
        run(crop)
        times.append(time.perf_counter() - before)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pipe.send((1000 * min(times), loaded, memory, labels))  # type: ignore[attr-defined]


def installed(engine: str) -> float:
    """MB of the installed package."""
    found = importlib.util.find_spec(engine)
    assert found
    files = Path(found.submodule_search_locations[0]).rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, help="ema.pt of train.py, for torch")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    present = [name for name in ENGINES if importlib.util.find_spec(name)]
    if options.weights is None and "torch" in present:
        present.remove("torch")
    context = multiprocessing.get_context("spawn")
    columns = "load + first, s  peak MB  package MB  labels other than ours"
    print(f"{'engine':12} threads  ms per crop  of ours  {columns}")
    for threads in (1, 2):
        ours, expected = 0.0, np.empty(0)
        for name in present:
            receiving, sending = context.Pipe(duplex=False)
            arguments = (name, threads, options.weights, options.rounds, sending)
            process = context.Process(target=measure, args=arguments)
            process.start()
            sending.close()
            milliseconds, loaded, memory, labels = receiving.recv()
            process.join()
            if not ours:
                ours, expected = milliseconds, labels
            print(
                f"{name:12} {threads:7} {milliseconds:12.0f} {milliseconds / ours:8.2f}"
                f" {loaded:16.2f} {memory:8.0f} {installed(name):11.0f}"
                f" {(labels != expected).sum():9} of {labels.size}"
            )


if __name__ == "__main__":
    main()
