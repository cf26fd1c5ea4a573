"""Fine-tuning: labelled paragraphs and a base in, a fitted network out, with `transformers.Trainer`."""

import shutil
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from sklearn.metrics import f1_score
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_utils import get_last_checkpoint
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from veilleur.errors import VeilleurError
from veilleur.labels.rows import LabelledParagraph
from veilleur.model.calibration import sigmoid
from veilleur.seeds.text import normalise
from veilleur.train.encoder import TokenVotes
from veilleur.train.standard_form import FAMILIES, fits

if TYPE_CHECKING:
    from collections.abc import Callable

Example = dict[str, Any]


@dataclass(frozen=True)
class CamembertSettings:
    """What can be set of a fine-tune.

    Attributes
    ----------
    base : str
        ``bundled``, a hub id or a local folder.
    epochs : int
        Passes over the labelled paragraphs; the best by macro-F1 on the validation part is kept.
    batch_size : int
    learning_rate, head_learning_rate : float
        Peak rates of the encoder's top layer and of the linear layer over it.
    layer_decay : float
        Each layer below the top learns at this share of the rate of the one above.
    warmup : float
        Share of all steps in which the rate rises; it falls linearly after.
    evidence_weight : float
        Weight of the loss over tokens that the recorded evidence supervises.
    dropout : float
        Inside the encoder and before the linear layer.
    baseline : bool
        Whether a baseline of the same labels stands beside it (see `veilleur.model.cascade`).
    frozen : float
        Share of the encoder's layers, from below, that stay as they are, as the embeddings always do.
    seed : int
    folds : int
        Folds of the out-of-fold predictions.
    """

    base: str = "bundled"
    epochs: int = 5
    batch_size: int = 8
    learning_rate: float = 2e-4
    head_learning_rate: float = 1e-3
    layer_decay: float = 0.9
    warmup: float = 0.1
    evidence_weight: float = 1.0
    dropout: float = 0.0
    baseline: bool = True
    frozen: float = 0.5
    seed: int = 0
    folds: int = 3


@dataclass(frozen=True)
class FittedCamembert:
    """A fine-tuned network with its tokenizer."""

    network: TokenVotes
    tokenizer: PreTrainedTokenizerBase

    def save(self, path: Path) -> None:
        """Write the weights; the file appears when it is complete."""
        unfinished = path.with_suffix(".partial")
        save_file(self.network.state_dict(), unfinished)
        unfinished.rename(path)

    @classmethod
    def load(cls, path: Path, base: str, topics: int) -> "FittedCamembert":
        """Read what `save` wrote of a network that was fine-tuned from `base`."""
        tokenizer, encoder = load_base(base, topics, dropout=0.0)
        network = TokenVotes(encoder, topics)
        network.load_state_dict(load_file(path))
        return cls(network.eval(), tokenizer)

    def logits(self, rows: Sequence[LabelledParagraph], batch_size: int = 32) -> npt.NDArray[np.float32]:
        """Return uncalibrated logits of shape (rows, topics)."""
        examples = [encode(row, (), self.tokenizer, window(self.network.encoder.config)) for row in rows]
        order = sorted(range(len(rows)), key=lambda index: len(examples[index]["input_ids"]))
        result = np.zeros((len(rows), self.network.votes.out_features), dtype=np.float32)
        collate = Collate(self.tokenizer.pad_token_id)
        device = next(self.network.parameters()).device
        self.network.eval()
        with torch.inference_mode():
            for start in range(0, len(order), batch_size):
                chosen = order[start : start + batch_size]
                batch = collate([examples[index] for index in chosen])
                inputs = {name: batch[name].to(device) for name in ("input_ids", "attention_mask")}
                result[chosen] = self.network(**inputs)["logits"].cpu().numpy()
        return result


