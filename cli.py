"""The command ``veilleur``: it parses, calls, and shows."""

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from veilleur import __version__
from veilleur.errors import VeilleurError

if TYPE_CHECKING:
    from veilleur.evaluate.study import Study
    from veilleur.train.camembert import EpochReport
    from veilleur.train.run import Job

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
LABELS = click.option("--labels", type=FILE, multiple=True, help='Rows {"text": …, "topics": […]}; may be given again.')


class Group(click.Group):
    """Shows a `VeilleurError`, or a missing extra, as one sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except VeilleurError as error:
            raise click.ClickException(str(error)) from error
        except ModuleNotFoundError as error:
            if (error.name or "veilleur").startswith("veilleur"):
                raise
            extra = {"jinja2": "report", "matplotlib": "report", "mlflow": "tracking"}.get(error.name or "", "train")
            raise click.ClickException(
                f"this needs the package {error.name}: pip install 'veilleur[{extra}]'"
            ) from error
        except BrokenPipeError:  # the reader of our output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="veilleur")
def main() -> None:
    """Tell which security topics French bulletins are about, paragraph by paragraph.

    \b
    veilleur tag bulletin.txt                       topics of each paragraph
    veilleur evaluate camembert --labels dev.jsonl  how good a bundle is
    veilleur compare new old --labels dev.jsonl     which of two is better
    veilleur train tfidf -o my-bundle               a model of your own labels
    """


@main.command()
@click.argument("sources", nargs=-1)
@click.option("--bundle", default="camembert", show_default=True, help="A shipped bundle's name, or a folder.")
@click.option(
    "--unit",
    type=click.Choice(["bulletin", "paragraph", "topic", "text"]),
    help="What a row of the output is: a bulletin, a paragraph of it, a topic that it has, or each input as one text. "
    "[default: paragraph for text files, text for rows]",
)
@click.option("-o", "--output", type=NEW_FILE, help="Write to this file; a broken run goes on with the same command.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "jsonl", "csv", "tsv", "parquet"]),
    help="Format of the output. [default: by the suffix of -o; a table on a terminal, jsonl in a pipe]",
)
@click.option(
    "--input-format",
    type=click.Choice(["text", "jsonl", "csv", "tsv", "parquet"]),
    help="Format of all inputs. [default: by their suffixes]",
)
@click.option("--text-column", default="text", show_default=True, help="The column that holds the text.")
@click.option("--id-column", default="id", show_default=True, help="The column that names the row.")
@click.option("--title-column", default="title", show_default=True, help="The column that holds the title.")
@click.option("--date-column", default="date", show_default=True, help="The column that holds the date.")
@click.option("--encoding", default="utf-8", show_default=True, help="Of JSON Lines, CSV and TSV.")
@click.option(
    "--max-chars", default=1_000_000, show_default=True, type=click.IntRange(1), help="A longer text is rejected."
)
@click.option(
    "--rejects",
    type=NEW_FILE,
    help="Where inputs go that cannot be read or tagged. [default: OUTPUT.rejects.jsonl, or stderr without -o]",
)
@click.option("--max-rejects", type=click.IntRange(0), help="Stop when there are more rejects.")
@click.option("--quiet", is_flag=True, help="No progress bar and no summary.")
@click.option("--log-json", is_flag=True, help="Progress, summary and errors as JSON lines on stderr.")
@click.option("--threads", type=click.IntRange(1), help="Threads of the fine-tune. [default: all processors]")
@click.option(
    "--cascade/--no-cascade",
    default=True,
    show_default=True,
    help="Spare the fine-tune the texts that the baseline beside it is sure have no topic.",
)
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True)
@click.option("--address", help="The Ray cluster. [default: the one around, or a new one on this machine]")
def tag(
    sources: tuple[str, ...],
    input_format: Any,
    text_column: str,
    id_column: str,
    title_column: str,
    date_column: str,
    encoding: str,
    max_chars: int,
    **options: Any,
) -> None:
    """Tag text files (a bulletin a file), JSON Lines, CSV, TSV or Parquet (a text a row), or - for stdin.

    SOURCES are files, folders, globs or URLs; gzip and zstd are undone. Other columns are passed through.

    Exit codes: 0 all was tagged, 1 an error, 2 wrong usage, 3 finished but some inputs were rejected, 130 interrupted.

    \b
    veilleur tag news/ --unit bulletin -o topics.jsonl
    veilleur tag night.csv.gz --text-column corps -o topics.parquet
    echo "Saisie de cocaïne au port" | veilleur tag -
    """
    from veilleur.batch.command import Options
    from veilleur.batch.command import tag as run
    from veilleur.batch.inputs import Reading

    reading = Reading(text_column, id_column, title_column, date_column, encoding, max_chars, input_format)
    if options["output"] == Path("-"):
        options["output"] = None
    sys.exit(run(sources, reading, Options(**options)))


def _study_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the bootstrap."),
        click.option("--resamples", default=1000, show_default=True, type=click.IntRange(0), help="Bootstrap samples."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
        click.option("--mlflow", metavar="URI", help="Also log figures and report there. Needs the extra `tracking`."),
        click.option(
            "--no-worse-than", metavar="BUNDLE", help="Exit with 1 if a test shows the first bundle to be worse."
        ),
        click.option(
            "--require",
            "requirements",
            multiple=True,
            metavar="CONDITION",
            help='Exit with 1 unless the first bundle meets it, as "macro_f1>=0.85" or "drugs.recall>=0.9".',
        ),
        click.option("--cv", is_flag=True, help="Name recipes (tfidf, camembert) and cross-validate them by bulletin."),
        click.option("--report", type=FOLDER, help="Write report.html, report.md and report.json into this folder."),
        click.option(
            "--labels",
            type=FILE,
            multiple=True,
            required=True,
            help='Rows {"text": …, "topics": […]}; may be given again.',
        ),
    ):
        command = option(command)
    return command


@main.command()
@click.argument("bundle")
@_study_options
def evaluate(bundle: str, as_json: bool, **options: Any) -> None:
    """Score a bundle on labelled texts: precision, recall and F1 by topic, and overall figures, with intervals.

    Rows may name their bulletin (as "bulletin" or "document"): the bootstrap then draws whole bulletins. --report and
    --cv need extras: pip install 'veilleur[report,train]'.

    \b
    veilleur evaluate tfidf --labels dev.jsonl
    veilleur evaluate ./my-bundle --labels a.jsonl --labels b.jsonl --report report
    veilleur evaluate ./my-bundle --labels dev.jsonl --require "macro_f1>=0.85" --no-worse-than camembert
    veilleur evaluate tfidf --cv --labels mine.jsonl
    """
    found = _studied((bundle,), **options)
    if as_json:
        click.echo(json.dumps(found.evaluations[0].scores.to_dict(), ensure_ascii=False))
    else:
        from veilleur.tables import scores_table

        _print(scores_table(found.evaluations[0].scores))
    _concluded(found)


@main.command()
@click.argument("bundles", nargs=-1, required=True)
@_study_options
def compare(bundles: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Compare bundles on the same labelled texts, and say which can be told apart.

    Gates (--require, --no-worse-than) hold the first bundle named.

    \b
    veilleur compare camembert tfidf --labels dev.jsonl
    veilleur compare ./new ./old --labels dev.jsonl --report report
    """
    if len(bundles) < 2:
        raise click.UsageError("name two bundles or more")
    found = _studied(bundles, **options)
    if as_json:
        click.echo(json.dumps([one.to_dict() for one in found.comparisons], ensure_ascii=False))
    else:
        from veilleur.tables import comparison_table

        _print(comparison_table(found.evaluations))
        for one in found.comparisons:
            click.echo(one.sentence)
    _concluded(found)


