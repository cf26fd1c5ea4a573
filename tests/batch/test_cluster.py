import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from veilleur import Tagger, VeilleurError
from veilleur.batch.chunks import Position
from veilleur.batch.cluster import Group, groups, ray_engine
from veilleur.batch.files import Source, find_sources
from veilleur.batch.inputs import Reading
from veilleur.batch.job import Job, local_engine, rejects_of, run_job
from veilleur.batch.work import Journal

pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without processors and two workers with one each."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    cluster.workers = [cluster.add_node(num_cpus=1) for _ in range(2)]
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture
def archive(tmp_path: Path, rows: list[dict[str, object]]) -> list[str]:
    """Three files with twelve chunks and two rejects."""
    lines = [json.dumps(row) for row in rows] * 28
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines if name == "b" else [*lines, "{broken"]))
    return [f"{'file://' if name == 'c' else ''}{tmp_path}/{name}.jsonl" for name in ("a", "b", "c")]


def test_a_cluster_gives_the_same_bytes_though_a_worker_is_killed(
    cluster: Any, archive: list[str], tfidf_bundle: Path, tagger: Tagger, tmp_path: Path
) -> None:
    job = Job(tuple(find_sources(archive)), str(tfidf_bundle), form="csv")
    whole, output = tmp_path / "whole.csv", tmp_path / "out.csv"
    expected = run_job(job, local_engine(tagger), whole)
    killed: list[int] = []

    def kill(journal: Journal) -> None:
        if journal.chunks == 2 and not killed:
            cluster.remove_node(cluster.workers.pop())
            killed.append(journal.chunks)

    found = run_job(job, ray_engine(cluster.address), output, report=kill)
    assert killed
    assert (found.inputs, found.records, found.rejects) == (expected.inputs, expected.records, expected.rejects)
    assert output.read_bytes() == whole.read_bytes()
    assert rejects_of(output).read_bytes() == rejects_of(whole).read_bytes()

    with pytest.raises(VeilleurError, match="is not on every machine"):
        gone = Job((Source(str(tmp_path / "gone.jsonl"), 3, "x"),), str(tfidf_bundle))
        run_job(gone, ray_engine(cluster.address), tmp_path / "gone.out")


def test_files_are_divided_among_tasks_from_where_the_run_stopped() -> None:
    sources = tuple(Source(f"{number}.txt", 10) for number in range(600))
    first, *_, last = groups(Job(sources, "tfidf"), Journal(end=Position(100, 1)))
    assert first == Group(sources[100:356], 100, 1000, Position(0, 1))
    assert last == Group(sources[356:], 356, 3560)
    large = tuple(Source(f"{number}.parquet", 2**29) for number in range(3))
    assert len(groups(Job(large, "tfidf"), Journal())) == 3
    assert groups(Job(large, "tfidf"), Journal(end=Position(3))) == []


def test_streams_stay_on_this_machine() -> None:
    with pytest.raises(VeilleurError, match="standard input"):
        next(ray_engine()(Job((Source("-"),), "tfidf", Reading()), Journal()))