def fit_camembert(
    rows: Sequence[LabelledParagraph],
    validation: Sequence[LabelledParagraph],
    topics: Sequence[str],
    settings: CamembertSettings,
    base: str,
    work: Path,
    report: "Callable[[EpochReport], None]",
) -> FittedCamembert:
    """Fine-tune `base`, going on from the last checkpoint in `work` if there is one.

    Parameters
    ----------
    rows, validation : sequence of LabelledParagraph
        What is learnt from, and what the best epoch is chosen by.
    topics : sequence of str
    settings : CamembertSettings
    base : str
        What `veilleur.train.base.resolve_base` gave.
    work : Path
        Folder of the checkpoints; one is saved each epoch.
    report : callable
        Told of the progress, several times an epoch.

    Raises
    ------
    VeilleurError
        If the base cannot be loaded or is of a family that this head does not fit.
    """
    set_seed(settings.seed)
    tokenizer, network = new_network(settings, base, len(topics))
    length = window(network.encoder.config)
    train_data = [encode(row, topics, tokenizer, length) for row in rows]
    validation_data = [encode(row, topics, tokenizer, length) for row in validation]
    cuda = torch.cuda.is_available()
    arguments = TrainingArguments(
        output_dir=str(work),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=2 * settings.batch_size,
        warmup_steps=settings.warmup,
        lr_scheduler_type="linear",
        train_sampling_strategy="group_by_length",
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="macro_f1",
        logging_steps=5,
        seed=settings.seed,
        data_seed=settings.seed,
        bf16=has_bf16(),
        use_cpu=not cuda,
        dataloader_pin_memory=cuda,
        remove_unused_columns=False,
        label_names=["labels"],
        disable_tqdm=True,
        report_to=[],
    )
    trainer = Trainer(
        model=network,
        args=arguments,
        train_dataset=train_data,
        eval_dataset=validation_data,
        data_collator=Collate(tokenizer.pad_token_id),
        compute_metrics=_validation_metrics,
        optimizers=(new_optimizer(network, settings), None),
        callbacks=[_Reporter(report)],
    )
    trainer.remove_callback(PrinterCallback)
    work.mkdir(parents=True, exist_ok=True)
    for checkpoint in work.glob("checkpoint-*"):
        if not (checkpoint / "trainer_state.json").is_file():  # it is written last: a kill left this one unfinished
            shutil.rmtree(checkpoint)
    trainer.train(resume_from_checkpoint=get_last_checkpoint(str(work)))
    return FittedCamembert(network.cpu().eval(), tokenizer)


def new_network(settings: CamembertSettings, base: str, topics: int) -> tuple[PreTrainedTokenizerBase, TokenVotes]:
    """Return tokenizer and network as a fine-tune starts from them."""
    tokenizer, encoder = load_base(base, topics, settings.dropout)
    # Embeddings stay as they are: small data would only move the few words it has.
    encoder.embeddings.requires_grad_(False)
    for layer in encoder.encoder.layer[: int(settings.frozen * len(encoder.encoder.layer))]:
        layer.requires_grad_(False)
    network = TokenVotes(encoder, topics, settings.evidence_weight, settings.dropout)
    return tokenizer, network


def soup(fitted: Sequence[FittedCamembert]) -> FittedCamembert:
    """Average the weights of networks that were fine-tuned from the same start.

    The mean reads as well as their ensemble at the price of one (M. Wortsman et al., "Model soups: averaging weights
    of multiple fine-tuned models improves accuracy without increasing inference time", 2022).
    """
    network = deepcopy(fitted[0].network)
    states = [one.network.state_dict() for one in fitted]
    network.load_state_dict(
        {
            name: torch.stack([state[name] for state in states]).mean(dim=0) if value.is_floating_point() else value
            for name, value in states[0].items()
        }
    )
    return FittedCamembert(network, fitted[0].tokenizer)


def load_base(base: str, topics: int, dropout: float) -> tuple[PreTrainedTokenizerBase, Any]:
    """Load tokenizer and encoder of a hub id or local folder.

    Raises
    ------
    VeilleurError
        With the reason, if transformers cannot load them, the tokenizer's files are missing, or the architecture is
        another.
    """
    disable_progress_bar()  # of the loading, which takes a moment; the training has its own
    set_verbosity_error()  # it would warn of the head that is left behind
    try:
        config = AutoConfig.from_pretrained(base)
        if not fits(config, topics):
            raise VeilleurError(
                f"the base {base} is of type {config.model_type!r} with {config.num_attention_heads} attention heads; "
                f"{topics} topics need one of {', '.join(FAMILIES)} with at least as many heads"
            )
        tokenizer = AutoTokenizer.from_pretrained(base)
        # transformers makes up an empty tokenizer where the files are missing.
        if set(tokenizer("La douane").input_ids) <= set(tokenizer.all_special_ids):
            raise VeilleurError(f"the base {base} has no tokenizer: put its tokenizer's files beside its weights")
        with torch.random.fork_rng(devices=[]):  # its own head is drawn at random, and left behind
            model = AutoModelForSequenceClassification.from_pretrained(
                base,
                hidden_dropout_prob=dropout,
                attention_probs_dropout_prob=0.0,
                attn_implementation="eager",  # on a processor its backward pass takes half the time of the fused one
                dtype=torch.float32,
            )
    except (OSError, ValueError, SafetensorError) as error:
        raise VeilleurError(
            f"the base {base} cannot be loaded: {str(error).splitlines()[0]}; "
            "use 'bundled', a local folder, or a hub id that this machine can reach"
        ) from error
    return tokenizer, model.base_model


def window(config: Any) -> int:
    """How many tokens the encoder reads at once: RoBERTa's kind counts positions from ``pad_token_id + 1``."""
    return int(config.max_position_embeddings) - int(config.pad_token_id) - 1


