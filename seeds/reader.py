"""The reader that turns a raw bulletin into typed segments with stable ids.

A bulletin is read line by line. What stands before the first paragraph is its head (date, title); what
stands after ``Voir plus`` is teasers of other articles, kept apart in `Bulletin.related`. A text that
repeats an earlier one verbatim, its dateline aside, is dropped; nothing else is.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal

from veilleur.errors import VeilleurError
from veilleur.seeds.text import decode, normalise

SegmentKind = Literal["title", "date", "paragraph", "caption", "link", "byline", "menu"]

READABLE: frozenset[SegmentKind] = frozenset({"title", "paragraph", "caption", "link", "byline"})
SUFFIXES = (".md", ".txt")
SLUG_LENGTH = 60
TITLE_LENGTH = 160
CAPTION_LENGTH = 400

_AGENCY = r"(?:VNA|CVN|AFP|AP|APS|ATS|Belga|BELGA|MAP|TAP|AIB|APA|PANA|Reuters|Xinhua|ONU Info)"
_AGENCIES = rf"{_AGENCY}(?:\s?/\s?{_AGENCY})*"
_BYLINE = re.compile(rf"[-–—(]*\s*{_AGENCIES}\s*[.)]?")
_TRAILING_BYLINE = re.compile(rf"(?P<text>.*[.!?…»”\"])\s*(?P<byline>[-–—]\s*{_AGENCIES}\.?)")
_CAPTION = re.compile(r"(?:.*[\s.,(–-])?\(?(?:(?:Photos?|Image|Illustration|Infographie|Vidéo)\s?:\s?\S|©).{0,60}")
_LINK = re.compile(r">>")
_RELATED_MENU = "voir plus"
_MENUS = frozenset({_RELATED_MENU, "voir aussi", "lire aussi", "à lire aussi", "partager", "imprimer"})
_ISO = r"(?P<iso>(?:19|20)\d{2}-(?:0[1-9]|1[0-2])(?:-\d{2})?)(?!\d)"
_ISO_TIME = r"(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:?\d{2})?)?"
_GLUED_DATE = re.compile(rf"(?P<date>(?:date\s*:?\s*)?{_ISO}){_ISO_TIME}[\s:–—-]*(?P<rest>.*)", re.IGNORECASE)
_MONTH = r"(?:janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre)"
_WRITTEN_DATE = re.compile(
    r"(?:(?:date|publié|mis à jour)\s?:?\s)?(?:le\s?:?\s)?(?:\w+di,? |dimanche,? )?"
    rf"(?:\d{{1,2}}(?:er)? {_MONTH} \d{{4}}|\d{{1,2}}[/.-]\d{{1,2}}[/.-]\d{{4}})"
    r"(?:[\s,]+(?:à\s)?\d{1,2}\s?[h:]\s?(?:\d{2})?(?::\d{2})?)?",
    re.IGNORECASE,
)
_DATELINE = re.compile(r"[^\W\d_][^.()]{1,60} \([A-Z][\w/ ]{1,20}\)\s?[-–—:]+\s?")
_UNFINISHED_OR_SENTENCE = re.compile(r"[.…:;,][\"'’»”)\]\s]*$")
_BULLET = re.compile(r"[-–—•*]\s")
_ENDS_SENTENCE = re.compile(r"[.!?…:;][\"'’»”)\]\s]*$")
_FRONT_MATTER_LINE = re.compile(r"(?P<key>[A-Za-z_][\w-]*)\s*:(?:\s+(?P<value>.*))?")
_FOLDED = str.maketrans(
    {"đ": "d", "Đ": "D", "œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "ø": "o", "ł": "l", "ß": "ss", "’": "-"}
)

_Piece = tuple[SegmentKind, str]


@dataclass(frozen=True, slots=True)
class Segment:
    """One piece of a bulletin.

    Attributes
    ----------
    id : str
        Bulletin, position and a hash of the text: ``vietnam-inde-2024-12.003.5f1c09aa``.
    kind : SegmentKind
        What the piece is.
    text : str
        Its text in normal form (`veilleur.seeds.text.normalise`).
    """

    id: str
    kind: SegmentKind
    text: str


@dataclass(frozen=True, slots=True)
class Bulletin:
    """One news item.

    Attributes
    ----------
    slug : str
        Its name, the first part of each segment's id.
    segments : tuple of Segment
        Its pieces in reading order.
    related : tuple of Bulletin
        Teasers of other articles that came with it.
    metadata : mapping of str to str
        The front matter.
    """

    slug: str
    segments: tuple[Segment, ...]
    related: tuple["Bulletin", ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def title(self) -> str | None:
        """The title in the text, else the front matter's, else None."""
        for segment in self.segments:
            if segment.kind == "title":
                return segment.text
        return self.metadata.get("title")

    @property
    def date(self) -> str | None:
        """The front matter's date, else the one in the text (ISO where it is, else as given), else None."""
        if date := self.metadata.get("date"):
            return date
        for segment in self.segments:
            if segment.kind == "date":
                found = re.search(_ISO, segment.text)
                return found["iso"] if found else segment.text
        return None

    @property
    def readable(self) -> tuple[Segment, ...]:
        """The segments that are labelled and tagged: all but dates and menu words."""
        return tuple(segment for segment in self.segments if segment.kind in READABLE)