def _studied(
    bundles: tuple[str, ...],
    labels: tuple[Path, ...],
    report: Path | None,
    cv: bool,
    requirements: tuple[str, ...],
    no_worse_than: str | None,
    mlflow: str | None,
    resamples: int,
    seed: int,
) -> "Study":
    """Evaluate bundles and write what was asked for."""
    from veilleur.evaluate.gates import requirement
    from veilleur.evaluate.study import detailed, study

    if mlflow and report is None:
        raise click.UsageError("--mlflow logs the report: name its folder by --report")
    if cv and no_worse_than:
        raise click.UsageError("--cv scores recipes, --no-worse-than a bundle: leave out one of them")
    if report is not None:
        from veilleur.evaluate.report import check_writable

        check_writable(report)
    if mlflow:
        from veilleur.evaluate.tracking import import_mlflow

        import_mlflow()  # before the work, so that its absence is told at once
    with _steps() as step:
        found = study(
            bundles,
            labels,
            resamples=resamples,
            seed=seed,
            cross_validated=cv,
            requirements=[requirement(text) for text in requirements],
            no_worse_than=no_worse_than,
            step=step,
        )
        if report is not None:
            from veilleur.evaluate.report import write_report

            found = detailed(found, step)
            step("drawing and writing the report")
            write_report(found, report)
            if mlflow:
                from veilleur.evaluate.tracking import log_to_mlflow

                step(f"logging to {mlflow}")
                log_to_mlflow(found, report, mlflow)
    if report is not None:
        click.echo(f"report written to {report / 'report.html'}", err=True)
    return found


