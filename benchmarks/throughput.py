"""How fast both models tag and start, as ratios to what else does the same on this machine.

    python -P benchmarks/throughput.py [--paragraphs 256] [--rounds 3] [--threads N] [--annif PYTHON]

The fine-tune is measured on a bundle that is made for it: the bundled base with a head of random weights, which are as
fast as any. Every figure is the best of the rounds, in which rivals take turns. Needs the extra `benchmarks`; without
fastText its line is left out. Annif cannot be installed beside it, so PYTHON is the interpreter of an environment that
has Annif; without it its lines are left out.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, pipeline
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from veilleur.labels.rows import LabelledParagraph, shipped_rows
from veilleur.labels.topics import read_topics
from veilleur.model.bundle import Manifest, bundle_folder, write_manifest
from veilleur.model.calibration import Calibration, sigmoid
from veilleur.model.camembert import processors
from veilleur.model.tagger import load
from veilleur.model.tfidf import plain
from veilleur.seeds import articles, composed
from veilleur.seeds.text import normalise
from veilleur.train.base import BUNDLED, resolve_base
from veilleur.train.camembert import load_base, window
from veilleur.train.encoder import TokenVotes
from veilleur.train.export import export_onnx, quantise_onnx
from veilleur.train.standard_form import standard_form
from veilleur.train.tfidf import PIPELINE, load_pipeline

Clocks = Mapping[str, Callable[[], float]]  # each does its work once and returns the seconds that it took

MIB = 2**20
BATCH = 16  # of the transformers pipeline
SIDE = 1024  # of the square matrices whose product is timed
TAG = "from veilleur.cli import main; main()"
STARTS = {
    "import numpy": ["import numpy"],
    "import veilleur": ["import veilleur"],
    "veilleur tag --bundle tfidf": [TAG, "tag", "-", "--bundle", "tfidf"],
    "veilleur tag --bundle camembert": [TAG, "tag", "-", "--bundle", "camembert"],
}
# Run with a bundle and a file of paragraphs, for their peak of memory.
OURS = "import sys, veilleur; list(veilleur.load(sys.argv[1]).tag_many(open(sys.argv[2]).read().splitlines()))"
THEIRS = f"""
import sys
from transformers import pipeline
classify = pipeline("text-classification", sys.argv[1], top_k=None, batch_size={BATCH})
classify(open(sys.argv[2]).read().splitlines(), truncation=True)
"""
PEAK = "\nfrom veilleur.evaluate.cost import peak_bytes; print(peak_bytes())"
ANNIF = Path(__file__).with_name("annif_peer.py")


def main() -> None:
    parser = argparse.ArgumentParser(description="Rates, starts and memory as ratios.")
    parser.add_argument("--paragraphs", type=int, default=256, help="That the fine-tune tags in a round.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=processors(), help="Of the fine-tune and what it is held to.")
    parser.add_argument("--annif", metavar="PYTHON", help="Interpreter of an environment that has Annif.")
    options = parser.parse_args()
    texts = [segment.text for bulletin in (*articles(), *composed()) for segment in bulletin.readable]
    # The baseline of the cascade has not read the test split, so it settles of it what it would of new text.
    rows = shipped_rows()
    unread = [row.text for row in rows if row.split == "test"]
    learnt = [row for row in rows if row.split != "test"]
    some = unread[:: max(1, len(unread) // options.paragraphs)][: options.paragraphs]
    set_verbosity_error()
    disable_progress_bar()
    torch.set_num_threads(options.threads)
    with TemporaryDirectory() as name, annif_clocks(options.annif, Path(name) / "annif", learnt, texts) as annif:
        folder = Path(name)
        report_fine_tune(make_bundle(folder / "bundle"), some, options.rounds, options.threads)
        report_baseline(folder, texts, learnt, annif, options.rounds)
    report_starts(2 * options.rounds)


def make_bundle(folder: Path) -> Path:
    """Write the bundled base with random votes as a bundle, both quantised and for transformers."""
    topics = read_topics().ids
    tokenizer, encoder = load_base(resolve_base(BUNDLED), len(topics), 0.0)
    network = TokenVotes(encoder, len(topics)).eval()
    calibration = Calibration((1.0,) * len(topics), (0.0,) * len(topics))
    standard_form(network, calibration, topics).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    full = folder.with_suffix(".onnx")
    export_onnx(network, full, window(encoder.config))
    quantise_onnx(full, folder / "model.onnx")
    write_manifest(folder, Manifest("camembert", topics, (0.5,) * len(topics), calibration))
    return folder


def report_fine_tune(bundle: Path, texts: Sequence[str], rounds: int, threads: int) -> None:
    config = AutoConfig.from_pretrained(bundle)
    model = AutoModelForSequenceClassification.from_pretrained(bundle, dtype=torch.float32)
    layers = model.roberta.encoder.layer
    del layers[-1]  # the one that pools, so that it is not counted against transformers
    tokenizer = AutoTokenizer.from_pretrained(bundle)
    classify = pipeline("text-classification", model=model, tokenizer=tokenizer, top_k=None, batch_size=BATCH)
    tagger, shipped = load(bundle, threads=threads), load("camembert", threads=threads)
    lengths = np.array([len(ids) for ids in tokenizer(list(texts), truncation=True)["input_ids"]])
    print(f"fine-tune: {len(texts)} paragraphs of {lengths.mean():.0f} tokens, {threads} threads")
    clocks = timed(
        {
            f"transformers pipeline, fp32, batches of {BATCH}": lambda: classify(list(texts), truncation=True),
            "Tagger.tag_many": lambda: list(tagger.tag_many(texts)),
            "Tagger.tag_many, bundle as shipped, with cascade": lambda: list(shipped.tag_many(texts)),
        }
    )
    rates = best_rates(clocks, len(texts), rounds)
    show_rates(rates)
    hidden, inner = config.hidden_size, config.intermediate_size
    products = lengths.mean() * (4 * hidden * hidden + 2 * hidden * inner) + 2 * (lengths**2).mean() * hidden
    needed = 2 * len(layers) * products * rates["Tagger.tag_many"]
    for name, rate in product_rates(rounds, threads).items():
        print(f"  {name:52} {rate / 1e9:10,.0f} GFLOP/s  tag_many reaches {needed / rate:.0%} of it")
    paragraphs = bundle.with_suffix(".txt")
    paragraphs.write_text("\n".join(texts), encoding="utf-8")
    theirs, ours = (peak([code, str(bundle), str(paragraphs)]) for code in (THEIRS, OURS))
    print(f"  memory: pipeline {theirs / MIB:,.0f} MiB, tag_many {ours / MIB:,.0f} MiB, {ours / theirs:.2f} times")


def product_rates(rounds: int, threads: int) -> dict[str, float]:
    """Return operations a second of one large matrix product, by type."""
    values = torch.rand(SIDE, SIDE)
    halves = values.bfloat16()
    integer = integer_product(threads)
    bytes_ = np.ones((SIDE, SIDE), dtype=np.uint8)
    products: dict[str, Callable[[], object]] = {
        "matrix product, fp32": lambda: values @ values,
        "matrix product, bf16": lambda: halves @ halves,
        "matrix product, int8": lambda: integer.run(None, {"left": bytes_}),
    }
    repeats = 10
    repeated = {name: lambda one=one: [one() for _ in range(repeats)] for name, one in products.items()}
    return best_rates(timed(repeated), 2 * SIDE**3 * repeats, rounds)


def integer_product(threads: int) -> Any:
    """Make a session that multiplies a matrix by a constant one."""
    make, kinds = onnx.helper, onnx.TensorProto
    left = make.make_tensor_value_info("left", kinds.UINT8, [SIDE, SIDE])
    right = onnx.numpy_helper.from_array(np.ones((SIDE, SIDE), dtype=np.int8), "right")  # constant, as weights are
    output = make.make_tensor_value_info("product", kinds.INT32, [SIDE, SIDE])
    node = make.make_node("MatMulInteger", ["left", "right"], ["product"])
    graph = make.make_graph([node], "product", [left], [output], [right])
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 18)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def report_baseline(
    folder: Path, texts: Sequence[str], learnt: Sequence[LabelledParagraph], annif: Clocks, rounds: int
) -> None:
    bundle = bundle_folder("tfidf")
    tagger, fitted = load(bundle), load_pipeline(bundle / PIPELINE)
    straight = [plain(normalise(text)) for text in texts]
    found, expected = tagger.model.logits(straight), fitted.decision_function(straight)
    print(f"baseline: {len(texts)} paragraphs")
    rivals: dict[str, Callable[[], object]] = {
        "scikit-learn Pipeline.predict_proba": lambda: fitted.predict_proba(straight),
        "Tagger.predict_proba": lambda: tagger.predict_proba(texts),
        "Tagger.tag_many": lambda: list(tagger.tag_many(texts)),
    }
    if importlib.util.find_spec("fasttext"):
        classifier = fast_text(folder, learnt)
        lines = [text + "\n" for text in straight]
        rivals["fastText predict"] = lambda: [classifier.predict(line, 6, 0.0, "strict") for line in lines]
    show_rates(best_rates({**timed(rivals), **annif}, len(texts), rounds))
    print(f"  scores differ by {np.abs(sigmoid(found) - sigmoid(expected)).max():.1e} at most")
    paragraphs = folder / "all.txt"
    paragraphs.write_text("\n".join(texts), encoding="utf-8")
    print(f"  memory: tag_many {peak([OURS, str(bundle), str(paragraphs)]) / MIB:,.0f} MiB")


def fast_text(folder: Path, learnt: Sequence[LabelledParagraph]) -> Any:
    """Train fastText on the same labels; the size of its n-grams is the baseline's."""
    import fasttext

    source = folder / "fasttext.txt"
    lines = (
        " ".join([*(f"__label__{topic}" for topic in row.topics or ["none"]), normalise(row.text)]) for row in learnt
    )
    source.write_text("\n".join(lines), encoding="utf-8")
    model = fasttext.train_supervised(
        str(source), loss="ova", wordNgrams=2, minn=3, maxn=6, epoch=5, bucket=100_000, verbose=0
    )
    return model.f  # its own wrapper fails with numpy 2