def read_bulletin(raw: str | bytes, *, slug: str | None = None, metadata: Mapping[str, str] | None = None) -> Bulletin:
    r"""Read a raw bulletin, with or without front matter.

    Parameters
    ----------
    raw : str or bytes
        The bulletin as it came.
    slug : str, optional
        Its name; made from the title or the first text when not given.
    metadata : mapping of str to str, optional
        What is known of it from elsewhere, such as its title and date; its own front matter goes before that.

    Examples
    --------
    >>> bulletin = read_bulletin(" date 2024-12 Saisie à Hanoï\n\nLa police a saisi 3 kg d'héroïne. -VNA")
    >>> [(segment.kind, segment.text) for segment in bulletin.segments][:2]
    [('date', 'date 2024-12'), ('title', 'Saisie à Hanoï')]
    >>> bulletin.slug, bulletin.date
    ('saisie-a-hanoi', '2024-12')
    """
    text = decode(raw) if isinstance(raw, bytes) else raw.removeprefix("\ufeff")
    front_matter, body = _front_matter(text)
    metadata = {**(metadata or {}), **front_matter}
    own_lines, related_lines = _parted(_lines(body))
    # A title that we gave to an article without one describes the text but is none of it.
    title = "" if "title_by" in metadata else normalise(metadata.get("title", ""))
    pieces = _body(own_lines, title)
    if title and not any(kind == "title" for kind, _ in pieces):
        pieces.insert(0, ("title", title))
    pieces = _without_repeats(pieces)
    name = slug or slugify(_name(pieces))
    inherited = {key: value for key, value in metadata.items() if key not in {"title", "title_by", "date"}}
    related = tuple(
        Bulletin(item_slug, _identified(item_slug, item), metadata={**inherited, "parent": name})
        for number, item in enumerate(_related(related_lines), start=1)
        for item_slug in [f"{name}-rel-{number}"]
    )
    return Bulletin(name, _identified(name, pieces), related, metadata)


def read_bulletin_file(path: str | Path) -> Bulletin:
    """Read one file; the bulletin is named after it."""
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise VeilleurError(f"{path}: cannot be read ({reason}): give a bulletin's text file.") from error
    return read_bulletin(raw, slug=slugify(path.stem))


