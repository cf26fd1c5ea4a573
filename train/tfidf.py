"""The baseline: TF-IDF of words and characters with one linear model a topic."""

import re
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from veilleur.errors import VeilleurError
from veilleur.labels.rows import LabelledParagraph, label_matrix
from veilleur.model.ngrams import CHARACTER_SIZES, WORD_SIZES
from veilleur.model.tfidf import TfidfModel, plain
from veilleur.seeds.text import normalise

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

SMOOTHING = 0.3  # occurrences that each feature is granted in both kinds of text, so that none is unheard of
UNLEARNT = 7.0  # logit of a topic that every paragraph had: one in a thousand goes wrong
PIPELINE = "model.skops"  # the fitted pipeline in a bundle, for others to load
# What it may hold beyond skops' own safe defaults. Nothing else is loaded.
TRUSTED = [
    "sklearn.feature_extraction.text.TfidfTransformer",
    "sklearn.feature_extraction.text.TfidfVectorizer",
    "sklearn.linear_model._logistic.LogisticRegression",
    "sklearn.multiclass.OneVsRestClassifier",
    "sklearn.pipeline.FeatureUnion",
    "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._label.LabelBinarizer",
]


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


def fit_tfidf(rows: Sequence[LabelledParagraph], topics: Sequence[str], settings: TfidfSettings) -> "Pipeline":
    """Fit the baseline on labelled paragraphs; see `fit_pipeline`."""
    texts = [plain(normalise(row.text)) for row in rows]
    return fit_pipeline(build_pipeline(settings), texts, label_matrix(rows, topics))


def fit_pipeline(pipeline: "Pipeline", texts: Sequence[str], labels: npt.NDArray[np.int64]) -> "Pipeline":
    """Fit what `build_pipeline` gave; each topic's regression becomes the mean of two.

    One reads the features as they are, the other weighed by how much more often they stand in paragraphs with the topic
    than in others. They err differently, and the mean of two linear models is one linear model.

    Raises
    ------
    VeilleurError
        If no n-gram is left of so few or short texts.
    """
    features, topics = pipeline["features"], pipeline["topics"]
    try:
        values = features.fit_transform(texts).tocsr()
    except ValueError as error:
        raise VeilleurError(f"{len(texts)} paragraphs are too few or too short to learn from: label more") from error
    topics.fit(values, labels)
    for regression, positive in zip(topics.estimators_, labels.T, strict=True):
        if hasattr(regression, "coef_"):  # a topic that all or none of the paragraphs have needs no regression
            _average_with_log_counts(regression, values, positive)
    for _, vectorizer in features.transformer_list:
        if vectorizer == "drop":  # as scikit-learn names a part that is left out
            continue
        # As numpy integers, each entry would become a file of its own in the bundle.
        vectorizer.vocabulary_ = {term: int(column) for term, column in vectorizer.vocabulary_.items()}
        vars(vectorizer).pop("_stop_words_id", None)  # an address in this process, which scikit-learn does without
    return pipeline


def _average_with_log_counts(regression: Any, values: Any, positive: npt.NDArray[np.int64]) -> None:
    from sklearn.base import clone

    ratios = log_count_ratios(values, positive)
    weighed = clone(regression).fit(values.multiply(ratios).tocsr(), positive)
    # In the precision that inference keeps, so that the pipeline has the same scores, and half the size.
    regression.coef_ = ((regression.coef_ + weighed.coef_ * ratios) / 2).astype(np.float32)
    regression.intercept_ = (regression.intercept_ + weighed.intercept_) / 2


