"""Tagging inputs by text, by paragraph or by bulletin, as records ready to be written."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from veilleur.batch.inputs import Item, Unit
from veilleur.model.tagger import CHUNK, Tagger

Record = dict[str, Any]


def tag_items(tagger: Tagger, items: Iterable[Item], unit: Unit | None = None) -> Iterator[Record]:
    """Tag inputs in order.

    Parameters
    ----------
    tagger : Tagger
    items : iterable of Item
    unit : {"text", "paragraph", "bulletin"}, optional
        One record for each input as it is, for each paragraph of a bulletin, or for each bulletin. By default rows of
        JSON Lines are texts and files are bulletins, given by paragraph.

    Yields
    ------
    dict
        JSON types: the row's own columns, ``source``, ``topics``, ``scores``, and what the unit adds.
    """
    stream = iter(items)
    while chunk := list(islice(stream, CHUNK)):
        units = [unit or ("text" if item.from_json else "paragraph") for item in chunk]
        texts = tagger.tag_many(item.text for item, one in zip(chunk, units, strict=True) if one == "text")
        for item, one in zip(chunk, units, strict=True):
            origin = {**item.columns, "source": item.source}
            if one == "text":
                yield {**origin, "text": item.text, **next(texts).to_dict()}
                continue
            bulletin = tagger.tag_bulletin(item.text)
            if one == "bulletin":
                yield {**origin, **bulletin.to_dict()}
            else:
                for segment in bulletin.segments:
                    yield {**origin, **segment.to_dict()}
