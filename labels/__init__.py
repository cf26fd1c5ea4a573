"""The six topics, the guide, the hand labels, and all that checks, exchanges and measures labels."""

from veilleur.labels.rows import LabelledParagraph, read_rows, shipped_rows, training_hash
from veilleur.labels.topics import Topic, TopicSet, read_topics

__all__ = [
    "LabelledParagraph",
    "Topic",
    "TopicSet",
    "read_rows",
    "read_topics",
    "shipped_rows",
    "training_hash",
]
