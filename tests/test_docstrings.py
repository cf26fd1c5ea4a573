"""The examples in the docstrings run."""

import doctest
import importlib
from pathlib import Path

import pytest

import veilleur

ROOT = Path(veilleur.__file__).parent
PACKAGES = ("batch", "evaluate", "labels", "model", "seeds", "train")
MODULES = [
    "veilleur",
    *(f"veilleur.{path.parent.name}.{path.stem}" for name in PACKAGES for path in ROOT.glob(f"{name}/*.py")),
]


@pytest.mark.parametrize("name", sorted(MODULES))
def test_examples_run(name: str) -> None:
    module = importlib.import_module(name.removesuffix(".__init__"))
    assert doctest.testmod(module).failed == 0