def log_count_ratios(values: Any, positive: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return how much more likely each feature is in positive texts than in others, as the log of the ratio.

    Source: S. Wang and C. Manning, "Baselines and bigrams: simple, good sentiment and topic classification", 2012.

    Parameters
    ----------
    values : sparse array of shape (texts, features)
        A feature counts once in each text that has it.
    positive : array of shape (texts,), 0 or 1

    Returns
    -------
    array of shape (features,)

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> log_count_ratios(csr_array([[1, 1, 0], [0, 1, 1]]), np.array([1, 0])).round(2).tolist()
    [1.47, 0.0, -1.47]
    """
    present = values.sign()
    inside, outside = (np.asarray(present[positive == side].sum(axis=0)).ravel() + SMOOTHING for side in (1, 0))
    ratios: npt.NDArray[np.float64] = np.log(inside / inside.sum()) - np.log(outside / outside.sum())
    return ratios


def tfidf_logits(pipeline: "Pipeline", rows: Sequence[LabelledParagraph]) -> npt.NDArray[np.float64]:
    """Return the logits of rows, of shape (rows, topics), as inference gives them."""
    return inference_model(pipeline).logits([normalise(row.text) for row in rows])


def inference_model(pipeline: "Pipeline") -> TfidfModel:
    """Return the model that gives the logits of a fitted pipeline's ``decision_function`` without scikit-learn.

    A topic that all or none of the paragraphs had, as may be in a fold, gets the logit `UNLEARNT` or its negative.
    """
    vectorizers = dict(pipeline["features"].transformer_list)
    topics = pipeline["topics"].estimators_
    idf = np.concatenate([vectorizer.idf_ for vectorizer in vectorizers.values()])
    weights = np.zeros((len(idf), len(topics)), dtype=np.float32)
    intercepts = np.zeros(len(topics))
    for topic, estimator in enumerate(topics):
        if hasattr(estimator, "coef_"):
            weights[:, topic] = estimator.coef_[0]
            intercepts[topic] = estimator.intercept_[0]
        else:  # scikit-learn's stand-in where all or none of the paragraphs had the topic: it predicts 1 or 0
            intercepts[topic] = UNLEARNT if estimator.predict(np.zeros((1, len(idf))))[0] else -UNLEARNT
    return TfidfModel(
        words=vectorizers["words"].get_feature_names_out().tolist(),
        characters=vectorizers["characters"].get_feature_names_out().tolist(),
        idf=idf,
        weights=weights,
        intercepts=intercepts,
    )


def build_pipeline(settings: TfidfSettings) -> "Pipeline":
    """Build the unfitted pipeline."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import FeatureUnion, Pipeline

    words = TfidfVectorizer(
        ngram_range=WORD_SIZES, sublinear_tf=True, max_features=settings.word_features, strip_accents="unicode"
    )
    characters = TfidfVectorizer(
        analyzer="char_wb",
        ngram_range=CHARACTER_SIZES,
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


def save_tfidf(pipeline: "Pipeline", path: Path) -> None:
    """Write what inference reads to `path`, and the pipeline beside it, the same bytes for the same pipeline."""
    inference_model(pipeline).save(path)
    _save_pipeline(pipeline, path.with_name(PIPELINE))


def _save_pipeline(pipeline: "Pipeline", path: Path) -> None:
    """Write a skops file.

    skops names things by their addresses in memory and zip dates its entries; here both are numbered and dated alike.
    """
    from skops import io

    with zipfile.ZipFile(BytesIO(io.dumps(pipeline))) as drafted:
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


def load_pipeline(path: Path) -> "Pipeline":
    """Read a skops file of a baseline, refusing any type that is not listed in `TRUSTED`.

    Raises
    ------
    VeilleurError
        If the file is no skops file or holds another type.
    """
    with _without_torch():
        from skops import io
        from skops.io.exceptions import UntrustedTypesFoundException

    if not zipfile.is_zipfile(path):
        raise VeilleurError(f"{path} is not a skops file (a pickle is never loaded): get the bundle again")
    try:
        return io.load(path, trusted=TRUSTED)
    except UntrustedTypesFoundException as error:
        raise VeilleurError(f"{path} holds types that a bundle may not: {error}") from error
    except Exception as error:  # skops has no other error class of its own
        raise VeilleurError(f"{path} cannot be loaded ({error}): get the bundle again") from error


@contextmanager
def _without_torch() -> Iterator[None]:
    """Keep the import of skops from importing torch.

    skops walks all modules of scikit-learn, one of which imports torch where that is installed; a module that stands
    as None cannot be imported, and the walk goes on.
    """
    name = "sklearn.externals.array_api_compat.torch"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
