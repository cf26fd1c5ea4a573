"""The fine-tune with the baseline beside it: their logits add up, and texts that the baseline is sure of end there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from veilleur.errors import VeilleurError

if TYPE_CHECKING:
    from veilleur.model.tagger import Model


@dataclass(frozen=True)
class Cascade:
    """When the baseline settles a text, and what stands in for the fine-tune there.

    Attributes
    ----------
    stand_in : tuple of float
        Logits of the fine-tune for a text without topics, in the order of the bundle's topics.
    below : tuple of float or None
        A text is settled if the baseline's logit of every topic is below that topic's limit; None settles no text.
    """

    stand_in: tuple[float, ...]
    below: tuple[float, ...] | None = None

    def settles(self, logits: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
        """Return which texts are settled, by the baseline's logits of shape (texts, topics)."""
        if self.below is None:
            return np.zeros(len(logits), dtype=bool)
        return np.asarray((logits < np.array(self.below)).all(axis=1))


class CascadeModel:
    """Gives the sum of the logits of baseline and fine-tune.

    The baseline knows which words go with a topic, the fine-tune what is said with them, and they err on different
    texts. Adding logits multiplies odds (G. Hinton, "Training products of experts by minimizing contrastive
    divergence", 2002). The baseline reads every text; of one that it is sure has no topic the fine-tune's logits are
    taken as those of any such text (P. Viola and M. Jones, "Rapid object detection using a boosted cascade of simple
    features", 2001).

    Parameters
    ----------
    baseline, fine_tune : Model
    cascade : Cascade

    Raises
    ------
    VeilleurError
        If the two have different numbers of topics.
    """

    def __init__(self, baseline: "Model", fine_tune: "Model", cascade: Cascade) -> None:
        if baseline.topics != fine_tune.topics:
            raise VeilleurError(
                f"a baseline of {baseline.topics} topics stands beside a fine-tune of {fine_tune.topics}: "
                "the bundle is damaged, get it again"
            )
        self.baseline = baseline
        self.fine_tune = fine_tune
        self.cascade = cascade

    @property
    def topics(self) -> int:
        """How many topics it gives logits of."""
        return self.fine_tune.topics

    def logits(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return uncalibrated logits of shape (texts, topics)."""
        known = self.baseline.logits(texts)
        unsettled = np.flatnonzero(~self.cascade.settles(known)).tolist()
        read = np.tile(np.array(self.cascade.stand_in, dtype=np.float64), (len(texts), 1))
        if unsettled:
            read[unsettled] = self.fine_tune.logits([texts[place] for place in unsettled])
        result: npt.NDArray[np.float64] = known + read
        return result

    def contributions(
        self, text: str, words: Sequence[tuple[int, int]]
    ) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
        """Return what each word adds to the logits, of shape (words, topics), and what none of them adds, (topics,)."""
        by_word, rest = self.baseline.contributions(text, words)
        if self.cascade.settles(self.baseline.logits([text]))[0]:
            return by_word, rest + np.array(self.cascade.stand_in)
        read_by_word, read_rest = self.fine_tune.contributions(text, words)
        return by_word + read_by_word, rest + read_rest
