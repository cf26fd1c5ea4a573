"""The model card, written from what was measured."""

from collections.abc import Mapping, Sequence
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from veilleur.labels.topics import read_topics
from veilleur.model.bundle import Manifest
from veilleur.tables import figure

NAMES = {"tfidf": "Veilleur, TF-IDF baseline", "camembert": "Veilleur, CamemBERT fine-tune"}

HOW = {
    "tfidf": """\
TF-IDF over words (1 to 2) and characters within words (3 to 6), one linear model a topic: the mean of two logistic
regressions (scikit-learn), one of them over features weighed by naive Bayes' log-count ratios. Persisted with skops in
`model.skops`; `model.npz` holds the same as plain arrays, which Veilleur runs. Nothing in this folder is a pickle.""",
    "camembert": """\
An encoder of CamemBERT's architecture, started from `{base}` and fine-tuned with binary cross-entropy. Every token
votes on every topic, and a text has a topic if any of its tokens says so (softmax-weighted mean of the votes).
`model.onnx` is what Veilleur runs.""",
}

BESIDE = """\
Beside it stands a baseline of the same labels, `baseline.npz` (TF-IDF, linear). The logits of both add up."""

SETTLING = """\
Texts that the baseline is sure have no topic are not read by the encoder (`veilleur.load("DIR", cascade=False)` has it
read all)."""

BUNDLED_BASE = """\
**The base `bundled` is CamemBERT's architecture with the weights of multilingual-e5-small** (MIT; see `NOTICE`), not
the original CamemBERT. To fine-tune the original: `veilleur train camembert --base almanach/camembert-base -o DIR`."""

TRANSFORMERS = """\
`model.safetensors` is the network alone as a standard sequence classification model, with its own calibration; keep it
in float32:

```python
from transformers import pipeline
pipeline("text-classification", model="DIR", top_k=None)("La douane a saisi 30 kg de cocaïne.", truncation=True)
```"""

SHRUNK = """\
This bundle holds the ONNX graph quantised to 8 bits and leaves the transformers weights out. The command under
"Training" without `--quantise` makes them, byte for byte on the same library versions and kind of processor."""

OUT_OF_FOLD = """\
*Out of fold*: training labels, each scored by a model, a calibration and thresholds fitted without its bulletin."""

TUNED_ON = """\
*Validation, tuned on*: what the calibration and the thresholds were fitted on, so its figures are too high."""

OUR_TOPICS = """\
The six topics mean what Veilleur's guide (`labels/GUIDE.md`) says."""

COMPOSED = """\
Most of its training text was composed, not collected: wording that nobody thought of is missed. A score is a calibrated
probability where topics are as frequent as in the collected articles; composed paragraphs are weighed to that mix."""


def card(manifest: Manifest, command: str) -> str:
    """Write the card.

    Parameters
    ----------
    manifest : Manifest
        With the scores (`veilleur.evaluate.metrics.Scores.to_dict`) by the name of the labels scored on, first those
        of the training itself.
    command : str
        That makes this bundle.
    """
    scores, training = manifest.scores, manifest.training
    results = [
        EvalResult(
            task_type="text-classification",
            dataset_type="veilleur",
            dataset_config=name,  # without it all label sets would be taken for one
            dataset_name=name,
            metric_type="f1",
            metric_name="macro F1",
            metric_value=round(one["macro_f1"], 4),
        )
        for name, one in list(scores.items())[1:]
        if one["macro_f1"] is not None
    ]
    front = ModelCardData(
        language="fr",
        license="mit" if training["composed"] else None,  # that of our labels; a user's own have the user's
        library_name="veilleur",
        pipeline_tag="text-classification",
        tags=["multi-label", *manifest.topics],
        model_name=NAMES[manifest.kind],
        eval_results=results or None,
    )
    parts = [
        f"---\n{front.to_yaml()}\n---",
        f"# {NAMES[manifest.kind]}",
        f"Tells which of these topics a French paragraph is about: {', '.join(manifest.topics)}.",
        '```python\nimport veilleur\n\nveilleur.load("DIR").tag("La douane a saisi 30 kg de cocaïne.").topics\n```',
        "## What it is",
        HOW[manifest.kind].format(base=manifest.base),
    ]
    if manifest.kind == "camembert":
        if manifest.cascade is not None:
            parts.append(f"{BESIDE} {SETTLING}" if manifest.cascade.below else BESIDE)
        if manifest.base == "bundled":
            parts.append(BUNDLED_BASE)
        parts.append(TRANSFORMERS if "model.safetensors" in manifest.files else SHRUNK)
    own = OUT_OF_FOLD if "out of fold" in scores else TUNED_ON
    parts += [
        "## Training",
        f"{training['rows']} labelled paragraphs of {training['bulletins']} bulletins, of which "
        f"{training['composed']} paragraphs were composed for training and "
        f"{training['rows'] - training['composed']} come from articles or the user's own files "
        f"(labels hash `{training['labels_sha256'][:16]}`), seed {training['seed']}. Made by:",
        f"```\n{command}\n```",
        "## Scores",
        f"Intervals are 95 % bootstrap intervals that draw whole bulletins. {own} Other rows: this bundle as it is, on "
        "labels that it never saw (`veilleur evaluate DIR --labels FILE`).",
        _overall(scores),
    ]
    for name, one in scores.items():
        parts += [f"### By topic, {name}", _by_topic(manifest, one)]
    limits = ["It reads French news prose."]
    if manifest.topics == read_topics().ids:
        limits.append(OUR_TOPICS)
    if 2 * training["composed"] > training["rows"]:
        limits.append(COMPOSED)
    parts += ["## Limits", " ".join(limits)]
    return "\n\n".join(parts) + "\n"


def _overall(named: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        "| labels | n | macro-F1 | micro-F1 | exact match | mean average precision |",
        "|---|---|---|---|---|---|",
    ]
    for name, scores in named.items():
        figures = ("macro_f1", "micro_f1", "exact_match", "mean_average_precision")
        cells = [_figure(scores[key], scores["intervals"].get(key)) for key in figures]
        lines.append(f"| {name} | {scores['n']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _by_topic(manifest: Manifest, scores: Mapping[str, Any]) -> str:
    lines = ["| topic | precision | recall | F1 | support | threshold |", "|---|---|---|---|---|---|"]
    for topic, threshold in zip(manifest.topics, manifest.thresholds, strict=True):
        one = scores["topics"][topic]
        f1 = _figure(one["f1"], scores["intervals"].get(f"{topic}.f1"))
        lines.append(
            f"| {topic} | {_figure(one['precision'])} | {_figure(one['recall'])} | {f1} | {one['support']} "
            f"| {threshold:.2f} |"
        )
    return "\n".join(lines)


def _figure(value: float | None, interval: Sequence[float] | None = None) -> str:
    return figure(value) + (f" ({figure(interval[0])} to {figure(interval[1])})" if interval else "")
