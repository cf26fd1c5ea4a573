"""What the cascade saves and costs: the shipped fine-tune with it and without, on labelled text.

    python -P benchmarks/cascade.py [--bundle camembert] [--labels ../shared/real/dev.jsonl]

Prints for the corpus's test split, and for each further label file, how many texts the baseline settles, how much
faster that makes tagging, how many topics that the whole model would give are lost, and what that is in macro-F1, with
a 95 % bootstrap interval of the difference.
"""

import argparse
import sys
from pathlib import Path
from time import perf_counter

from veilleur.errors import VeilleurError
from veilleur.evaluate.bootstrap import interval
from veilleur.evaluate.run import Answers, ask, judge, read_labels
from veilleur.labels.rows import LabelledParagraph, label_matrix, shipped_rows
from veilleur.model.cascade import CascadeModel
from veilleur.model.tagger import Tagger, load
from veilleur.seeds.text import normalise


def timed(name: str, tagger: Tagger, rows: list[LabelledParagraph], rounds: int) -> tuple[Answers, float]:
    """Return the answers, and texts a second, the best of the rounds."""
    best = float("inf")
    for _ in range(rounds):
        began = perf_counter()
        answers = ask(name, tagger, rows)
        best = min(best, perf_counter() - began)
    return answers, len(rows) / best


def report(name: str, rows: list[LabelledParagraph], swift: Tagger, thorough: Tagger, rounds: int) -> None:
    assert isinstance(swift.model, CascadeModel)
    settled = swift.model.cascade.settles(swift.model.baseline.logits([normalise(row.text) for row in rows]))
    cascade, rate = timed("cascade", swift, rows, rounds)
    whole, whole_rate = timed("all read", thorough, rows, rounds)
    labels = label_matrix(rows, swift.topics)
    gone = whole.predicted * (1 - cascade.predicted)
    right, wrong = labels * whole.predicted, (1 - labels) * whole.predicted
    without = settled[~labels.any(axis=1)].mean()
    one, other = judge(cascade, rows), judge(whole, rows)
    low, high = interval(one.samples["macro_f1"] - other.samples["macro_f1"])
    f1, whole_f1 = one.scores.macro_f1, other.scores.macro_f1
    print(f"{name}: {len(rows)} texts")
    print(f"  settled               {settled.mean():7.1%}  of those without a topic {without:.1%}")
    print(f"  texts a second        {rate:7.0f}  against {whole_rate:.0f}, {rate / whole_rate:.2f} times")
    print(f"  right topics lost     {(right * gone).sum():7}  of {right.sum()}")
    print(f"  wrong topics spared   {(wrong * gone).sum():7}  of {wrong.sum()}")
    print(f"  macro-F1              {f1:7.3f}  against {whole_f1:.3f}, difference {low:+.4f} to {high:+.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="What the cascade saves and costs.")
    parser.add_argument("--bundle", default="camembert")
    parser.add_argument("--labels", type=Path, action="append", default=[], help="Further labels; may be given again.")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    swift, thorough = load(options.bundle), load(options.bundle, cascade=False)
    if not isinstance(swift.model, CascadeModel):
        raise SystemExit(f"{options.bundle} has no baseline beside it")
    report("test split", shipped_rows(split="test"), swift, thorough, options.rounds)
    for path in options.labels:
        report(path.name, read_labels([path], swift.topics), swift, thorough, options.rounds)


if __name__ == "__main__":
    try:
        main()
    except VeilleurError as error:
        sys.exit(f"Error: {error}")
