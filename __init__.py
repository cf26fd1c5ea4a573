"""Veilleur: which of six security topics a French news bulletin is about, paragraph by paragraph.

Examples
--------
>>> import veilleur
>>> tagger = veilleur.load("tfidf")
>>> tagger.tag("La police a saisi 12 kg d'héroïne à la frontière.").topics
('drugs',)
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from veilleur.errors import VeilleurError
    from veilleur.model.result import BulletinTagging, SegmentTagging, Tagging
    from veilleur.model.tagger import Tagger, load

__all__ = ["BulletinTagging", "SegmentTagging", "Tagger", "Tagging", "VeilleurError", "load"]
__version__ = "0.1.0"

_HOMES = {
    "BulletinTagging": "veilleur.model.result",
    "SegmentTagging": "veilleur.model.result",
    "Tagger": "veilleur.model.tagger",
    "Tagging": "veilleur.model.result",
    "VeilleurError": "veilleur.errors",
    "load": "veilleur.model.tagger",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that ``import veilleur`` itself costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'veilleur' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
