"""Tagging inputs by text, by paragraph or by bulletin, as records ready to be written."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from veilleur.batch.inputs import Item, Unit
from veilleur.model.tagger import CHUNK, Tagger
from veilleur.seeds.reader import read_bulletin

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
        JSON types: ``source``, ``topics``, ``scores`` and what the unit adds, after the row's own columns; a column of
        the row that bears one of these names is passed on as ``input_<name>``.
    """
    stream = iter(items)
    while chunk := list(islice(stream, CHUNK)):
        units = [unit or ("text" if item.from_json else "paragraph") for item in chunk]
        texts = tagger.tag_many(item.text for item, one in zip(chunk, units, strict=True) if one == "text")
        for item, one in zip(chunk, units, strict=True):
            if one == "text":
                yield _record(item, {"text": item.text, **next(texts).to_dict()})
                continue
            bulletin = tagger.tag_bulletin(read_bulletin(item.text, slug=item.name))
            if one == "bulletin":
                yield _record(item, bulletin.to_dict())
            else:
                yield from (_record(item, segment.to_dict()) for segment in bulletin.segments)


def _record(item: Item, found: Record) -> Record:
    ours = {"source": item.source, **found}
    return {(f"input_{name}" if name in ours else name): value for name, value in item.columns.items()} | ours
