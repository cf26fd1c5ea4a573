from pathlib import Path

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from veilleur.errors import VeilleurError
from veilleur.seeds import articles
from veilleur.train.base import BUNDLED, bundled_base, camembert_model, resolve_base, unigram_tokenizer
from veilleur.train.packed_e5 import PackedEncoder, packed_file, read_packed

TEXTS = [segment.text for bulletin in articles() for segment in bulletin.readable]


@pytest.fixture(scope="module")
def encoder() -> PackedEncoder:
    return read_packed(packed_file())


def test_hidden_states_equal_those_of_the_unpruned_model(encoder: PackedEncoder) -> None:
    folder = bundled_base()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    pruned = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    whole_tokenizer = unigram_tokenizer(encoder.pieces)
    whole = camembert_model(encoder, list(range(len(encoder.pieces))))
    compared = 0
    for text in TEXTS[:24]:
        encoding, whole_encoding = tokenizer(text), whole_tokenizer.encode(text)
        if encoding.tokens() != whole_encoding.tokens:
            continue  # a rare piece was pruned; the next test says how rarely
        with torch.inference_mode():
            states = pruned(torch.tensor([encoding["input_ids"]])).last_hidden_state
            expected = whole(torch.tensor([whole_encoding.ids])).last_hidden_state
        torch.testing.assert_close(states, expected, atol=1e-4, rtol=1e-4)
        compared += 1
    assert compared >= 10


def test_pruning_splits_french_hardly_more_and_leaves_nothing_unknown(encoder: PackedEncoder) -> None:
    tokenizer = AutoTokenizer.from_pretrained(bundled_base())
    whole = unigram_tokenizer(encoder.pieces)
    pruned_ids = [tokenizer(text)["input_ids"] for text in TEXTS]
    pruned = sum(map(len, pruned_ids))
    full = sum(len(whole.encode(text).ids) for text in TEXTS)
    assert full <= pruned < 1.03 * full
    assert not any(tokenizer.unk_token_id in ids for ids in pruned_ids)


def test_the_base_is_built_once_and_carries_its_notice() -> None:
    folder = bundled_base()
    stamp = (folder / "config.json").stat().st_mtime_ns
    assert Path(resolve_base(BUNDLED)) == folder
    assert (folder / "config.json").stat().st_mtime_ns == stamp
    assert "MIT License" in (folder / "NOTICE").read_text(encoding="utf-8")


def test_a_base_is_a_folder_or_a_hub_id(tiny_base: Path, tmp_path: Path) -> None:
    assert resolve_base(str(tiny_base)) == str(tiny_base)
    assert resolve_base("almanach/camembert-base") == "almanach/camembert-base"
    with pytest.raises(VeilleurError, match=r"no config\.json"):
        resolve_base(str(tmp_path))
    with pytest.raises(VeilleurError, match="there is no folder"):
        resolve_base(str(tmp_path / "nothing"))
