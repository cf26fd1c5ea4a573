"""The fine-tune at inference: its tokenizer and its ONNX graph, without torch."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from veilleur.errors import VeilleurError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

OVERLAP = 64  # tokens that two neighbouring windows of a long text share
# Sum and normalisation in one kernel, which does one number at a time and takes a quarter of all time; as two kernels
# they take a twentieth.
SLOW_FUSIONS = ["SkipLayerNormFusion"]


class CamembertModel:
    """A fine-tune that gives one logit a topic.

    Every text is run by itself, on one thread, and as many texts at once as there are threads. Nothing is padded, and
    a text's scores do not depend on its neighbours, as they would if a quantised graph scaled a whole batch alike.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        Inputs ``input_ids`` and ``attention_mask``, int64 of shape (batch, tokens); first output the logits, float32
        of shape (batch, topics).
    tokenizer : tokenizers.Tokenizer
        Set to cut texts into overlapping windows of the encoder's length.
    threads : int
    """

    def __init__(self, session: "InferenceSession", tokenizer: "Tokenizer", threads: int) -> None:
        self.session = session
        self.tokenizer = tokenizer
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="veilleur")

    @classmethod
    def load(cls, folder: Path, threads: int | None = None) -> "CamembertModel":
        """Read ``tokenizer.json`` and ``model.onnx`` of a bundle.

        Parameters
        ----------
        folder : Path
            The bundle.
        threads : int, optional
            How many texts are read at once; as many as this process may use processors by default.

        Raises
        ------
        VeilleurError
            If either file cannot be read.
        """
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            session = onnxruntime.InferenceSession(
                folder / "model.onnx", options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOW_FUSIONS
            )
            window = int(session.get_modelmeta().custom_metadata_map["window"])
        except Exception as error:  # both libraries raise bare exceptions
            raise VeilleurError(f"{folder} cannot be loaded ({error}): get the bundle again") from error
        tokenizer.no_padding()
        tokenizer.enable_truncation(window, stride=min(OVERLAP, window // 4))
        return cls(session, tokenizer, threads or processors())

    @property
    def topics(self) -> int:
        """How many topics it gives logits of."""
        return int(self.session.get_outputs()[0].shape[1])

    def logits(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return uncalibrated logits of shape (texts, topics).

        A text longer than the encoder's window is read in overlapping windows; a topic's logit is then its largest
        in any of them, since a topic named in one of them is named in the text.
        """
        windows: list[list[int]] = []
        owners: list[int] = []
        for owner, encoding in enumerate(self.tokenizer.encode_batch(list(texts))):
            for window in (encoding, *encoding.overflowing):
                windows.append(window.ids)
                owners.append(owner)
        result = np.full((len(texts), self.topics), -np.inf, dtype=np.float32)
        for owner, values in zip(owners, self.pool.map(self._run, windows), strict=True):
            np.maximum(result[owner], values, out=result[owner])
        return result

    def contributions(
        self, text: str, words: Sequence[tuple[int, int]]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return what each word adds to the logits, of shape (words, topics), and what the marks around the text add.

        The logit is the mean of the tokens' votes, weighted by the softmax of these votes, so each token's part of it
        is known. Of a text of several windows, the one that gave the logit is explained, for each topic by itself.
        """
        starts = np.array([start for start, _ in words])
        result, rest = np.zeros((len(words), self.topics)), np.zeros(self.topics)
        best = np.full(self.topics, -np.inf)
        encoding = self.tokenizer.encode(text)
        for window in (encoding, *encoding.overflowing):
            votes = self._run(window.ids, "votes")
            weights = np.exp(votes - votes.max(axis=0))
            parts = votes * weights / weights.sum(axis=0)
            inside = ~np.array(window.special_tokens_mask, dtype=bool)
            # A piece may begin with the space before its word, so its last character says which word it is of.
            owners = np.searchsorted(starts, np.array(window.offsets)[inside, 1] - 1, side="right") - 1
            by_word = np.zeros_like(result)
            np.add.at(by_word, np.maximum(owners, 0), parts[inside])
            logits = parts.sum(axis=0)
            ahead = logits > best
            best[ahead] = logits[ahead]
            result[:, ahead], rest[ahead] = by_word[:, ahead], parts[~inside].sum(axis=0)[ahead]
        return result, rest

    def _run(self, ids: list[int], output: str = "logits") -> npt.NDArray[np.float32]:
        tokens = np.array([ids], dtype=np.int64)
        (found,) = self.session.run([output], {"input_ids": tokens, "attention_mask": np.ones_like(tokens)})
        return np.asarray(found[0])


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux, where it may be fewer than there are
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
