"""Tables for a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from veilleur.labels.topics import read_topics

if TYPE_CHECKING:  # showing taggings needs none of them, nor the scikit-learn that they bring
    from veilleur.batch.tagging import Unit
    from veilleur.evaluate.metrics import Scores
    from veilleur.evaluate.run import Evaluation
    from veilleur.labels.agreement import Agreement
    from veilleur.labels.stats import Stats
    from veilleur.model.bundle import Manifest

OTHER = "white"  # colour of topics that are not ours


def colours() -> dict[str, str]:
    """Return the topics' colours by id."""
    return {topic.id: topic.colour for topic in read_topics().topics}


def topics_text(topics: Sequence[str], scores: Mapping[str, float] | None = None) -> str:
    """Return topics as coloured text, with their scores where given."""
    known = colours()
    parts = [
        f"[{known.get(topic, OTHER)}]{escape(topic)}[/]" + (f" {scores[topic]:.2f}" if scores else "")
        for topic in topics
    ]
    return ", ".join(parts) or "[dim]none[/]"


def show_records(console: Console, records: Iterable[Mapping[str, Any]], unit: "Unit | None") -> None:
    """Print taggings of a unit as they come: texts and paragraphs a row each, bulletins with theirs below them."""
    source = None
    for record in records:
        if unit == "bulletin":
            console.rule(f"[bold]{escape(record['title'] or record['slug'])}", align="left")
            console.print("topics of the whole:", topics_text(record["topics"]))
            for segment in record["segments"]:
                console.print(_row(segment))
            continue
        if record["source"] != source:
            source = record["source"]
            console.rule(escape(source), align="left", style="dim")
        console.print(_topic_line(record) if unit == "topic" else _row(record))


def _topic_line(record: Mapping[str, Any]) -> str:
    """Show one topic of a bulletin, with its score and how many paragraphs carry it."""
    count = len(record["paragraphs"])
    topic = topics_text([record["topic"]], {record["topic"]: record["score"]})
    return f"{topic}  {escape(record['title'] or record['slug'])} ({count} paragraph{'s' if count > 1 else ''})"


def _row(record: Mapping[str, Any]) -> Table:
    """Lay out a text and, left of it, its topics with their scores."""
    row = Table.grid(padding=(0, 2), expand=True)
    row.add_column(width=18)
    row.add_column(ratio=1, overflow="fold")
    kind = record.get("kind", "text")
    label = "" if kind in ("paragraph", "text") else f"[dim]{escape(str(kind))}:[/] "
    found = topics_text(record["topics"], record["scores"]).replace(", ", "\n")
    row.add_row(found, label + escape(record["text"]))
    return row


def scores_table(scores: "Scores") -> Table:
    """Lay out the scores of one model."""
    from veilleur.evaluate.metrics import OVERALL_FIGURES

    table = Table(title=f"{scores.n} texts; 95 % bootstrap intervals", title_justify="left")
    for column in ("topic", "precision", "recall", "F1", "interval", "support"):
        table.add_column(column, justify="left" if column == "topic" else "right")
    for topic, found in scores.topics.items():
        table.add_row(
            topics_text([topic]),
            figure(found.precision),
            figure(found.recall),
            figure(found.f1),
            interval(scores, f"{topic}.f1"),
            str(found.support),
        )
    table.add_section()
    for name, one in OVERALL_FIGURES.items():
        table.add_row(one.title, "", "", figure(getattr(scores, name)), interval(scores, name), "")
    return table


def comparison_table(evaluations: Sequence["Evaluation"]) -> Table:
    """Lay out the scores of some models side by side."""
    from veilleur.evaluate.metrics import OVERALL_FIGURES

    table = Table(
        title=f"{evaluations[0].scores.n} texts; F1 of topics, overall figures, 95 % bootstrap intervals",
        title_justify="left",
    )
    table.add_column("figure")
    for one in evaluations:
        table.add_column(escape(one.answers.name), justify="right")
    titles = {f"{topic}.f1": topic for topic in evaluations[0].scores.topics}
    titles |= {name: one.title for name, one in OVERALL_FIGURES.items()}
    for name, title in titles.items():
        cells = (f"{figure(one.scores.figure(name))}  {interval(one.scores, name)}".rstrip() for one in evaluations)
        table.add_row(escape(title), *cells)
    return table


def agreement_table(name: str, agreement: "Agreement") -> Table:
    """Lay out how far two passes agree."""
    table = Table(title=f"{escape(name)}: {agreement.n} paragraphs, passes a and b", title_justify="left")
    for column in ("topic", "F1", "Cohen's kappa", "Krippendorff's alpha", "a", "b", "differ"):
        table.add_column(column, justify="left" if column == "topic" else "right")
    for topic, one in agreement.topics.items():
        table.add_row(
            topics_text([topic]),
            figure(one.f1),
            figure(one.kappa),
            figure(one.alpha),
            str(one.positives_a),
            str(one.positives_b),
            str(one.disagreements),
        )
    table.add_section()
    table.add_row("macro", figure(agreement.macro_f1), "", "", "", "", str(agreement.disagreements))
    return table


def stats_tables(stats: "Stats") -> list[Table]:
    """Lay out the counts of a set of labels."""
    overall = Table("figure", "value", title="labels", title_justify="left")
    content = stats.to_dict()
    for name, value in content.items():
        if not isinstance(value, dict):
            overall.add_row(name.replace("_", " "), f"{value:.3f}" if isinstance(value, float) else str(value))
    tables = [overall]
    for name, value in content.items():
        if not isinstance(value, dict):
            continue
        nested = any(isinstance(one, dict) for one in value.values())
        columns = list(next(iter(value.values()))) if nested else ["count"]
        table = Table("", *columns, title=name.replace("_", " "), title_justify="left")
        for key, one in value.items():
            table.add_row(escape(str(key)), *(str(one[column]) if nested else str(one) for column in columns))
        tables.append(table)
    return tables


def bundles_table(bundles: Mapping[str, "Manifest"]) -> Table:
    """Lay out the shipped bundles."""
    table = Table("bundle", "kind", "base", "topics", "labels", "macro-F1 out of fold")
    for name, manifest in bundles.items():
        measured = manifest.scores.get("out of fold", {}).get("macro_f1")
        table.add_row(
            escape(name),
            manifest.kind,
            manifest.base or "-",
            topics_text(manifest.topics),
            str(manifest.training.get("rows", "?")),
            figure(measured),
        )
    return table


def figure(value: float | None) -> str:
    """Return a figure with three decimals; an undefined one is said to be so."""
    return "undefined" if value is None else f"{value:.3f}"


def interval(scores: "Scores", name: str) -> str:
    """Return an interval, or nothing where there is none."""
    found = scores.intervals.get(name)
    return f"{found[0]:.3f} to {found[1]:.3f}" if found else ""
