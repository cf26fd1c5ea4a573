"""The fine-tune at inference: its tokenizer and its ONNX graph, without torch."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from veilleur.errors import VeilleurError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Encoding, Tokenizer

OVERLAP = 64  # tokens that two neighbouring windows of a long text share
BATCH_TOKENS = 2048  # padded tokens that one run of the graph reads


class CamembertModel:
    """A fine-tune that gives one logit a topic.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        Inputs ``input_ids`` and ``attention_mask``, int64 of shape (batch, tokens); first output the logits, float32
        of shape (batch, topics).
    tokenizer : tokenizers.Tokenizer
        Set to cut texts into overlapping windows of the encoder's length.
    """

    def __init__(self, session: "InferenceSession", tokenizer: "Tokenizer") -> None:
        self.session = session
        self.tokenizer = tokenizer

    @classmethod
    def load(cls, folder: Path, threads: int | None = None) -> "CamembertModel":
        """Read ``tokenizer.json`` and ``model.onnx`` of a bundle.

        Parameters
        ----------
        folder : Path
            The bundle.
        threads : int, optional
            Threads that one run uses; all processors that this process may use by default.

        Raises
        ------
        VeilleurError
            If either file cannot be read.
        """
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
        options.log_severity_level = 3
        try:
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
        except Exception as error:  # both libraries raise bare exceptions
            raise VeilleurError(f"{folder} cannot be loaded ({error}): get the bundle again") from error
        window = int(session.get_modelmeta().custom_metadata_map["window"])
        tokenizer.no_padding()
        tokenizer.enable_truncation(window, stride=min(OVERLAP, window // 4))
        return cls(session, tokenizer)

    def logits(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return uncalibrated logits of shape (texts, topics).

        A text longer than the encoder's window is read in overlapping windows; a topic's logit is then its largest
        in any of them, since a topic named in one of them is named in the text.
        """
        windows: list[Encoding] = []
        owners: list[int] = []
        for owner, encoding in enumerate(self.tokenizer.encode_batch(list(texts))):
            for window in (encoding, *encoding.overflowing):
                windows.append(window)
                owners.append(owner)
        topics = self.session.get_outputs()[0].shape[1]
        result = np.full((len(texts), topics), -np.inf, dtype=np.float32)
        for batch in _batches([len(window.ids) for window in windows]):
            values = self._run([windows[index].ids for index in batch])
            np.maximum.at(result, [owners[index] for index in batch], values)
        return result

    def _run(self, ids: list[list[int]]) -> npt.NDArray[np.float32]:
        width = max(map(len, ids))
        tokens = np.full((len(ids), width), self.tokenizer.token_to_id("<pad>") or 0, dtype=np.int64)
        mask = np.zeros_like(tokens)
        for row, values in enumerate(ids):
            tokens[row, : len(values)] = values
            mask[row, : len(values)] = 1
        (logits,) = self.session.run(["logits"], {"input_ids": tokens, "attention_mask": mask})
        return np.asarray(logits)


def _batches(lengths: list[int]) -> Iterable[list[int]]:
    """Group windows of like length, so that little is padded, into batches of about `BATCH_TOKENS`."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and lengths[index] * (len(batch) + 1) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
