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
