"""The borders that the guide draws, and the composed paragraphs that meet each from either side.

A border is where a topic ends: "smuggling of migrants is both, irregular immigration alone is migration". For each of
them the corpus must hold paragraphs on this side (the topic is there) and on that (it looks like it, but is not).
Which paragraph was written to meet which border is kept in ``borders.jsonl``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from veilleur.labels.rows import LabelledParagraph

BORDERS = (
    "smuggling",
    "exit",
    "unnamed",
    "fraud",
    "ordinary-migration",
    "disaster",
    "sea",
    "medicine",
    "privacy",
    "minors",
    "human-traffic",
    "wildlife",
    "fire",
    "passing",
    "bodies",
    "sea-environment",
    "headline",
    "metaphor",
)


@dataclass(frozen=True, slots=True)
class Meeting:
    """A paragraph that meets a border from one side, ``+`` or ``-``."""

    id: str
    border: str
    side: str


def meetings() -> list[Meeting]:
    """Read which composed paragraphs meet which border."""
    lines = files("veilleur.labels").joinpath("borders.jsonl").read_text(encoding="utf-8").splitlines()
    return [Meeting(**json.loads(line)) for line in lines]


def border_counts(rows: Sequence[LabelledParagraph]) -> Mapping[str, tuple[int, int]]:
    """Count the paragraphs among `rows` that meet each border, from this side and from that.

    Returns
    -------
    mapping of str to (int, int)
    """
    known = {row.id for row in rows}
    counts = {border: [0, 0] for border in BORDERS}
    for meeting in meetings():
        if meeting.id in known:
            counts[meeting.border]["+-".index(meeting.side)] += 1
    return {border: (here, there) for border, (here, there) in counts.items()}