def _concluded(found: "Study") -> None:
    """Say what to heed, and exit with 1 if a gate fell."""
    for notice in found.notices:
        click.echo(f"veilleur: {notice}", err=True)
    fallen = [f"{gate.condition} ({gate.sentence})" for gate in found.gates if not gate.held]
    if fallen:
        raise click.ClickException(f"gate fell: {'; '.join(fallen)}")


@contextmanager
def _steps() -> Iterator[Callable[[str], None]]:
    """Show on a terminal what is being done."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda message: None
        return
    with console.status("reading labels") as status:
        yield lambda message: status.update(message)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def bundles(as_json: bool) -> None:
    """List the bundles that come with the package."""
    from veilleur.model.bundle import shipped_bundles

    found = shipped_bundles()
    if as_json:
        content = {name: {"kind": one.kind, "topics": one.topics, "base": one.base} for name, one in found.items()}
        click.echo(json.dumps(content, ensure_ascii=False))
        return
    from veilleur.tables import bundles_table

    _print(bundles_table(found))


@main.group()
def train() -> None:
    """Fit a model on labelled paragraphs and write its bundle. Needs the extra: pip install 'veilleur[train]'."""


def _training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--seed",
            default=0,
            show_default=True,
            type=click.IntRange(0, 2**32 - 1),
            help="The same seed gives the same bundle.",
        ),
        click.option(
            "--measure",
            type=FILE,
            multiple=True,
            help="Labels to score the finished bundle on, for its card.",
        ),
        click.option("--out-of-fold", type=NEW_FILE, help="Also write the out-of-fold probabilities to this file."),
        click.option("--topics", type=FILE, help="A topics file. [default: the six topics]"),
        click.option(
            "--labels",
            type=FILE,
            multiple=True,
            help="Label files. [default: those that come with the package]",
        ),
        click.option("-o", "--output", type=FOLDER, required=True, help="The bundle's folder."),
    ):
        command = option(command)
    return command


@train.command("tfidf")
@_training_options
@click.option("--folds", default=5, show_default=True, type=click.IntRange(2), help="Out-of-fold folds.")
def train_tfidf_command(
    output: Path,
    labels: tuple[Path, ...],
    topics: Path | None,
    measure: tuple[Path, ...],
    out_of_fold: Path | None,
    seed: int,
    folds: int,
) -> None:
    """Fit the baseline: TF-IDF with linear models. Takes seconds to a minute."""
    from veilleur.train.run import train_tfidf
    from veilleur.train.tfidf import TfidfSettings

    job = _job(output, labels, topics, measure, out_of_fold)
    train_tfidf(job, TfidfSettings(seed=seed, folds=folds))
    _done(job)


@train.command("camembert")
@_training_options
@click.option(
    "--base",
    default="bundled",
    show_default=True,
    help="What to start from: bundled, a hub id (almanach/camembert-base), or a local folder.",
)
@click.option("--epochs", default=None, type=click.IntRange(1), help="Passes over the labels.")
@click.option("--folds", default=None, type=click.IntRange(1), help="Out-of-fold folds; 1: decide on validation.")
@click.option(
    "--baseline/--no-baseline",
    default=True,
    show_default=True,
    help="Add the logits of a baseline of the same labels, which also settles what it is sure of.",
)
@click.option("--quantise", is_flag=True, help="Write only the 8-bit ONNX graph, without the transformers weights.")
@click.option("--resume", is_flag=True, help="Go on where an interrupted run of the same command stopped.")
def train_camembert_command(
    output: Path,
    labels: tuple[Path, ...],
    topics: Path | None,
    measure: tuple[Path, ...],
    out_of_fold: Path | None,
    seed: int,
    base: str,
    epochs: int | None,
    folds: int | None,
    baseline: bool,
    quantise: bool,
    resume: bool,
) -> None:
    """Fine-tune a CamemBERT. Checkpoints are kept in OUTPUT.work until it is done.

    \b
    veilleur train camembert -o my-bundle
    veilleur train camembert -o my-bundle --base almanach/camembert-base
    veilleur train camembert -o my-bundle --resume
    """
    from veilleur.train.camembert import CamembertSettings
    from veilleur.train.run import train_camembert

    job = _job(output, labels, topics, measure, out_of_fold)
    given = {"epochs": epochs, "folds": folds}
    settings = CamembertSettings(
        base=base, seed=seed, baseline=baseline, **{name: value for name, value in given.items() if value is not None}
    )
    with _epochs() as report:
        train_camembert(job, settings, report, resume=resume, quantise=quantise)
    _done(job)


@main.group()
def labels() -> None:
    """Check, measure and export the hand labels."""


@labels.command("check")
@click.argument("files", nargs=-1, type=FILE)
def labels_check(files: tuple[Path, ...]) -> None:
    """Check label files: ids, texts that changed since, topics, evidence, duplicates.

    Without FILES, those that come with the package. Exits with 1 if anything is wrong.
    """
    from veilleur.labels.check import check

    problems = check(files or None)
    for problem in problems:
        click.echo(str(problem))
    if problems:
        raise click.ClickException(f"{len(problems)} problems in the labels")
    click.echo("the labels are in order")


@labels.command("agreement")
@click.argument("files", nargs=-1, type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def labels_agreement(files: tuple[Path, ...], as_json: bool) -> None:
    """Measure how far two passes agree: F1, Cohen's kappa, Krippendorff's alpha.

    FILES are two passes; without them, those that come with the package.
    """
    from veilleur.labels.agreement import agreement
    from veilleur.labels.files import SETS, file_name, shipped_folder

    if files and len(files) != 2:
        raise click.UsageError("name two label files, or none")
    folder = shipped_folder()
    pairs = (
        {f"{files[0].name} and {files[1].name}": files}
        if files
        else {name: (folder / file_name(name, "a"), folder / file_name(name, "b")) for name in SETS}
    )
    measured = {name: agreement(*pair) for name, pair in pairs.items() if all(path.is_file() for path in pair)}
    if as_json:
        content = {name: one.to_dict() for name, one in measured.items()}
        click.echo(json.dumps(content, ensure_ascii=False))
        return
    from veilleur.tables import agreement_table

    for name, one in measured.items():
        _print(agreement_table(name, one))


@labels.command("stats")
@LABELS
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def labels_stats(labels: tuple[Path, ...], as_json: bool) -> None:
    """Count labels, topics together, splits and genres, and measure how varied the texts are."""
    from veilleur.labels.stats import stats
    from veilleur.labels.topics import read_topics

    found = stats(_rows(labels, read_topics().ids))
    if as_json:
        click.echo(json.dumps(found.to_dict(), ensure_ascii=False))
        return
    from veilleur.tables import stats_tables

    for table in stats_tables(found):
        _print(table)


@labels.command("doubts")
@click.argument("out_of_fold", type=FILE)
@LABELS
def labels_doubts(out_of_fold: Path, labels: tuple[Path, ...]) -> None:
    """List the labels that a cross-validated model finds unlikely (cleanlab), the most doubtful first.

    OUT_OF_FOLD is what `veilleur train … --out-of-fold FILE` wrote. Read each paragraph before you change a label.
    """
    from veilleur.labels.doubts import doubts, read_out_of_fold

    _, topics = read_out_of_fold(out_of_fold)
    for doubt in doubts(_rows(labels, tuple(topics)), out_of_fold):
        changes = [f"+{topic}" for topic in doubt.missing] + [f"-{topic}" for topic in doubt.surplus]
        click.echo(f"{doubt.row.id}  {' '.join(changes)}\n    {doubt.row.text}")


@labels.command("export")
@click.argument("output", type=NEW_FILE)
@LABELS
@click.option("--split", type=click.Choice(["train", "validation", "test"]), help="Only this split.")
def labels_export(output: Path, labels: tuple[Path, ...], split: str | None) -> None:
    """Write the labelled paragraphs, texts included, to OUTPUT (.jsonl or .parquet)."""
    from veilleur.labels.export import export
    from veilleur.labels.topics import read_topics

    rows = [row for row in _rows(labels, read_topics().ids) if split in (None, row.split)]
    export(rows, output)
    click.echo(f"{len(rows)} paragraphs written to {output}")


def _rows(paths: tuple[Path, ...], topics: tuple[str, ...], exclusive: bool = False) -> list[Any]:
    from veilleur.evaluate.run import read_labels
    from veilleur.labels.rows import shipped_rows

    return read_labels(paths, topics, exclusive) if paths else shipped_rows()


def _job(
    output: Path,
    labels: tuple[Path, ...],
    topics: Path | None,
    measure: tuple[Path, ...],
    out_of_fold: Path | None,
) -> "Job":
    from veilleur.evaluate.run import read_labels
    from veilleur.labels.topics import read_topics
    from veilleur.train.run import Job

    chosen = read_topics(topics)
    ids = chosen.ids
    rows = _rows(labels, ids, chosen.exclusive)
    if not rows:
        raise VeilleurError("there are no labels: name label files with --labels")
    tests = [(path.name, read_labels([path], ids, chosen.exclusive)) for path in measure]
    command = shlex.join(["veilleur", *(word for word in sys.argv[1:] if word != "--resume")])
    return Job(rows, ids, output, command, tests, out_of_fold, chosen.exclusive)


def _done(job: "Job") -> None:
    from veilleur.model.bundle import read_manifest

    manifest = read_manifest(job.out)
    for name, scores in manifest.scores.items():
        macro_f1 = scores["macro_f1"]
        click.echo(f"macro-F1 {'undefined' if macro_f1 is None else format(macro_f1, '.3f')}  {name}")
    click.echo(f"bundle written to {job.out}; its card is {job.out / 'README.md'}")


@contextmanager
def _epochs() -> Iterator[Callable[[str, "EpochReport"], None]]:
    """Show training as it goes: a bar for the part that runs, a line for each finished epoch."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        bars: dict[str, Any] = {}
        losses: dict[str, float] = {}

        def report(part: str, state: "EpochReport") -> None:
            if part not in bars:
                bars[part] = progress.add_task(part, total=state.epochs)
            losses[part] = losses.get(part, 0.0) if state.loss is None else state.loss
            progress.update(bars[part], completed=state.done, description=f"{part}, loss {losses[part]:.3f}")
            if state.macro_f1 is not None:
                console.print(
                    f"{part}: epoch {state.done:.0f} of {state.epochs}, loss {losses[part]:.3f}, "
                    f"validation F1 {state.macro_f1:.3f}"
                )

        yield report


def _print(table: object) -> None:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = 160  # a table in a file or pipe is not cut to a terminal's width
    console.print(table)
