"""What a reader of figures should know of the labels that they rest on."""

from collections.abc import Sequence

from veilleur.labels.rows import LabelledParagraph

FEW = 20  # bulletins, below which a bootstrap over them says little
NAMED = 5  # rows that a notice names


def notices(rows: Sequence[LabelledParagraph], topics: Sequence[str]) -> list[str]:
    """Say what makes figures on these rows doubtful or undefined, and what to do about it."""
    found = []
    bulletins = len({row.bulletin for row in rows})
    count = f"{len(rows)} paragraph{'s' * (len(rows) > 1)}"
    if bulletins == 1:
        found.append(
            f"the labels hold {count} of one bulletin ({rows[0].id} is the first), so no interval or test can be "
            'given: add paragraphs of other bulletins, and name each row\'s by "bulletin"'
        )
    elif bulletins < FEW:
        found.append(f"the labels hold {count} of only {bulletins} bulletins, so intervals are rough: add bulletins")
    for topic in topics:
        positives = sum(topic in row.topics for row in rows)
        if positives in (0, len(rows)):
            which, verb, what = ("no", "have", "recall") if positives == 0 else ("every", "lack", "ROC-AUC")
            found.append(
                f"{which} paragraph has the topic {topic!r}, so its {what} is undefined: add paragraphs that {verb} it"
            )
    found += _repeated(rows)
    return found


def _repeated(rows: Sequence[LabelledParagraph]) -> list[str]:
    """Name rows whose text or id came before."""
    texts: dict[str, LabelledParagraph] = {}
    ids: set[str] = set()
    alike: list[str] = []
    contrary: list[str] = []
    named: list[str] = []
    for row in rows:
        first = texts.setdefault(" ".join(row.text.split()), row)
        if first is not row:
            (alike if set(first.topics) == set(row.topics) else contrary).append(f"{row.id} (as {first.id})")
        elif row.id in ids:
            named.append(row.id)
        ids.add(row.id)
    found = []
    for listed, what, mend in (
        (contrary, "repeat a text with other topics", "decide on one and delete the other"),
        (alike, "repeat a text, which counts twice", "delete the repetition"),
        (named, "bear the id of another", "give each its own"),
    ):
        if listed:
            more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
            found.append(f"rows that {what}: {', '.join(listed[:NAMED])}{more}: {mend}")
    return found
