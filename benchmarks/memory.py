"""Peak memory of a long streamed run against a short one.

    python -P benchmarks/memory.py [--bundle tfidf] [--short 20000] [--long 2000000]

Each run is a process of its own that tags paragraphs of the project's own bulletins, from JSON Lines into JSON Lines.
Prints both peaks and their ratio: what grew with the input would show.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from veilleur.seeds import articles, composed

COMMAND = [sys.executable, "-P", "-c", "from veilleur.cli import main; main()", "tag"]
MIB = 2**20


def write_rows(path: Path, count: int) -> None:
    texts = [segment.text for bulletin in (*articles(), *composed()) for segment in bulletin.readable]
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(islice(cycle(texts), count)):
            file.write(json.dumps({"id": number, "text": text}, ensure_ascii=False) + "\n")


def run(arguments: Sequence[str]) -> tuple[float, float]:
    """Return the peak of resident memory in bytes, and the seconds."""
    began = time.monotonic()
    process = subprocess.Popen([*COMMAND, *arguments])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the run failed with status {os.waitstatus_to_exitcode(status)}")
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_maxrss * unit, time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description="Peak memory of a long run against a short one.")
    parser.add_argument("--bundle", default="tfidf")
    parser.add_argument("--short", type=int, default=20_000)
    parser.add_argument("--long", type=int, default=2_000_000)
    options = parser.parse_args()
    peaks = []
    with TemporaryDirectory(dir=Path.cwd()) as folder:
        for count in (options.short, options.long):
            source, output = Path(folder) / "in.jsonl", Path(folder) / "out.jsonl"
            write_rows(source, count)
            peak, seconds = run([str(source), "-o", str(output), "--bundle", options.bundle, "--quiet"])
            with output.open("rb") as file:
                assert sum(1 for _ in file) == count
            peaks.append(peak)
            print(f"{count:12,} paragraphs  {peak / MIB:8.1f} MiB  {count / seconds:8.1f} a second", flush=True)
    print(f"ratio {peaks[1] / peaks[0]:.3f}")


if __name__ == "__main__":
    main()
