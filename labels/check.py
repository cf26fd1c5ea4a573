"""The check that label files fit the seeds, the topics and each other."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from veilleur.labels.files import (
    PASSES,
    SETS,
    LabelFile,
    LabelLine,
    Problem,
    file_name,
    scan_label_file,
    segments_by_id,
    set_bulletins,
    shipped_folder,
)
from veilleur.labels.topics import read_topics
from veilleur.seeds import Bulletin, Segment

__all__ = ["Problem", "check"]


def check(paths: Sequence[Path] | None = None) -> list[Problem]:
    """Find what is wrong with label files.

    Parameters
    ----------
    paths : sequence of Path, optional
        The files; without them, all that come with the package, and then a set must have all three.

    Returns
    -------
    list of Problem
        In the order of files and lines; empty when all is well.

    Raises
    ------
    VeilleurError
        Where a file cannot be read at all.
    """
    problems: list[Problem] = []
    if paths is None:
        paths, problems = _shipped()
    labels = [scan_label_file(Path(path)) for path in paths]
    for one in labels:
        problems.extend(one.problems)
        problems.extend(_check_lines(one))
    problems.extend(_check_passes(labels))
    order = {Path(path): position for position, path in enumerate(paths)}
    return sorted(problems, key=lambda problem: (order.get(problem.path, -1), problem.line))


def _shipped() -> tuple[list[Path], list[Problem]]:
    """Give the files of the package, and a problem for each one that a begun set lacks."""
    folder = shipped_folder()
    paths: list[Path] = []
    problems: list[Problem] = []
    for label_set in SETS:
        expected = [folder / file_name(label_set, label_pass) for label_pass in PASSES]
        there = [path for path in expected if path.is_file()]
        paths += there
        if there:
            problems += [
                Problem(path, 0, f"the set {label_set!r} lacks this file: label the pass")
                for path in expected
                if path not in there
            ]
    return paths, problems


def _check_lines(labels: LabelFile) -> list[Problem]:
    """Check each line against the seeds and the topics, and the whole for paragraphs left out."""
    label_set = labels.header.get("set")
    if label_set not in SETS:
        return []  # the header's fault is reported, and nothing says which paragraphs are meant
    problems: list[Problem] = []
    expected = file_name(label_set, labels.header.get("pass", ""))
    if labels.header.get("pass") in PASSES and labels.path.name != expected:
        problems.append(
            Problem(labels.path, 1, f"the header is that of {expected}: mend the header or the file's name")
        )
    bulletins = set_bulletins(label_set)
    known = segments_by_id(bulletins)
    # The id without its hash finds the paragraph that stands there now.
    current = {_place(name): name for name in known}
    topic_ids = read_topics().ids
    first_line: dict[str, int] = {}
    dealt_with: set[str] = set()

    for line in labels.lines:
        faults: list[str] = []
        if line.id in first_line:
            faults.append(f"the id {line.id} stands on line {first_line[line.id]} already: keep one of the two")
        first_line.setdefault(line.id, line.number)
        faults += [
            f"the topic {topic!r} is unknown: use one of {', '.join(topic_ids)}"
            for topic in line.topics
            if topic not in topic_ids
        ]
        if line.id in known:
            dealt_with.add(line.id)
            faults += _evidence_faults(line, known[line.id][0])
        elif _place(line.id) in current:
            dealt_with.add(current[_place(line.id)])
            faults.append(f"{line.id}: the paragraph's text changed since it was labelled: label it again")
        else:
            faults.append(f"no paragraph has the id {line.id!r}: delete the line or mend the id")
        problems += [Problem(labels.path, line.number, fault) for fault in faults]

    problems += [
        Problem(labels.path, 0, f"the paragraph {name} has no label: add its line ({_start(segment)})")
        for name, segment in _in_order(bulletins)
        if name not in dealt_with
    ]
    return problems


def _evidence_faults(line: LabelLine, segment: Segment) -> Iterable[str]:
    for topic, words in line.topics.items():
        if not words:
            yield f"the topic {topic!r} has no evidence: add the words that carry it"
        for word in words:
            if not word.strip() or word not in segment.text:
                yield f"the evidence {word!r} of {topic!r} is not in the paragraph: copy its exact words"


def _check_passes(labels: Iterable[LabelFile]) -> list[Problem]:
    """Check that the files of one set, side by side in one folder, label the same paragraphs."""

    def key(one: LabelFile) -> tuple[str, str]:
        return str(one.path.parent), one.header.get("set", "")

    problems = []
    for (_, label_set), group in groupby(sorted(labels, key=key), key=key):
        files = list(group)
        everything = {line.id for one in files for line in one.lines}
        for one in files if label_set else ():
            missing = sorted(everything - {line.id for line in one.lines})
            if missing:
                shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
                problems.append(
                    Problem(
                        one.path,
                        0,
                        f"{len(missing)} paragraphs of the other passes are not here: add {shown}",
                    )
                )
    return problems


def _in_order(bulletins: Iterable[Bulletin]) -> Iterable[tuple[str, Segment]]:
    return ((segment.id, segment) for bulletin in bulletins for segment in bulletin.readable)


def _place(name: str) -> str:
    return name.rpartition(".")[0]


def _start(segment: Segment) -> str:
    return segment.text if len(segment.text) <= 40 else f"{segment.text[:40]}…"
