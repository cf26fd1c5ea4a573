"""Conditions that a model must meet, for a pipeline that goes on only if it does."""

import operator
import re
from dataclasses import dataclass

from veilleur.errors import VeilleurError
from veilleur.evaluate.comparison import Comparison
from veilleur.evaluate.metrics import Scores

_SIGNS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_REQUIREMENT = re.compile(r"\s*([^\s<>=]+)\s*(>=|<=|>|<)\s*([0-9]*\.?[0-9]+)\s*")


@dataclass(frozen=True)
class Gate:
    """A condition, whether it held, and why in a sentence."""

    condition: str
    held: bool
    sentence: str


@dataclass(frozen=True)
class Requirement:
    """A figure and the bound that it must keep."""

    figure: str
    sign: str
    bound: float

    def __str__(self) -> str:
        """Give it as it is written, as ``macro_f1>=0.85``."""
        return f"{self.figure}{self.sign}{self.bound:g}"

    def check(self, model: str, scores: Scores) -> Gate:
        """Hold a model's scores against the bound; an undefined figure does not keep it.

        Raises
        ------
        VeilleurError
            If there is no such figure.
        """
        value = scores.figure(self.figure)
        if value is None:
            return Gate(str(self), False, f"{self.figure} of {model} is undefined on these labels")
        held = bool(_SIGNS[self.sign](value, self.bound))
        return Gate(str(self), held, f"{self.figure} of {model} is {value:.4f}")


def requirement(text: str) -> Requirement:
    """Read a requirement.

    Raises
    ------
    VeilleurError
        If it is not a figure, a sign and a number.

    Examples
    --------
    >>> requirement("drugs.recall >= 0.9")
    Requirement(figure='drugs.recall', sign='>=', bound=0.9)
    """
    found = _REQUIREMENT.fullmatch(text)
    if not found:
        raise VeilleurError(f"{text!r} is no requirement: write a figure, a sign and a number, as macro_f1>=0.85")
    return Requirement(found[1], found[2], float(found[3]))


def no_worse(model: str, other: str, comparisons: list[Comparison]) -> Gate:
    """Check that no test shows a model to be worse than another."""
    (found,) = (one for one in comparisons if {one.first, one.second} == {model, other})
    worse = found.first == other and found.overall.told_apart
    return Gate(f"no worse than {other}", not worse, found.sentence.removesuffix("."))
