"""What ``veilleur tag`` does."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

import click

from veilleur.batch.chunks import read_chunks
from veilleur.batch.files import STDIN, find_sources
from veilleur.batch.formats import Format, output_format
from veilleur.batch.inputs import Item, Reading, Reject
from veilleur.batch.job import Engine, Job, local_engine, rejects_of, run_job, stream_job, work_of
from veilleur.batch.outputs import encoder
from veilleur.batch.progress import bar, figures, json_lines, log
from veilleur.batch.tagging import Unit, tag_items
from veilleur.batch.work import REJECTS, Journal
from veilleur.errors import VeilleurError
from veilleur.model.tagger import Tagger

FINISHED_WITH_REJECTS = 3
INTERRUPTED = 130  # as shells give it for Ctrl-C


@dataclass(frozen=True)
class Options:
    """The options of ``veilleur tag`` that are not those of `Reading`; see its help."""

    bundle: str
    unit: Unit | None = None
    output: Path | None = None
    form: Literal["table"] | Format | None = None
    rejects: Path | None = None
    max_rejects: int | None = None
    threads: int | None = None
    cascade: bool = True
    engine: Literal["local", "ray"] = "local"
    address: str | None = None
    quiet: bool = False
    log_json: bool = False


def tag(names: tuple[str, ...], reading: Reading, options: Options) -> int:
    """Tag, show or write, sum up, and return the exit code."""
    if options.output is not None and options.output.is_symlink() and _is_file(options.output):
        options = replace(options, output=options.output.resolve())  # beside which the run keeps its files
    try:
        journal = _tag(names, reading, options)
    except KeyboardInterrupt:
        if options.output is not None and work_of(options.output).is_dir():
            _say(options, "interrupted; the same command goes on where it stopped")
        return INTERRUPTED
    except VeilleurError as error:
        if not options.log_json:
            raise
        log("error", message=str(error))
        return 1
    if options.log_json:
        log("finish", **figures(journal))
    elif not options.quiet and (options.output or journal.rejects):
        _say(options, _summary(journal, options))
    return FINISHED_WITH_REJECTS if journal.rejects else 0


def _tag(names: tuple[str, ...], reading: Reading, options: Options) -> Journal:
    output = options.output
    form = _form(options)
    for path in filter(None, (output, options.rejects)):
        if not path.parent.is_dir():
            raise VeilleurError(f"{path} cannot be written: there is no folder {path.parent}")
    written = [output, work_of(output), rejects_of(output)] if output is not None else []
    sources = find_sources(
        names or (STDIN,),
        any_suffix=reading.form is not None,
        excluded=[path for path in (*written, options.rejects) if path is not None],
    )
    job = Job(
        sources=tuple(sources),
        bundle=options.bundle,
        reading=reading,
        unit=options.unit,
        form="jsonl" if form == "table" else form,
        threads=options.threads,
        cascade=options.cascade,
    )
    if form == "table":
        return _show(job, job.tagger(), options)
    encoder(form, job.topics)  # what it needs must be there before hours of tagging
    engine = _engine(job, options)
    with _reporting(job, options) as report:
        if output is not None and _is_file(output):
            return run_job(
                job,
                engine,
                output,
                rejects=options.rejects,
                max_rejects=options.max_rejects,
                report=report,
            )
        try:
            with ExitStack() as stack:  # standard output, a pipe or a device
                file = sys.stdout.buffer if output is None else stack.enter_context(output.open("wb"))
                return _stream(job, engine, file, options, report)
        except BrokenPipeError:  # the reader has seen enough
            raise
        except OSError as error:
            name = output or "standard output"
            raise VeilleurError(f"{name} cannot be written ({error.strerror or error})") from error


def _is_file(output: Path) -> bool:
    """Whether the output is, or becomes, a file of which a broken run can go on: no pipe and no device."""
    return output.is_file() or not output.exists()


def _form(options: Options) -> Literal["table"] | Format:
    output = options.output
    if options.log_json and options.form == "table":
        raise click.UsageError("a table is for people: leave out --log-json, or name another --format")
    if output is None:
        return options.form or ("table" if sys.stdout.isatty() and not options.log_json else "jsonl")
    if options.form == "table":
        raise click.UsageError("a table is shown, not written: leave out -o, or name another --format")
    return options.form or output_format(output.name)


def _engine(job: Job, options: Options) -> Engine:
    if options.engine == "local":
        return local_engine(job.tagger())
    from veilleur.batch.cluster import ray_engine

    return ray_engine(options.address)


@contextmanager
def _reporting(job: Job, options: Options) -> Iterator[Callable[[Journal], None]]:
    if options.log_json:
        yield json_lines(job.bytes)
    elif options.quiet or (options.output is None and sys.stdout.isatty()):
        yield lambda journal: None
    else:
        with bar(job.bytes) as report:
            yield report


def _stream(job: Job, engine: Engine, file: BinaryIO, options: Options, report: Callable[[Journal], None]) -> Journal:
    journal = Journal()
    report(journal)
    with _rejecting(options) as rejected:
        for journal in stream_job(job, engine, file, rejected):
            report(journal)
            _check_rejects(journal, options)
    return journal


def _show(job: Job, tagger: Tagger, options: Options) -> Journal:
    """Show a table as the taggings come."""
    from rich.console import Console

    from veilleur.tables import show_records

    inputs = rejects = 0

    def items(rejected: Callable[[Reject], None]) -> Iterator[Item]:
        nonlocal inputs, rejects
        for chunk in read_chunks(job.sources, job.reading):
            for reject in chunk.rejects:
                rejected(reject)
            inputs += len(chunk.items)
            rejects += len(chunk.rejects)
            yield from chunk.items
            _check_rejects(Journal(rejects=rejects), options)

    with _rejecting(options) as rejected:
        show_records(Console(highlight=False), tag_items(tagger, items(rejected), job.unit), job.unit)
    return Journal(inputs=inputs, rejects=rejects)


@contextmanager
def _rejecting(options: Options) -> Iterator[Callable[[Reject], None]]:
    """Write rejects to the file that was named, or else name them on stderr."""
    if options.rejects is None:
        yield lambda reject: _say(options, str(reject), reject=True)
        return
    with options.rejects.open("wb") as file:

        def write(reject: Reject) -> None:
            file.write(REJECTS.encode([reject.to_dict()]))
            file.flush()

        yield write


def _check_rejects(journal: Journal, options: Options) -> None:
    if options.max_rejects is not None and journal.rejects > options.max_rejects:
        raise VeilleurError(f"stopped: {journal.rejects} inputs were rejected, more than {options.max_rejects}")


def _summary(journal: Journal, options: Options) -> str:
    text = f"{journal.inputs:,} {'input' if journal.inputs == 1 else 'inputs'} tagged"
    if not journal.rejects:
        return text
    path = options.rejects or (options.output and rejects_of(options.output))
    return f"{text}, {journal.rejects:,} rejected" + (f": see {path}" if path else "")


def _say(options: Options, message: str, *, reject: bool = False) -> None:
    if options.log_json:
        log("reject" if reject else "interrupted", message=message)
    elif reject or not options.quiet:
        click.echo(f"veilleur: {message}", err=True)
