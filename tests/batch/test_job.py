import errno
import io
import json
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from veilleur import Tagger, VeilleurError
from veilleur.batch import chunks
from veilleur.batch.files import Source, compressed, find_sources
from veilleur.batch.formats import Format, compression_of
from veilleur.batch.inputs import Reading, Reject
from veilleur.batch.job import Engine, Job, local_engine, rejects_of, run_job, stream_job, work_of
from veilleur.batch.outputs import encoder
from veilleur.batch.tagging import TaggedChunk
from veilleur.batch.work import Journal

FORMS: list[Format] = ["jsonl", "csv", "tsv", "parquet"]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "ENTRIES", 32)


def job_of(bundle: Path, *names: Path, **options: Any) -> Job:
    return Job(tuple(find_sources(map(str, names))), str(bundle), **options)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# Formats


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tsv", "parquet", "jsonl.gz", "csv.zst", "parquet.gz"])
def test_every_format_comes_back_as_it_went_in(
    tfidf_bundle: Path, tagger: Tagger, rows: list[dict[str, Any]], tmp_path: Path, suffix: str
) -> None:
    form: Any = suffix.split(".")[0]
    path = tmp_path / f"in.{suffix}"
    part = tmp_path / "part"
    part.write_bytes(encoder(form).encode(rows))
    with path.open("wb") as file, compressed(file, compression_of(suffix)) as packed:
        encoder(form).assemble([part], packed)

    output = tmp_path / f"out.{suffix}"
    run_job(job_of(tfidf_bundle, path, form=form), local_engine(tagger), output)
    again = tmp_path / "again.jsonl"  # what was written can be read as an input
    journal = run_job(job_of(tfidf_bundle, output), local_engine(tagger), again)
    assert (journal.inputs, journal.rejects) == (len(rows), 0)
    for row, found in zip(rows, rows_of(again), strict=True):
        is_typed = form in ("jsonl", "parquet")
        assert found["text"] == row["text"]
        assert found["rang"] == (row["rang"] if is_typed else str(row["rang"]))
        assert found["titre"] == "Été"
        assert found["id"] == row["id"]
        expected = list(tagger.tag(row["text"]).topics)
        if is_typed:
            assert "input_topics" not in found  # they are the same
        else:
            assert found["input_topics"] == "|".join(expected)
        assert found["topics"] == expected


