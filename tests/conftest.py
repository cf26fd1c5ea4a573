"""Real labels, and small real models made of them once a session."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from veilleur.labels.files import file_name, shipped_folder
from veilleur.labels.rows import LabelledParagraph, read_rows
from veilleur.labels.topics import read_topics

if TYPE_CHECKING:
    from collections.abc import Callable

    from veilleur.train.encoder import TokenVotes

TOPICS = read_topics().ids
settings.register_profile("veilleur", deadline=None)  # no test asserts a time
settings.load_profile("veilleur")


@pytest.fixture(scope="session")
def article_rows() -> list[LabelledParagraph]:
    """The labelled paragraphs of the five articles."""
    return read_rows(shipped_folder() / file_name("articles", "adjudicated"), read_topics())


@pytest.fixture(scope="session")
def tfidf_bundle(article_rows: list[LabelledParagraph], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A baseline of the five articles."""
    from veilleur.train.run import Job, train_tfidf
    from veilleur.train.tfidf import TfidfSettings

    out = tmp_path_factory.mktemp("bundles") / "tfidf"
    train_tfidf(Job(article_rows, TOPICS, out, "veilleur train tfidf"), TfidfSettings(folds=2))
    return out


@pytest.fixture(scope="session")
def make_network() -> "Callable[..., TokenVotes]":
    """A factory of small networks with 100 pieces and a window of 38 tokens, the same each time."""
    import torch
    from transformers import CamembertConfig, CamembertModel

    from veilleur.train.encoder import TokenVotes

    def make(topics: int, hidden: int = 48, heads: int = 6, evidence_weight: float = 0.0) -> TokenVotes:
        torch.manual_seed(0)
        config = CamembertConfig(
            vocab_size=100,
            hidden_size=hidden,
            num_hidden_layers=2,
            num_attention_heads=heads,
            intermediate_size=64,
            max_position_embeddings=40,
        )
        encoder = CamembertModel(config, add_pooling_layer=False)
        return TokenVotes(encoder, topics, evidence_weight=evidence_weight).eval()

    return make


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CamemBERT of two small layers in the original's file format."""
    from veilleur.seeds import articles
    from veilleur.train.random_base import ADDED_PIECES, write_random_base

    folder = tmp_path_factory.mktemp("bases") / "tiny-camembert"
    write_random_base(
        folder,
        [segment.text for bulletin in articles() for segment in bulletin.readable],
        pieces=600,
        vocab_size=600 + ADDED_PIECES,
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=6,
        intermediate_size=64,
        max_position_embeddings=66,
    )
    return folder


@pytest.fixture(scope="session")
def camembert_bundle(
    article_rows: list[LabelledParagraph], tiny_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A fine-tune of the tiny base on the five articles."""
    from veilleur.train.camembert import CamembertSettings
    from veilleur.train.run import Job, train_camembert

    out = tmp_path_factory.mktemp("bundles") / "camembert"
    job = Job(article_rows, TOPICS, out, "veilleur train camembert")
    settings = CamembertSettings(base=str(tiny_base), epochs=2, folds=2, learning_rate=1e-3)
    train_camembert(job, settings, lambda part, progress: None)
    return out