def read_folder(path: str | Path) -> list[Bulletin]:
    """Read all ``.md`` and ``.txt`` files of a folder, sorted by name.

    Where two files would bear one name (``a.md`` and ``a.txt``), the later ones get a number.
    """
    path = Path(path)
    if not path.is_dir():
        raise VeilleurError(f"{path}: is not a folder: give one that holds .md or .txt bulletins.")
    names: set[str] = set()
    bulletins = []
    for file in sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES):
        bulletin = read_bulletin_file(file)
        if bulletin.slug in names:
            number = next(n for n in range(2, len(names) + 3) if f"{bulletin.slug}-{n}" not in names)
            bulletin = read_bulletin(file.read_bytes(), slug=f"{bulletin.slug}-{number}")
        names.add(bulletin.slug)
        bulletins.append(bulletin)
    return bulletins


def slugify(text: str) -> str:
    """Make a name of ASCII letters, digits and hyphens, at most 60 long.

    Examples
    --------
    >>> slugify("L'Œuvre de Đà Nẵng : sûreté"), slugify("…")
    ('l-oeuvre-de-da-nang-surete', 'bulletin')
    """
    folded = unicodedata.normalize("NFKD", text.translate(_FOLDED)).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", folded).strip("-")
    if len(slug) > SLUG_LENGTH:
        slug = slug[: SLUG_LENGTH + 1].rpartition("-")[0] or slug[:SLUG_LENGTH]
    return slug or "bulletin"


def without_dateline(text: str) -> str:
    """Drop a leading dateline such as ``Hanoï (VNA) -``.

    Examples
    --------
    >>> without_dateline("Paris, 5 novembre (VNA) – Le ministre arrive.")
    'Le ministre arrive.'
    """
    return text[found.end() :] if (found := _DATELINE.match(text)) else text


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    """Split flat ``key: value`` front matter from the body; anything else between ``---`` is body."""
    lines = text.splitlines(keepends=True)
    if not lines or lines[0].strip() != "---":
        return {}, text
    metadata: dict[str, str] = {}
    for number, line in enumerate(lines[1:], start=2):
        stripped = line.strip()
        if stripped == "---":
            return metadata, "".join(lines[number:])
        found = _FRONT_MATTER_LINE.fullmatch(stripped)
        if stripped and not found:
            break
        if found:
            value = (found["value"] or "").strip()
            if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
                value = value[1:-1]
            metadata[found["key"]] = value
    return {}, text


def _lines(body: str) -> list[str]:
    """Give the non-blank lines in normal form; the lines of a hard-wrapped paragraph come as one."""
    blocks: list[list[str]] = [[]]
    for line in map(normalise, body.splitlines()):
        if line:
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    blocks = [block for block in blocks if block]
    if len(blocks) == 1:  # no blank lines at all: every line is a paragraph
        return blocks[0]
    return [line for block in blocks for line in ([" ".join(block)] if _is_wrapped(block) else block)]


def _is_wrapped(block: Sequence[str]) -> bool:
    """Tell whether the lines look like one paragraph broken at a fixed width, in mid-sentence."""
    return (
        len(block) > 1
        and all(40 <= len(line) <= 120 for line in block[:-1])
        and all(_mark(line) is None for line in block)
        and not any(_BULLET.match(line) for line in block[1:])
        and any(not _ENDS_SENTENCE.search(line) and following[0].islower() for line, following in pairwise(block))
    )


