"""An encoder of random weights in the files of the original CamemBERT, for tests and for measuring time and memory.

What a fine-tune costs does not depend on the weights it starts from, so no trained ones need to be downloaded.
"""

from collections.abc import Iterable
from pathlib import Path

CAMEMBERT_BASE = {  # of almanach/camembert-base (L. Martin et al., "CamemBERT: a Tasty French Language Model", 2020)
    "vocab_size": 32_005,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 514,
}
ADDED_PIECES = 5  # fairseq puts four pieces before SentencePiece's and the mask after them


def write_random_base(folder: Path, texts: Iterable[str], pieces: int, **sizes: int) -> None:
    """Write SentencePiece tokenizer, safetensors and config of a CamemBERT of random weights, the same each time.

    Parameters
    ----------
    folder : Path
        Made if it is missing.
    texts : iterable of str
        What the tokenizer is fitted on.
    pieces : int
        How many pieces the tokenizer has; the vocabulary may have more than these and `ADDED_PIECES`.
    **sizes : int
        Of ``transformers.CamembertConfig``; `CAMEMBERT_BASE` has those of the original.

    Raises
    ------
    ValueError
        If the vocabulary has no room for the pieces.
    """
    import sentencepiece
    import torch
    from transformers import CamembertConfig, CamembertForMaskedLM

    config = CamembertConfig(type_vocab_size=1, **sizes)
    if config.vocab_size < pieces + ADDED_PIECES:
        raise ValueError(f"a vocabulary of {config.vocab_size} has no room for {pieces} + {ADDED_PIECES} pieces")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "sentencepiece.bpe.model").open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_writer=file, vocab_size=pieces, minloglevel=2
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        CamembertForMaskedLM(config).save_pretrained(folder)