@contextmanager
def annif_clocks(
    python: str | None, folder: Path, learnt: Sequence[LabelledParagraph], texts: Sequence[str]
) -> Iterator[Clocks]:
    """Train Annif on the same labels in its own environment, and yield what asks it for the topics of the texts.

    It takes its time itself. Its process waits while nothing is asked of it.
    """
    if python is None:
        yield {}
        return
    folder.mkdir()
    topics = (f"<{topic.id}>\t{topic.name_fr}\n" for topic in read_topics().topics)
    (folder / "topics.tsv").write_text("".join(topics), encoding="utf-8")
    labelled = ({"text": row.text, "subjects": [{"uri": topic} for topic in row.topics]} for row in learnt)
    write_lines(folder / "train.jsonl", labelled)
    write_lines(folder / "texts.jsonl", ({"text": text} for text in texts))
    command = [python, "-I", "-X", "utf8", str(ANNIF), str(folder)]
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
    except OSError as error:
        raise SystemExit(f"{python} cannot be run ({error.strerror}): give the interpreter that has Annif.") from error
    with process:
        version, *backends = answer(process)
        yield {f"Annif {version} {name}": partial(ask, process, name) for name in backends}


def write_lines(path: Path, values: Iterable[object]) -> None:
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")


def ask(process: subprocess.Popen[str], question: str) -> Any:
    assert process.stdin
    print(json.dumps(question), file=process.stdin, flush=True)
    return answer(process)


