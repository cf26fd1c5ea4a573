"""The baseline: TF-IDF of words and characters with one logistic regression a topic."""

import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from veilleur.labels.rows import LabelledParagraph, label_matrix
from veilleur.model.tfidf import TfidfModel, plain
from veilleur.seeds.text import normalise

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
    c: float = 10.0
    seed: int = 0
    folds: int = 5


def fit_tfidf(rows: Sequence[LabelledParagraph], topics: Sequence[str], settings: TfidfSettings) -> TfidfModel:
    """Fit the baseline on labelled paragraphs."""
    model = build_pipeline(settings)
    model.fit([plain(normalise(row.text)) for row in rows], label_matrix(rows, topics))
    for _, vectorizer in model["features"].transformer_list:
        # As numpy integers, each entry would become a file of its own in the bundle.
        vectorizer.vocabulary_ = {term: int(column) for term, column in vectorizer.vocabulary_.items()}
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


def save_tfidf(model: TfidfModel, path: Path) -> None:
    """Write the pipeline as a skops file, the same bytes for the same model.

    skops names things by their addresses in memory and zip dates its entries; here both are numbered and dated alike.
    """
    from skops import io

    with zipfile.ZipFile(BytesIO(io.dumps(model.pipeline))) as drafted:
        schema = drafted.read("schema.json").decode()
        numbers: dict[str, str] = {}

        def numbered(found: re.Match[str]) -> str:
            return found[1] + numbers.setdefault(found[2], str(len(numbers) + 1))

        schema = re.sub(r'("__id__": |"file": ")(\d+)', numbered, schema)
        with zipfile.ZipFile(path, "w") as settled:
            for name in sorted(drafted.namelist(), key=lambda name: int(numbers.get(name.split(".")[0], 0))):
                number, dot, ending = name.partition(".")
                entry = zipfile.ZipInfo(numbers.get(number, number) + dot + ending)  # dated 1980
                content = schema if name == "schema.json" else drafted.read(name)
                settled.writestr(entry, content, zipfile.ZIP_DEFLATED, 9)