def test_parquet_columns_keep_their_types(tfidf_bundle: Path, tagger: Tagger, tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    columns = {
        "text": pyarrow.array(["La drogue.", "Un incendie."]),
        "when": pyarrow.array([0, None], pyarrow.timestamp("s", "Europe/Paris")),
        "small": pyarrow.array([1, 2], pyarrow.int8()),
        "price": pyarrow.array([None, None], pyarrow.decimal128(9, 2)),
        "source": pyarrow.array([3, 4], pyarrow.int16()),
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "in.parquet")
    output = tmp_path / "out.parquet"
    run_job(job_of(tfidf_bundle, tmp_path / "in.parquet", form="parquet"), local_engine(tagger), output)
    given, table = parquet.read_table(tmp_path / "in.parquet"), parquet.read_table(output)
    for name in ("when", "small", "price"):
        assert table[name].type == given[name].type
        assert table[name].to_pylist() == given[name].to_pylist()
    assert table["input_source"].type == pyarrow.int16()


@pytest.mark.parametrize("form", FORMS)
def test_a_stream_gets_the_same_bytes_as_a_file(
    tfidf_bundle: Path, tagger: Tagger, news: Path, tmp_path: Path, form: Format
) -> None:
    job = job_of(tfidf_bundle, news, form=form)
    file = io.BytesIO()
    rejects: list[Reject] = []
    *_, journal = stream_job(job, local_engine(tagger), file, rejects.append)
    output = tmp_path / "out"
    assert run_job(job, local_engine(tagger), output) == journal
    assert file.getvalue() == output.read_bytes()
    assert len(rejects) == journal.rejects == 3


# Rejects


def test_rejects_are_written_and_counted(tfidf_bundle: Path, tagger: Tagger, news: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    journal = run_job(job_of(tfidf_bundle, news), local_engine(tagger), output)
    rejects = rows_of(rejects_of(output))
    assert [(Path(one["file"]).name, one["line"], one["raw"]) for one in rejects] == [
        ("a.jsonl", 147, "{broken"),
        ("a.jsonl", 148, '{"txt": 1}'),
        ("c.jsonl", 147, "[1]"),
    ]
    assert (journal.rejects, journal.inputs, journal.records) == (3, 439, len(rows_of(output)))
    (news / "a.jsonl").unlink()
    (news / "c.jsonl").unlink()
    run_job(job_of(tfidf_bundle, news), local_engine(tagger), output)
    assert not rejects_of(output).exists()  # those of the earlier run would be wrong now


def test_rejects_need_a_file_of_their_own(tfidf_bundle: Path, tagger: Tagger, news: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    for path in (output, Path("/dev/null")):
        with pytest.raises(VeilleurError, match="a file of their own"):
            run_job(job_of(tfidf_bundle, news), local_engine(tagger), output, rejects=path)
    assert Path("/dev/null").is_char_device()


def test_a_huge_paragraph_is_rejected_whole_and_the_rest_is_tagged(
    tfidf_bundle: Path, tagger: Tagger, tmp_path: Path
) -> None:
    huge = json.dumps({"text": "drogue " * (50 * 2**20 // 7)})
    (tmp_path / "a.jsonl").write_text(f'{{"text": "un"}}\n{huge}\n{{"text": "deux"}}\n')
    output = tmp_path / "out.jsonl"
    journal = run_job(job_of(tfidf_bundle, tmp_path / "a.jsonl"), local_engine(tagger), output)
    assert (journal.inputs, journal.rejects) == (2, 1)
    (reject,) = rows_of(rejects_of(output))
    assert "characters long" in reject["reason"]
    assert reject["raw"] == huge


def test_a_text_that_the_model_fails_on_is_rejected_alone(tfidf_bundle: Path, tmp_path: Path) -> None:
    from veilleur import load

    tagger = load(tfidf_bundle)
    logits = tagger.model.logits

    def failing(texts: Any) -> Any:
        if "boum" in texts:
            raise RuntimeError("out of memory")
        return logits(texts)

    tagger.model.logits = failing  # type: ignore[method-assign]
    (tmp_path / "a.jsonl").write_text('{"text": "un"}\n{"text": "boum"}\n{"text": "deux"}\n')
    output = tmp_path / "out.jsonl"
    journal = run_job(job_of(tfidf_bundle, tmp_path / "a.jsonl"), local_engine(tagger), output)
    assert (journal.inputs, journal.rejects) == (2, 1)
    (reject,) = rows_of(rejects_of(output))
    assert (reject["line"], reject["raw"], reject["reason"]) == (2, "boum", "cannot be tagged (out of memory)")


def test_too_many_rejects_stop_the_run_and_a_higher_limit_goes_on(
    tfidf_bundle: Path, tagger: Tagger, news: Path, tmp_path: Path
) -> None:
    job, output = job_of(tfidf_bundle, news), tmp_path / "out.jsonl"
    for _ in range(2):
        with pytest.raises(VeilleurError, match="2 inputs were rejected, more than 1"):
            run_job(job, local_engine(tagger), output, max_rejects=1)
    assert len(rows_of(rejects_of(output))) == 2
    assert not output.exists()
    assert run_job(job, local_engine(tagger), output, max_rejects=3).inputs == 439


# Breaks


def broken_after(count: int, engine: Engine, error: BaseException) -> Engine:
    def tag(job: Job, journal: Journal) -> Iterator[TaggedChunk]:
        for number, tagged in enumerate(engine(job, journal)):
            if number == count:
                raise error
            yield tagged

    return tag


@pytest.mark.parametrize("form", FORMS)
def test_a_broken_run_goes_on_and_gives_the_same_bytes(
    tfidf_bundle: Path, tagger: Tagger, news: Path, tmp_path: Path, form: Format
) -> None:
    job = job_of(tfidf_bundle, news, form=form)
    whole, output = tmp_path / "whole", tmp_path / "out"
    run_job(job, local_engine(tagger), whole)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            run_job(job, broken_after(4, local_engine(tagger), KeyboardInterrupt()), output)
    starts: list[Journal] = []
    run_job(job, local_engine(tagger), output, report=starts.append)
    assert starts[0].chunks == 12  # nothing was done again
    assert output.read_bytes() == whole.read_bytes()
    assert rejects_of(output).read_bytes() == rejects_of(whole).read_bytes()
    assert not work_of(output).exists()


def in_child(task: Callable[[], object]) -> BaseProcess:
    """Run in a forked process, which has the tagger already."""

    def child() -> None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 (tracebacks of interrupted children)
        task()

    process = get_context("fork").Process(target=child)
    process.start()
    return process


def test_killed_at_random_moments_twenty_times_it_loses_and_repeats_nothing(
    tfidf_bundle: Path, tagger: Tagger, news: Path, tmp_path: Path
) -> None:
    job = job_of(tfidf_bundle, news)
    whole, output = tmp_path / "whole", tmp_path / "out"

    began = time.monotonic()
    in_child(lambda: run_job(job, local_engine(tagger), whole)).join()
    lasted = time.monotonic() - began

    moments = random.Random(0)
    kills = 0
    while kills < 20:
        output.unlink(missing_ok=True)
        finished = False
        while not finished:
            process = in_child(lambda: run_job(job, local_engine(tagger), output))
            process.join(moments.uniform(0, lasted))
            if process.is_alive():
                assert process.pid is not None
                os.kill(process.pid, signal.SIGKILL)
                kills += 1
            process.join()
            finished = process.exitcode == 0
        assert output.read_bytes() == whole.read_bytes()
        assert rejects_of(output).read_bytes() == rejects_of(whole).read_bytes()
        assert not work_of(output).exists()


def test_a_full_disk_is_one_sentence_and_the_run_goes_on_later(
    tfidf_bundle: Path, tagger: Tagger, news: Path, tmp_path: Path
) -> None:
    job = job_of(tfidf_bundle, news)
    whole, output, told = tmp_path / "whole", tmp_path / "out", tmp_path / "told"
    run_job(job, local_engine(tagger), whole)

    def with_little_room() -> None:
        limit = whole.stat().st_size // 2  # parts fit, the whole does not
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            run_job(job, local_engine(tagger), output)
        except VeilleurError as error:
            told.write_text(str(error))

    in_child(with_little_room).join()
    assert os.strerror(errno.EFBIG) in told.read_text()
    assert "the same command goes on" in told.read_text()
    assert not output.exists()
    journals: list[Journal] = []
    run_job(job, local_engine(tagger), output, report=journals.append)
    assert len(journals) == 1  # all was tagged, it had only to be put together
    assert output.read_bytes() == whole.read_bytes()


def test_a_second_run_on_the_same_output_is_refused_and_a_dead_one_is_not(
    tfidf_bundle: Path, tagger: Tagger, news: Path, tmp_path: Path
) -> None:
    job, output = job_of(tfidf_bundle, news), tmp_path / "out.jsonl"

    def endless(job: Job, journal: Journal) -> Iterator[TaggedChunk]:
        (tmp_path / "begun").touch()
        time.sleep(600)
        yield from ()

    process = in_child(lambda: run_job(job, endless, output))
    while not (tmp_path / "begun").exists():
        time.sleep(0.01)
    with pytest.raises(VeilleurError, match=r"out\.jsonl is being written by another run"):
        run_job(job, local_engine(tagger), output)
    process.kill()
    process.join()
    assert (work_of(output) / "lock").exists()
    assert run_job(job, local_engine(tagger), output).inputs == 439


def test_another_job_does_not_go_on_with_the_work(
    tfidf_bundle: Path, tagger: Tagger, news: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.jsonl"
    with pytest.raises(KeyboardInterrupt):
        run_job(job_of(tfidf_bundle, news), broken_after(2, local_engine(tagger), KeyboardInterrupt()), output)
    with pytest.raises(VeilleurError, match="unfinished run with other way of reading and unit"):
        run_job(job_of(tfidf_bundle, news, unit="text", reading=Reading(text="x")), local_engine(tagger), output)
    with (news / "c.jsonl").open("a") as file:
        file.write('{"text": "neuf"}\n')
    with pytest.raises(VeilleurError, match="with other inputs"):
        run_job(job_of(tfidf_bundle, news), local_engine(tagger), output)


def test_standard_input_goes_on_if_it_is_the_same(
    tfidf_bundle: Path, tagger: Tagger, news: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (news / "a.jsonl").read_bytes()
    job, output = Job((Source("-"),), str(tfidf_bundle)), tmp_path / "out.jsonl"

    def give(content: bytes) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))

    give(data)
    with pytest.raises(KeyboardInterrupt):
        run_job(job, broken_after(7, local_engine(tagger), KeyboardInterrupt()), output)
    give(data.replace(b"drogue", b"drague"))
    with pytest.raises(VeilleurError, match="not what the unfinished run read"):
        run_job(job, local_engine(tagger), output)
    give(data.replace(b'"rang"', b'"rank"'))  # the same texts, other columns
    with pytest.raises(VeilleurError, match="not what the unfinished run read"):
        run_job(job, local_engine(tagger), output)
    give(data)
    run_job(job, local_engine(tagger), output)
    give(data)
    run_job(job, local_engine(tagger), tmp_path / "whole.jsonl")
    assert output.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