def answer(process: subprocess.Popen[str]) -> Any:
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"Annif stopped with exit code {process.wait()}.")  # its reason is on the same terminal
    return json.loads(line)


def report_starts(rounds: int) -> None:
    print("start: one text, the process included")
    seconds = {name: float("inf") for name in STARTS}
    for _ in range(rounds):
        for name, arguments in STARTS.items():
            began = perf_counter()
            run(arguments)
            seconds[name] = min(seconds[name], perf_counter() - began)
    first = seconds["import numpy"]
    for name, value in seconds.items():
        print(f"  {name:52} {value * 1000:10,.0f} ms       {value / first:6.2f} times")


def timed(rivals: Mapping[str, Callable[[], object]]) -> Clocks:
    def clock(work: Callable[[], object]) -> float:
        began = perf_counter()
        work()
        return perf_counter() - began

    return {name: partial(clock, work) for name, work in rivals.items()}


def best_rates(rivals: Clocks, count: int, rounds: int) -> dict[str, float]:
    """Return how many of `count` each does in a second, the best of the rounds."""
    seconds = dict.fromkeys(rivals, float("inf"))
    for _ in range(rounds):
        for name, clock in rivals.items():
            seconds[name] = min(seconds[name], clock())
    return {name: count / value for name, value in seconds.items()}


def show_rates(rates: Mapping[str, float]) -> None:
    first = next(iter(rates.values()))
    for name, rate in rates.items():
        print(f"  {name:52} {rate:10,.1f} a second {rate / first:6.2f} times", flush=True)


def run(arguments: Sequence[str]) -> None:
    command = [sys.executable, "-P", "-c", *arguments]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}  # modules are compiled, as after an installation
    subprocess.run(
        command, env=environment, input="Saisie de drogue au port.", stdout=subprocess.DEVNULL, text=True, check=True
    )


def peak(arguments: Sequence[str]) -> float:
    """Return the peak of resident memory of a process of its own, in bytes."""
    code, *rest = arguments
    command = [sys.executable, "-P", "-c", code + PEAK, *rest]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
