"""Tagging inputs by text, paragraph, topic or bulletin, as records ready to be written."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from veilleur.batch.chunks import Chunk, Position
from veilleur.batch.inputs import Item, Reject
from veilleur.batch.outputs import Encoder, beside
from veilleur.model.result import BulletinTagging
from veilleur.model.tagger import CHUNK, Tagger
from veilleur.seeds.reader import read_bulletin

Unit = Literal["bulletin", "paragraph", "topic", "text"]
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TaggedChunk:
    """A chunk's results, encoded.

    Attributes
    ----------
    data : bytes
        A part of the output.
    rejects : tuple of Reject
        Inputs that could not be read or tagged.
    inputs, records : int
        How many inputs were tagged, and how many records that gave.
    end, bytes
        Those of the chunk.
    digest : str
        Of all chunks up to this one, where an input is a stream.
    """

    data: bytes
    rejects: tuple[Reject, ...]
    inputs: int
    records: int
    end: Position
    bytes: int
    digest: str = ""


def tag_items(tagger: Tagger, items: Iterable[Item], unit: Unit | None = None) -> Iterator[Record]:
    """Tag inputs in order.

    Parameters
    ----------
    tagger : Tagger
    items : iterable of Item
    unit : {"bulletin", "paragraph", "topic", "text"}, optional
        One record for each bulletin, for each paragraph of it, for each topic that it has, or for each input as it is.
        By default rows are texts and files are bulletins, given by paragraph.

    Yields
    ------
    dict
        ``source``, ``topics``, ``scores`` and what the unit adds, after the row's own columns; a column of the row
        that bears one of these names and says something else is passed on as ``input_<name>``.
    """
    stream = iter(items)
    while chunk := list(islice(stream, CHUNK)):
        yield from _records(tagger, chunk, unit)


def tag_chunk(tagger: Tagger, chunk: Chunk, unit: Unit | None, encoder: Encoder) -> TaggedChunk:
    """Tag a chunk and encode the records; an input that the model fails on becomes a reject."""
    items: Sequence[Item] = chunk.items
    rejects = list(chunk.rejects)
    try:
        records = _records(tagger, items, unit)
    except Exception:  # runtimes raise bare exceptions; one by one shows which text is the cause
        records = []
        for item in items:
            try:
                records += _records(tagger, [item], unit)
            except Exception as error:
                raw = item.text.encode("utf-8", "backslashreplace")
                rejects.append(Reject(item.file, item.line, f"cannot be tagged ({error})", raw))
    schemas = {id(item.schema): item.schema for item in items if item.schema is not None}
    return TaggedChunk(
        data=encoder.encode(records, schemas.values()),
        rejects=tuple(rejects),
        inputs=len(items) + len(chunk.rejects) - len(rejects),
        records=len(records),
        end=chunk.end,
        bytes=chunk.bytes,
    )


def _records(tagger: Tagger, items: Sequence[Item], unit: Unit | None) -> list[Record]:
    """Tag the texts of all items at once, so that the model's processors are never short of them."""
    units = [unit or ("text" if item.is_row else "paragraph") for item in items]
    bulletins = [
        None if one == "text" else read_bulletin(item.text, slug=item.name, metadata=_metadata(item))
        for item, one in zip(items, units, strict=True)
    ]
    texts = (
        text
        for item, bulletin in zip(items, bulletins, strict=True)
        for text in ([item.text] if bulletin is None else (segment.text for segment in bulletin.readable))
    )
    taggings = tagger.tag_many(texts)
    records: list[Record] = []
    for item, bulletin, one in zip(items, bulletins, units, strict=True):
        if bulletin is None:
            records.append(_record(item, {"text": item.text, **next(taggings).to_dict()}))
            continue
        found = tagger.gather(bulletin, islice(taggings, len(bulletin.readable)))
        records += (_record(item, record) for record in _by_unit(found, one))
    return records


def _by_unit(found: BulletinTagging, unit: Unit) -> Iterator[Record]:
    if unit == "bulletin":
        yield found.to_dict()
    elif unit == "paragraph":
        yield from (segment.to_dict() for segment in found.segments)
    else:
        for topic, carriers in found.carriers.items():
            scores = [segment.tagging.scores[topic] for segment in found.segments if segment.id in carriers]
            yield {
                "slug": found.slug,
                "title": found.title,
                "date": found.date,
                "topic": topic,
                "score": round(max(scores), 6),
                "paragraphs": list(carriers),
            }


def _metadata(item: Item) -> dict[str, str]:
    return {name: value for name, value in (("title", item.title), ("date", item.date)) if value is not None}


def _record(item: Item, found: Record) -> Record:
    ours = {"source": item.source, **found}
    return beside(item.columns, ours) | ours
