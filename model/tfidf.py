"""The baseline at inference: a scikit-learn pipeline persisted with skops."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from veilleur.errors import VeilleurError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import Pipeline

# What a baseline bundle may hold beyond skops' own safe defaults. Nothing else is loaded.
TRUSTED = [
    "sklearn.feature_extraction.text.TfidfTransformer",
    "sklearn.feature_extraction.text.TfidfVectorizer",
    "sklearn.linear_model._logistic.LogisticRegression",
    "sklearn.multiclass.OneVsRestClassifier",
    "sklearn.pipeline.FeatureUnion",
    "sklearn.pipeline.Pipeline",
    "sklearn.preprocessing._label.LabelBinarizer",
]


class TfidfModel:
    """A fitted TF-IDF pipeline that gives one logit a topic.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Fitted; its ``decision_function`` gives an array of shape (texts, topics).
    """

    def __init__(self, pipeline: "Pipeline") -> None:
        self.pipeline = pipeline

    @classmethod
    def load(cls, path: Path) -> "TfidfModel":
        """Read a skops file, refusing any type that is not listed in `TRUSTED`.

        Raises
        ------
        VeilleurError
            If the file is no skops file or holds another type.
        """
        from zipfile import is_zipfile

        with _without_torch():
            from skops import io
            from skops.io.exceptions import UntrustedTypesFoundException

        if not is_zipfile(path):
            raise VeilleurError(f"{path} is not a skops file (a pickle is never loaded): get the bundle again")
        try:
            return cls(io.load(path, trusted=TRUSTED))
        except UntrustedTypesFoundException as error:
            raise VeilleurError(f"{path} holds types that a bundle may not: {error}") from error
        except Exception as error:  # skops has no other error class of its own
            raise VeilleurError(f"{path} cannot be loaded ({error}): get the bundle again") from error

    @property
    def topics(self) -> int:
        """How many topics it gives logits of."""
        return len(self.pipeline.steps[-1][1].estimators_)

    def logits(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return uncalibrated logits of shape (texts, topics)."""
        values = np.asarray(self.pipeline.decision_function([plain(text) for text in texts]), dtype=np.float64)
        return values.reshape(len(texts), -1)

    def contributions(
        self, text: str, words: Sequence[tuple[int, int]]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return what each word adds to the logits, of shape (words, topics), and the intercepts, of shape (topics,).

        An n-gram that occurs several times adds the same each time; one of two words adds half to each.
        """
        features, classifier = self.pipeline["features"], self.pipeline["topics"]
        values = features.transform([plain(text)]).toarray()[0]
        weights = np.vstack([estimator.coef_ for estimator in classifier.estimators_]).T  # (features, topics)
        intercepts = np.array([float(estimator.intercept_[0]) for estimator in classifier.estimators_])
        result = np.zeros((len(words), len(intercepts)))
        start = 0
        for _, vectorizer in features.transformer_list:
            shares = _shares(vectorizer, [plain(text[first:last]) for first, last in words])
            stop = start + shares.shape[1]
            result += shares @ (values[start:stop, None] * weights[start:stop])
            start = stop
        return result, intercepts


def _shares(vectorizer: "TfidfVectorizer", words: Sequence[str]) -> "csr_matrix":
    """Return which share of each feature's occurrences stands in each word, of shape (words, features)."""
    from scipy.sparse import coo_matrix

    vocabulary = vectorizer.vocabulary_
    prepared = [vectorizer.build_preprocessor()(word) for word in words]
    if vectorizer.analyzer == "char_wb":  # these n-grams never cross a space, so each word is analysed by itself
        analyse = vectorizer.build_analyzer()
        found = [(vocabulary.get(gram), (place,)) for place, word in enumerate(words) for gram in analyse(word)]
    else:
        tokenize = vectorizer.build_tokenizer()
        tokens = [(token, place) for place, word in enumerate(prepared) for token in tokenize(word)]
        lowest, highest = vectorizer.ngram_range
        found = []
        for size in range(lowest, highest + 1):
            for first in range(len(tokens) - size + 1):
                gram = tokens[first : first + size]
                term = " ".join(token for token, _ in gram)
                found.append((vocabulary.get(term), tuple(place for _, place in gram)))
    entries = [(place, column, 1 / len(places)) for column, places in found if column is not None for place in places]
    rows, columns, parts = zip(*entries, strict=True) if entries else ((), (), ())
    shares = coo_matrix((parts, (rows, columns)), shape=(len(words), len(vocabulary)), dtype=np.float64).tocsc()
    occurrences = np.asarray(shares.sum(axis=0))[0]
    return shares.multiply(1 / np.where(occurrences > 0, occurrences, 1)).tocsr()


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


def plain(text: str) -> str:
    """Write curly apostrophes straight, so that both typographies give the same n-grams."""
    return text.replace("’", "'")