def encode(row: LabelledParagraph, topics: Sequence[str], tokenizer: PreTrainedTokenizerBase, length: int) -> Example:
    """Tokenize a row and mark which of its tokens are evidence of which topic.

    Returns
    -------
    dict
        ``input_ids``; ``labels``, a list of 0 and 1; ``evidence``, a list of one list a token, with 1 where the token
        is evidence, 0 where the row has no such topic or where it is said elsewhere, -1 where nothing is known.
    """
    text = normalise(row.text)
    encoded = tokenizer(text, truncation=True, max_length=length, return_offsets_mapping=True)
    spans = encoded["offset_mapping"]
    evidence = np.zeros((len(spans), len(topics)), dtype=np.float32)
    for column, topic in enumerate(topics):
        if topic not in row.topics:
            continue
        marked = _marked(text, row.evidence.get(topic, ()))
        if not marked:
            evidence[:, column] = -1.0
        for token, (start, end) in enumerate(spans):
            if any(start < last and first < end for first, last in marked):
                evidence[token, column] = 1.0
    return {
        "input_ids": encoded["input_ids"],
        "labels": [float(topic in row.topics) for topic in topics],
        "evidence": evidence,
    }


def _marked(text: str, passages: Sequence[str]) -> list[tuple[int, int]]:
    """Return where the evidence stands in the text: every occurrence, as (start, end)."""
    found = []
    for passage in filter(None, map(normalise, passages)):
        start = text.find(passage)
        while start >= 0:
            found.append((start, start + len(passage)))
            start = text.find(passage, start + len(passage))
    return found


@dataclass(frozen=True)
class Collate:
    """Pads examples to the longest of a batch."""

    pad: int

    def __call__(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """Return ``input_ids``, ``attention_mask`` and, where there are any, ``labels`` and ``evidence``."""
        width = max(len(example["input_ids"]) for example in examples)
        topics = examples[0]["evidence"].shape[1]
        tokens = torch.full((len(examples), width), self.pad)
        mask = torch.zeros((len(examples), width), dtype=torch.long)
        evidence = torch.full((len(examples), width, topics), -1.0)
        for row, example in enumerate(examples):
            size = len(example["input_ids"])
            tokens[row, :size] = torch.tensor(example["input_ids"])
            mask[row, :size] = 1
            evidence[row, :size] = torch.from_numpy(example["evidence"])
        labels = torch.tensor([example["labels"] for example in examples])
        return {"input_ids": tokens, "attention_mask": mask, "labels": labels, "evidence": evidence}


@dataclass(frozen=True)
class EpochReport:
    """How far a fine-tune is.

    Attributes
    ----------
    done : float
        Epochs so far, with fractions.
    epochs : int
    loss : float or None
        Mean training loss since the last report.
    macro_f1 : float or None
        On the validation part, at the end of an epoch.
    """

    done: float
    epochs: int
    loss: float | None = None
    macro_f1: float | None = None


class _Reporter(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Passes the trainer's log on to the caller."""

    def __init__(self, report: "Callable[[EpochReport], None]") -> None:
        self.report = report

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        logs = logs or {}
        self.report(
            EpochReport(state.epoch or 0.0, int(args.num_train_epochs), logs.get("loss"), logs.get("eval_macro_f1"))
        )


def _validation_metrics(prediction: Any) -> dict[str, float]:
    logits, labels = prediction.predictions, prediction.label_ids
    return {"macro_f1": float(f1_score(labels, sigmoid(logits) >= 0.5, average="macro", zero_division=0))}


def new_optimizer(network: TokenVotes, settings: CamembertSettings) -> torch.optim.Optimizer:
    """AdamW with a learning rate that falls from layer to layer (J. Howard and S. Ruder, ULMFiT, 2018)."""
    layers = len(network.encoder.encoder.layer)
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        if name.startswith("votes"):
            rate = settings.head_learning_rate
        else:
            parts = name.split(".")
            depth = int(parts[parts.index("layer") + 1]) + 1 if "layer" in parts else 0
            rate = settings.learning_rate * settings.layer_decay ** (layers - depth)
        decay = 0.01 if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": group, "lr": rate, "weight_decay": decay} for (rate, decay), group in groups.items()]
    )


def has_bf16() -> bool:
    """Whether what a fine-tune runs on multiplies bfloat16 in hardware."""
    return torch.cuda.is_bf16_supported() if torch.cuda.is_available() else cpu_has_bf16()


def cpu_has_bf16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware; elsewhere autocast would only slow it down."""
    flags = Path("/proc/cpuinfo")
    words = flags.read_text(encoding="utf-8").split() if flags.exists() else []
    return "avx512_bf16" in words or "amx_bf16" in words
