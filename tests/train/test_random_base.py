from pathlib import Path

import pytest
from transformers import AutoTokenizer

from veilleur.train.random_base import CAMEMBERT_BASE, write_random_base


def test_its_tokenizer_is_read_as_camemberts(tiny_base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    text = "La police lutte contre la drogue."
    assert type(tokenizer).__name__.startswith("Camembert")
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text


def test_pieces_must_fit_into_the_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no room for 32001"):
        write_random_base(tmp_path / "base", [], pieces=32_001, **CAMEMBERT_BASE)
