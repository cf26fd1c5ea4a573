"""The baseline: TF-IDF of words and characters with one logistic regression a topic."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from veilleur.labels.rows import LabelledParagraph
from veilleur.model.tfidf import TfidfModel
from veilleur.seeds.text import normalise
from veilleur.train.folds import label_matrix

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class TfidfSettings:
    """What can be set of the baseline.

    Attributes
    ----------
    word_features, character_features : int
        How many n-grams of words (1 to 2) and of characters within words (3 to 6) are kept, the most frequent first.
    c : float
        Inverse strength of the L2 penalty.
    seed : int
        Seed of the folds; the solver itself draws nothing.
    folds : int
        Folds of the out-of-fold predictions.
    """

    word_features: int = 25_000
    character_features: int = 60_000
    c: float = 30.0
    seed: int = 0
    folds: int = 5


def fit_tfidf(rows: Sequence[LabelledParagraph], topics: Sequence[str], settings: TfidfSettings) -> TfidfModel:
    """Fit the baseline on labelled paragraphs."""
    model = build_pipeline(settings)
    model.fit([normalise(row.text) for row in rows], label_matrix(rows, topics))
    return TfidfModel(model)


def tfidf_logits(model: TfidfModel, rows: Sequence[LabelledParagraph]) -> npt.NDArray[np.float64]:
    """Return the logits of rows, of shape (rows, topics)."""
    return model.logits([normalise(row.text) for row in rows])


def build_pipeline(settings: TfidfSettings) -> "Pipeline":
    """Build the unfitted pipeline."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import FeatureUnion, Pipeline

    words = TfidfVectorizer(
        ngram_range=(1, 2), sublinear_tf=True, max_features=settings.word_features, strip_accents="unicode"
    )
    characters = TfidfVectorizer(
        analyzer="char_wb",
        ngram_range=(3, 6),
        sublinear_tf=True,
        min_df=2,
        max_features=settings.character_features,
        strip_accents="unicode",
    )
    regression = LogisticRegression(C=settings.c, class_weight="balanced", max_iter=1000)
    return Pipeline(
        [
            ("features", FeatureUnion([("words", words), ("characters", characters)])),
            ("topics", OneVsRestClassifier(regression)),
        ]
    )


def save_tfidf(model: TfidfModel, folder: Path) -> None:
    """Write the pipeline as ``model.skops``."""
    from zipfile import ZIP_DEFLATED

    from skops import io

    io.dump(model.pipeline, folder / "model.skops", compression=ZIP_DEFLATED, compresslevel=9)
