"""The Ray engine: the same job on a cluster, with Ray Data.

Files are read by tasks, a group of neighbouring files each; chunks are tagged by actors, each of which holds the bundle
once; this process commits them in order. Ray holds reading back while actors are busy, starts lost actors again, and
does lost work again.
"""

import logging
import os
import pickle
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from veilleur.batch.chunks import START, Position, read_chunks
from veilleur.batch.files import Source
from veilleur.batch.inputs import Reading
from veilleur.batch.job import Engine, Job
from veilleur.batch.outputs import encoder
from veilleur.batch.tagging import TaggedChunk, tag_chunk
from veilleur.batch.work import Journal
from veilleur.errors import VeilleurError
from veilleur.model.bundle import portable_name

if TYPE_CHECKING:
    import pyarrow

GROUP_FILES = 256  # that one task reads one after the other
GROUP_BYTES = 256 * 2**20
# Actors ask for half of the processors that they use, so that those of a lost machine find room on the others instead
# of waiting for a new one (Ray Data spreads them evenly all the same); and reading asks for none, or actors that hold
# all processors would wait for it for ever.
ASKED_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbouring files that one task reads.

    Attributes
    ----------
    sources : tuple of Source
    first : int
        The index of the first of them among all.
    bytes : int
        How many bytes all files before them have.
    start : Position
        Where to begin in them.
    """

    sources: tuple[Source, ...]
    first: int
    bytes: int
    start: Position = START


def ray_engine(address: str | None = None) -> Engine:
    """Return the engine that tags on a Ray cluster.

    Parameters
    ----------
    address : str, optional
        The cluster's; by default the one that ``RAY_ADDRESS`` names or that runs on this machine, else a new one that
        lasts as long as the run.

    Raises
    ------
    VeilleurError
        If Ray is not installed; when it runs, if an input is a stream, or the cluster fails.
    """
    try:
        import ray.data
    except ModuleNotFoundError as error:
        raise VeilleurError("the Ray engine needs Ray: pip install 'veilleur[ray]'") from error

    def tag(job: Job, journal: Journal) -> Iterator[TaggedChunk]:
        if job.has_stream:
            raise VeilleurError("the Ray engine reads files and URLs: standard input is for --engine local")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what matters is raised
        is_ours = not ray.is_initialized()
        try:
            if is_ours:
                _start(ray, address)
            for row in _dataset(job, journal).iter_rows():
                yield pickle.loads(row["tagged"])
        except (ray.exceptions.RayError, ConnectionError) as error:
            raise VeilleurError(f"the Ray cluster failed: {_reason(error)}") from error
        finally:
            if is_ours:
                ray.shutdown()

    return tag


def _start(ray: Any, address: str | None) -> None:
    try:
        ray.init(address, log_to_driver=False, include_dashboard=False, logging_level="error")
    except ValueError as error:
        raise VeilleurError(f"{address} is no address of a Ray cluster ({error}): write host:port") from error


def groups(job: Job, journal: Journal) -> list[Group]:
    """Divide the files that are not finished among tasks, in order."""
    found: list[Group] = []
    size = sum(source.size or 0 for source in job.sources[: journal.end.file])
    held: list[Source] = []
    start = Position(0, journal.end.entry)
    for index, source in enumerate(job.sources[journal.end.file :], journal.end.file + 1):
        held.append(source)
        total = sum(one.size or 0 for one in held)
        if len(held) == GROUP_FILES or total >= GROUP_BYTES or index == len(job.sources):
            found.append(Group(tuple(held), index - len(held), size, start))
            size, held, start = size + total, [], START
    return found


def _dataset(job: Job, journal: Journal) -> Any:
    import ray.data

    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.target_max_block_size = 1  # a chunk is a block, so that each goes to whichever actor is free
    context.enable_progress_bars = False
    rows = [{"group": pickle.dumps(group)} for group in groups(job, journal)]
    threads = job.threads or 1
    most = max(1, int(ray.cluster_resources().get("CPU", 1) // threads))
    return (
        ray.data.from_items(rows, override_num_blocks=max(1, len(rows)))
        .map_batches(
            _read,
            batch_size=1,
            batch_format="pyarrow",
            compute=ray.data.TaskPoolStrategy(size=max(1, min(most, len(rows)))),
            num_cpus=0,
            fn_kwargs={"reading": job.reading, "folder": str(Path.cwd())},
        )
        .map_batches(
            _Actor,
            batch_size=1,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most),
            num_cpus=ASKED_SHARE * threads,
            fn_constructor_args=(
                replace(job, sources=(), bundle=portable_name(job.bundle), threads=threads),
                job.identity()["bundle"],
            ),
        )
    )


def _read(table: "pyarrow.Table", reading: Reading, folder: str) -> Iterator["pyarrow.Table"]:
    """Read a group of files in chunks; relative names are meant from `folder`, which need not be there otherwise."""
    import pyarrow

    with suppress(OSError):
        os.chdir(folder)
    for content in table["group"].to_pylist():
        group: Group = pickle.loads(content)
        for source in group.sources:
            if "://" not in source.name and not Path(source.name).exists():
                raise VeilleurError(f"{source.name} is not on every machine: use a folder that all share, or a URL")
        for chunk in read_chunks(group.sources, reading, group.start):
            end = Position(chunk.end.file + group.first, chunk.end.entry)
            placed = replace(chunk, end=end, bytes=chunk.bytes + group.bytes)
            yield pyarrow.table({"chunk": [pickle.dumps(placed)]})


class _Actor:
    """Holds a tagger and tags chunks."""

    def __init__(self, job: Job, bundle: str) -> None:
        if job.identity()["bundle"] != bundle:
            raise VeilleurError(f"the bundle {job.bundle} is not the same on every machine: copy it to all of them")
        self.job = job
        self.tagger = job.tagger()
        self.encoder = encoder(job.form, self.tagger.topics)

    def __call__(self, table: "pyarrow.Table") -> "pyarrow.Table":
        import pyarrow

        chunks = map(pickle.loads, table["chunk"].to_pylist())
        tagged = [tag_chunk(self.tagger, chunk, self.job.unit, self.encoder) for chunk in chunks]
        return pyarrow.table({"tagged": [pickle.dumps(one) for one in tagged]})


def _reason(error: BaseException) -> str:
    """Find our own sentence in what Ray has made of it, or else Ray's first."""
    ours = "veilleur.errors.VeilleurError: "
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return next((line.removeprefix(ours) for line in lines if line.startswith(ours)), lines[0])