def _parted(lines: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Part a bulletin's own lines (the menu word included) from those of its related items."""
    for position, line in enumerate(lines):
        if position and line.casefold().rstrip(" :.>»›…") == _RELATED_MENU:
            return lines[: position + 1], lines[position + 1 :]
    return lines, ()


def _mark(line: str) -> SegmentKind | None:
    """Give the kind of a line that shows it by its form, wherever it stands."""
    if _LINK.match(line):
        return "link"
    if _BYLINE.fullmatch(line):
        return "byline"
    if line.casefold().rstrip(" :.>»›…") in _MENUS:
        return "menu"
    if len(line) <= CAPTION_LENGTH and _CAPTION.fullmatch(line):
        return "caption"
    return None


def _body(lines: Sequence[str], title: str) -> list[_Piece]:
    """Give each line its kind; `title` is the front matter's, or empty."""
    pieces: list[_Piece] = []
    in_head, has_title = True, False  # the head ends with the first paragraph
    for position, line in enumerate(lines):
        if in_head and _WRITTEN_DATE.fullmatch(line):
            pieces.append(("date", line))
            continue
        if in_head and (found := _GLUED_DATE.fullmatch(line)) and not found["rest"][:1].islower():
            pieces.append(("date", found["date"]))
            line = found["rest"]
            if not line:
                continue
        if kind := _mark(line):
            pieces.append((kind, line))
        elif in_head and not has_title and _is_title(line, title, is_last=position == len(lines) - 1):
            pieces.append(("title", line))
            has_title = True
        else:
            pieces.extend(_paragraph(line))
            in_head = False
    return pieces


def _is_title(line: str, title: str, *, is_last: bool) -> bool:
    """Tell whether a line of the head is the title; the front matter's decides where there is one."""
    return _alike(line, title) if title else not is_last and _is_title_like(line)


def _paragraph(line: str) -> Iterable[_Piece]:
    """Give a paragraph, its trailing byline (``… des deux pays. -VNA``) apart."""
    if found := _TRAILING_BYLINE.fullmatch(line):
        return [("paragraph", found["text"]), ("byline", found["byline"])]
    return [("paragraph", line)]


def _is_title_like(line: str) -> bool:
    return (
        len(line) <= TITLE_LENGTH
        and not _UNFINISHED_OR_SENTENCE.search(line)
        and not _DATELINE.match(line)
        and not _TRAILING_BYLINE.fullmatch(line)
    )


def _alike(line: str, title: str) -> bool:
    """Compare two titles, blind to case, the apostrophe's form and a final full stop."""
    first, second = (text.replace("’", "'").rstrip(" .").casefold() for text in (line, title))
    return first == second


def _related(lines: Sequence[str]) -> list[list[_Piece]]:
    """Group the lines after the menu word into items: a caption or none, a title, a teaser."""
    items: list[list[_Piece]] = []
    for line in lines:
        kind = _mark(line) or ("title" if _is_title_like(line) else "paragraph")
        current = items[-1] if items else []
        seen = {seen_kind for seen_kind, _ in current}
        is_new = all(line != text for _, text in current) and (
            (kind == "title" and not seen.isdisjoint({"title", "paragraph"}))
            or (kind == "caption" and ("paragraph" in seen or {"title", "caption"} <= seen))
        )
        if is_new or not items:
            items.append([])
        items[-1].extend(_paragraph(line) if kind == "paragraph" else [(kind, line)])
    return [_without_repeats(item) for item in items]


def _without_repeats(pieces: Iterable[_Piece]) -> list[_Piece]:
    """Keep the first of the pieces whose texts are the same, the dateline of one of them aside."""
    kept: list[_Piece] = []
    whole: set[str] = set()
    bare: set[str] = set()
    for kind, text in pieces:
        body = without_dateline(text) or text
        # Two datelines make two texts: "Rouen (Normandie) : un mort" does not repeat "Le Havre (Normandie) : un mort".
        if text in whole or body in whole or text in bare:
            continue
        kept.append((kind, text))
        whole.add(text)
        bare.add(body)
    return kept


def _name(pieces: Sequence[_Piece]) -> str:
    """Choose the text that a bulletin without a given name is named after."""
    by_kind = dict(reversed(pieces))
    return by_kind.get("title") or by_kind.get("paragraph") or next((text for _, text in pieces), "")


def _identified(slug: str, pieces: Iterable[_Piece]) -> tuple[Segment, ...]:
    return tuple(
        Segment(f"{slug}.{position:03d}.{hashlib.sha256(text.encode()).hexdigest()[:8]}", kind, text)
        for position, (kind, text) in enumerate(pieces)
    )
