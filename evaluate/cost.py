"""What a model costs: its size, and the time and memory of a fresh process that loads it and tags.

``python -P -m veilleur.evaluate.cost FOLDER`` reads texts as a JSON list and prints a JSON object.
"""

import json
import math
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from veilleur.errors import VeilleurError
from veilleur.model.bundle import BASELINE, KINDS, bundle_folder, read_manifest

TEXTS = 100  # tagged for the measure, spread over the labels
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Cost:
    """What a model costs on this machine.

    Attributes
    ----------
    disk_bytes : int
        Of all files of the bundle.
    parameters : int or None
        Numbers that were fitted; None where the package that reads them is missing.
    load_seconds : float
        From the start of importing the tagger to its being loaded.
    paragraphs_per_second : float
    texts : int
        How many paragraphs that was measured on.
    peak_bytes : int or None
        The most memory that the process held; None where the system does not tell.
    """

    disk_bytes: int
    parameters: int | None
    load_seconds: float
    paragraphs_per_second: float
    texts: int
    peak_bytes: int | None


def measure_cost(bundle: str | Path, texts: Sequence[str]) -> Cost:
    """Measure a bundle in a process of its own, so that nothing else counts.

    Raises
    ------
    VeilleurError
        If that process fails.
    """
    folder = bundle_folder(bundle)
    count = min(TEXTS, len(texts))
    chosen = [texts[place * len(texts) // count] for place in range(count)]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "veilleur.evaluate.cost", str(folder.resolve())],
        input=json.dumps(chosen),
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise VeilleurError(f"the cost of {folder} cannot be measured: {reason}")
    return Cost(
        disk_bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        parameters=count_parameters(folder),
        **json.loads(done.stdout),
    )


def count_parameters(folder: Path) -> int | None:
    """Count the numbers that a bundle's models hold: weights and biases, and all constants of a graph."""
    manifest = read_manifest(folder)
    file = folder / KINDS[manifest.kind]
    if manifest.kind == "tfidf":
        return _linear_parameters(file)
    try:
        import onnx
    except ModuleNotFoundError:
        return None
    constants = onnx.load(str(file)).graph.initializer
    network = int(sum(math.prod(constant.dims) for constant in constants))
    return network + (_linear_parameters(folder / BASELINE) if manifest.cascade else 0)


def _linear_parameters(file: Path) -> int:
    from veilleur.model.tfidf import TfidfModel

    model = TfidfModel.load(file)
    return int(model.weights.size + model.intercepts.size)


def _measure(folder: str, texts: Sequence[str]) -> dict[str, Any]:
    start = perf_counter()
    from veilleur.model.tagger import load

    tagger = load(Path(folder))
    loaded = perf_counter()
    tagger.predict_proba(texts[:1])  # what is set up at the first text is not its speed
    ready = perf_counter()
    tagger.predict_proba(texts)
    spent = perf_counter() - ready
    return {
        "load_seconds": loaded - start,
        "paragraphs_per_second": len(texts) / spent,
        "texts": len(texts),
        "peak_bytes": peak_bytes(),
    }


def peak_bytes() -> int | None:
    """Return the most memory that this process held.

    Linux counts a parent's memory into ``ru_maxrss``, so its status file is read first.
    """
    if _STATUS.is_file() and (found := re.search(r"VmHWM:\s*(\d+) kB", _STATUS.read_text())):
        return int(found[1]) * 1024
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], json.loads(sys.stdin.buffer.read()))))
