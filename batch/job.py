"""A run: inputs in, one output and its rejects out, gone on with after a break."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from veilleur import __version__
from veilleur.batch.chunks import Chunk, read_chunks
from veilleur.batch.files import Source, check_compression
from veilleur.batch.formats import Format, compression_of
from veilleur.batch.inputs import Reading, Reject
from veilleur.batch.outputs import encoder
from veilleur.batch.tagging import TaggedChunk, Unit, tag_chunk
from veilleur.batch.work import Journal, Work, open_work
from veilleur.errors import VeilleurError
from veilleur.model.bundle import MANIFEST, bundle_folder, read_manifest
from veilleur.model.files import file_sha256
from veilleur.model.tagger import Tagger, load

WORK = ".work"


@dataclass(frozen=True)
class Job:
    """What is tagged, how, and where the results go.

    Attributes
    ----------
    sources : tuple of Source
    bundle : str
        A shipped bundle's name, or a folder.
    reading : Reading
    unit : Unit or None
    form : Format
        Of the output.
    threads : int or None
        Of the fine-tune.
    cascade : bool
        See `veilleur.model.tagger.load`.
    """

    sources: tuple[Source, ...]
    bundle: str
    reading: Reading = field(default_factory=Reading)
    unit: Unit | None = None
    form: Format = "jsonl"
    threads: int | None = None
    cascade: bool = True

    @property
    def topics(self) -> tuple[str, ...]:
        """The bundle's."""
        return read_manifest(bundle_folder(self.bundle)).topics

    def tagger(self) -> Tagger:
        """Load the bundle."""
        return load(self.bundle, threads=self.threads, cascade=self.cascade)

    @property
    def bytes(self) -> int | None:
        """How much there is to read; None where that is not known before."""
        sizes = [source.size for source in self.sources]
        return None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def has_stream(self) -> bool:
        """Whether an input is a stream, such as standard input, that can only be read from its beginning."""
        return any(source.size is None for source in self.sources)

    def identity(self) -> dict[str, Any]:
        """Return what decides on the results: two jobs with the same give the same bytes."""
        files = "\n".join(f"{source.name}\0{source.size}\0{source.stamp}" for source in self.sources)
        return {
            "version of Veilleur": __version__,
            "bundle": file_sha256(bundle_folder(self.bundle) / MANIFEST),
            "inputs": hashlib.sha256(files.encode("utf-8", "surrogateescape")).hexdigest(),
            "way of reading": asdict(self.reading),
            "cascade": self.cascade,
            "unit": self.unit,
            "format": self.form,
        }


# Tags all chunks of a job that the journal does not count, in order.
Engine = Callable[[Job, Journal], Iterator[TaggedChunk]]
Report = Callable[[Journal], None]


def local_engine(tagger: Tagger) -> Engine:
    """Return the engine that tags in this process."""

    def tag(job: Job, journal: Journal) -> Iterator[TaggedChunk]:
        coder = encoder(job.form, tagger.topics)
        digest = journal.digest
        for chunk in _remaining(job, journal):
            tagged = tag_chunk(tagger, chunk, job.unit, coder)
            if job.has_stream:
                digest = chunk.digest(digest)
            yield replace(tagged, digest=digest)

    return tag


def _remaining(job: Job, journal: Journal) -> Iterator[Chunk]:
    """Read on where a run stopped; a stream is read from its beginning, and must begin as it did before."""
    if not job.has_stream:
        yield from read_chunks(job.sources, job.reading, journal.end)
        return
    chunks = read_chunks(job.sources, job.reading)
    digest = ""
    for chunk in islice(chunks, journal.chunks):
        digest = chunk.digest(digest)
    if digest != journal.digest:
        raise VeilleurError(
            "standard input is not what the unfinished run read: give the same again, or delete its folder (the "
            f"output's name with {WORK}) to start anew"
        )
    yield from chunks


def run_job(
    job: Job,
    engine: Engine,
    output: Path,
    *,
    rejects: Path | None = None,
    max_rejects: int | None = None,
    report: Report = lambda journal: None,
) -> Journal:
    """Tag into a file, going on where an earlier run of the same job stopped.

    Parameters
    ----------
    job : Job
    engine : Engine
    output : Path
        Appears when it is complete; until then the work is kept in the folder of the same name with ``.work``.
    rejects : Path, optional
        Where inputs go that could not be read or tagged; the output's name with ``.rejects.jsonl`` by default. It is
        there only if there are any.
    max_rejects : int, optional
        Stop when there are more.
    report : callable
        Told of the journal at the start and after each chunk.

    Returns
    -------
    Journal
        Of the whole run.

    Raises
    ------
    VeilleurError
        If another run writes the same output, the unfinished run was of another job, there are too many rejects, or
        the output or the rejects cannot be written.
    """
    output = output.resolve()  # a link stays a link
    rejects = rejects.resolve() if rejects else rejects_of(output)
    if rejects == output or (rejects.exists() and not rejects.is_file()):
        raise VeilleurError(f"{rejects} cannot take the rejects: name a file of their own")
    check_compression(output.name, compression_of(output.name))
    folder = work_of(output)
    try:
        with open_work(folder, job.identity()) as work:
            report(work.journal)
            _check_rejects(work, rejects, max_rejects)
            for tagged in engine(job, work.journal):
                work.commit(tagged)
                report(work.journal)
                _check_rejects(work, rejects, max_rejects)
            work.finish(output, encoder(job.form, job.topics), rejects)
            return work.journal
    except OSError as error:
        kept = f"; what was tagged is kept in {folder}, and the same command goes on with it" if folder.is_dir() else ""
        raise VeilleurError(f"{output} cannot be written ({error.strerror or error}){kept}") from error


def stream_job(job: Job, engine: Engine, file: BinaryIO, rejected: Callable[[Reject], None]) -> Iterator[Journal]:
    """Tag into a stream; JSON Lines are written as they come, other formats when their columns are known.

    Parameters
    ----------
    job : Job
    engine : Engine
    file : binary file
    rejected : callable
        Told of each input that could not be read or tagged.

    Yields
    ------
    Journal
        After each chunk.
    """
    journal = Journal()
    with TemporaryDirectory(prefix="veilleur-") as folder:
        parts: list[Path] = []
        for tagged in engine(job, journal):
            if job.form == "jsonl":
                file.write(tagged.data)
                file.flush()
            else:
                parts.append(Path(folder) / str(journal.chunks))
                parts[-1].write_bytes(tagged.data)
            for reject in tagged.rejects:
                rejected(reject)
            journal = journal.after(tagged)
            yield journal
        encoder(job.form, job.topics).assemble(parts, file)
        file.flush()


def work_of(output: Path) -> Path:
    """Return the folder that holds the unfinished work on an output."""
    return output.with_name(f"{output.name}{WORK}")


def rejects_of(output: Path) -> Path:
    """Return the file that an output's rejects go to by default."""
    return output.with_name(f"{output.name}.rejects.jsonl")


def _check_rejects(work: Work, path: Path, most: int | None) -> None:
    if most is not None and work.journal.rejects > most:
        work.write_rejects(path)
        raise VeilleurError(
            f"stopped: {work.journal.rejects} inputs were rejected, more than {most}; see {path}. What was tagged is "
            f"kept in {work.folder}: the same command with a higher --max-rejects goes on with it"
        )
