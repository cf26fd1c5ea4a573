"""What it takes to fine-tune the original CamemBERT on this machine: time and memory.

    python -P benchmarks/full_size.py [--steps 100] [--batch-size 8]

Rehearses the last fold of `veilleur train camembert --base almanach/camembert-base` with a CamemBERT-base of random
weights, which cost as much as any, and a few of the shipped labelled paragraphs, their lengths spread as in the whole
corpus. It goes the command's own way, with its defaults: the networks of the earlier folds are in memory, one epoch is
trained and validated, paragraphs are predicted, and what the bundle holds is written. Prints what was measured, and the
hours that follow for the whole corpus.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from transformers.utils.logging import disable_progress_bar

from veilleur.evaluate.cost import peak_bytes
from veilleur.labels.rows import LabelledParagraph, shipped_rows
from veilleur.labels.topics import read_topics
from veilleur.model.calibration import Calibration
from veilleur.seeds.text import normalise
from veilleur.train.camembert import (
    CamembertSettings,
    EpochReport,
    FittedCamembert,
    fit_camembert,
    load_base,
    soup,
    window,
)
from veilleur.train.encoder import TokenVotes
from veilleur.train.export import export_onnx
from veilleur.train.folds import holdout
from veilleur.train.random_base import CAMEMBERT_BASE, write_random_base
from veilleur.train.run import VALIDATION_SHARE
from veilleur.train.standard_form import standard_form

GIB = 2**30
TOPICS = read_topics().ids
PIECES = 5_000  # of a tokenizer fitted on this corpus: about as many tokens a paragraph as with the bundled base's
WARM_UP = 0.25  # share of the steps
UNIT = 20  # the warm-up ends at a report, and there is one every five steps


@dataclass
class Clock:
    """Takes a fine-tune's reports and notes when they came."""

    reports: list[tuple[float, EpochReport]] = field(default_factory=list)

    def __call__(self, report: EpochReport) -> None:
        self.reports.append((perf_counter(), report))

    def seconds(self) -> tuple[float, float]:
        """Return the time of the steps after the warm-up, and of the validation after them.

        transformers sorts paragraphs by length inside each quarter of so short an epoch. The first quarter is the
        warm-up; its first batch has the longest paragraph.
        """
        trained = [(time, report.done) for time, report in self.reports if report.loss is not None]
        warm = next(time for time, done in trained if done >= WARM_UP)
        validated = next(time for time, report in self.reports if report.macro_f1 is not None)
        return trained[-1][0] - warm, validated - trained[-1][0]


def main() -> None:
    defaults = CamembertSettings()
    parser = argparse.ArgumentParser(description="Time and memory of fine-tuning the original CamemBERT.")
    parser.add_argument("--steps", type=int, default=100, help=f"A multiple of {UNIT}; few make for more padding.")
    parser.add_argument("--batch-size", type=int, default=defaults.batch_size)
    options = parser.parse_args()
    if options.steps < UNIT or options.steps % UNIT:
        parser.error(f"--steps must be a multiple of {UNIT}")
    disable_progress_bar()
    rows = [row for row in shipped_rows() if row.split != "test"]
    train, validation = holdout(rows, TOPICS, VALIDATION_SHARE, defaults.seed)
    with TemporaryDirectory() as folder:
        base = Path(folder) / "camembert-base"
        write_random_base(base, [normalise(row.text) for row in rows], PIECES, **CAMEMBERT_BASE)
        settings = CamembertSettings(base=str(base), epochs=1, batch_size=options.batch_size)
        some = spread(train, options.steps * settings.batch_size)
        held = spread(validation, len(some) // 4)
        rates = rehearse(Path(folder), settings, some, held)
    epochs, folds = defaults.epochs, defaults.folds
    # Each row is trained on in all folds but one, and predicted out of the one.
    paragraphs = np.array([epochs * (folds - 1) * len(train), epochs * folds * len(validation), len(train)])
    hours = paragraphs / rates / 3600
    print(f"so {len(train):,} rows, {epochs} epochs and {folds} folds take {hours.sum():.1f} hours: ", end="")
    print("{:.1f} of training, {:.1f} of validation, {:.1f} of predictions out of fold".format(*hours))


def spread(rows: Sequence[LabelledParagraph], count: int) -> list[LabelledParagraph]:
    """Draw paragraphs from the shortest to the longest, at equal distances."""
    ordered = sorted(rows, key=lambda row: len(row.text))
    return [ordered[round(place)] for place in np.linspace(0, len(ordered) - 1, count)]


def rehearse(
    folder: Path, settings: CamembertSettings, rows: Sequence[LabelledParagraph], held: Sequence[LabelledParagraph]
) -> list[float]:
    """Print what a fold takes; return paragraphs a second of training, of validation and out of fold."""
    saved = folder / "fold.safetensors"
    tokenizer, encoder = load_base(settings.base, len(TOPICS), settings.dropout)
    lengths = [len(ids) for ids in tokenizer([normalise(row.text) for row in rows])["input_ids"]]
    FittedCamembert(TokenVotes(encoder, len(TOPICS)), tokenizer).save(saved)
    del encoder
    members = [FittedCamembert.load(saved, settings.base, len(TOPICS)) for _ in range(settings.folds - 1)]

    clock = Clock()
    fitted = fit_camembert(rows, held, TOPICS, settings, settings.base, folder / "work", clock)
    parameters = list(fitted.network.parameters())
    size = sum(parameter.numel() for parameter in parameters) / 1e6
    learnt = sum(parameter.numel() for parameter in parameters if parameter.requires_grad) / 1e6
    print(f"CamemBERT-base of random weights: {size:.1f} M parameters, {learnt:.1f} M of them learnt, ", end="")
    print(f"{torch.get_num_threads()} threads")
    peak_of_training = peak()

    fitted.save(saved)
    members.append(FittedCamembert.load(saved, settings.base, len(TOPICS)))
    members[-1].logits(held[:1])  # warm-up
    began = perf_counter()
    members[-1].logits(held)
    predicting = perf_counter() - began

    training, validating = clock.seconds()
    steps = round((1 - WARM_UP) * len(rows) / settings.batch_size)
    rates = [steps * settings.batch_size / training, len(held) / validating, len(held) / predicting]
    print(f"  training            {rates[0]:8.1f} paragraphs a second, {training / steps:.2f} s a step", end="")
    print(f" of {settings.batch_size} paragraphs of {np.mean(lengths):.0f} tokens")
    print(f"  validation          {rates[1]:8.1f} paragraphs a second")
    print(f"  inference, fp32     {rates[2]:8.1f} paragraphs a second", flush=True)

    final = soup(members)
    calibration = Calibration((1.0,) * len(TOPICS), (0.0,) * len(TOPICS))
    model = standard_form(final.network, calibration, TOPICS)
    model.save_pretrained(folder / "bundle")
    export_onnx(final.network, folder / "bundle" / "model.onnx", window(final.network.encoder.config))
    print(f"  peak of memory      {peak_of_training:8.1f} GiB training, {peak():.1f} GiB in all")
    return rates


def peak() -> float:
    """Return the most memory that this process held so far, in GiB."""
    return (peak_bytes() or float("nan")) / GIB


if __name__ == "__main__":
    main()
