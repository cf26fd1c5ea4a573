import io
from pathlib import Path
from zipfile import ZipFile

import pytest

from veilleur import VeilleurError
from veilleur.batch.files import Meter, Source, compressed, find_sources, open_source, read_errors


def names(*given: object, **options: object) -> list[str]:
    return [Path(source.name).name for source in find_sources(map(str, given), **options)]  # type: ignore[arg-type]


def test_folders_globs_and_files_are_found_in_order(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.txt", "a.csv.gz", "deep/c.jsonl.zst", "picture.png"):
        (tmp_path / name).write_bytes(b"x")
    assert names(tmp_path) == ["a.csv.gz", "b.txt", "c.jsonl.zst"]
    assert names(tmp_path / "*.txt", tmp_path / "picture.png") == ["b.txt", "picture.png"]
    assert names(tmp_path / "**" / "*.zst") == ["c.jsonl.zst"]
    assert names(tmp_path, excluded=[tmp_path / "deep", tmp_path / "b.txt"]) == ["a.csv.gz"]
    assert "picture.png" in names(tmp_path, any_suffix=True)


def test_what_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(VeilleurError, match="no such file or folder"):
        find_sources([str(tmp_path / "missing.txt")])
    for name in (tmp_path, tmp_path / "*.txt"):
        with pytest.raises(VeilleurError, match="holds no file that can be read"):
            find_sources([str(name)])


@pytest.mark.parametrize("compression", ["gzip", "zstd", None])
@pytest.mark.parametrize("seekable", [False, True])
def test_compressed_files_are_read_whatever_their_name(tmp_path: Path, compression: str | None, seekable: bool) -> None:
    content = b"des lignes\n" * 50_000
    path = tmp_path / "a.txt"
    with path.open("wb") as file, compressed(file, compression) as packed:  # type: ignore[arg-type]
        packed.write(content)
    again = io.BytesIO()
    with compressed(again, compression) as packed:  # type: ignore[arg-type]
        packed.write(content)
    assert again.getvalue() == path.read_bytes()  # the same content, the same bytes
    path.write_bytes(path.read_bytes() * 2)  # archives that were put together are read to their end
    meter = Meter()
    with open_source(Source(str(path)), meter, seekable=seekable) as stream:
        assert stream.readline() == b"des lignes\n"
        assert len(stream.read()) == 2 * len(content) - 11
        if seekable:
            assert stream.seek(0) == 0
    assert meter.bytes >= path.stat().st_size


def test_urls_are_read_with_fsspec() -> None:
    import fsspec

    for name in ("b.txt", "a.jsonl", "notes.doc"):
        with fsspec.open(f"memory://desk/{name}", "wb") as file:
            file.write(name.encode())
    assert names("memory://desk") == names("memory://desk/*.[tj]*") == ["a.jsonl", "b.txt"]
    (source,) = find_sources(["memory://desk/b.txt"])
    with open_source(source, Meter()) as stream:
        assert stream.read() == b"b.txt"
    with pytest.raises(VeilleurError, match="cannot be read"):
        find_sources(["memory://desk/missing.txt"])
    with pytest.raises(VeilleurError, match="cannot be read"):
        find_sources(["nosuch://desk/missing.txt"])


def test_a_chain_of_file_systems_keeps_its_name(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "dedans")
    url = f"zip://a.txt::{tmp_path / 'a.zip'}"
    (source,) = find_sources([url])
    with open_source(source, Meter()) as stream:
        assert (source.name, stream.read()) == (url, b"dedans")


def test_a_truncated_archive_is_damaged(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with compressed(packed, "zstd") as file:
        file.write(bytes(range(256)) * 100)
    for size in (10, len(packed.getvalue()) - 1):
        (tmp_path / "a.zst").write_bytes(packed.getvalue()[:size])
        with open_source(Source(str(tmp_path / "a.zst")), Meter()) as stream, pytest.raises(read_errors()):
            stream.read()


def test_a_text_in_place_of_a_name_and_an_input_that_is_the_output_are_told(tmp_path: Path) -> None:
    with pytest.raises(VeilleurError, match="give a text through standard input"):
        find_sources(["La police a saisi 30 kg de cocaïne. " * 20])
    (tmp_path / "a.jsonl").write_text("x")
    with pytest.raises(VeilleurError, match="is what this run writes"):
        find_sources([str(tmp_path / "a.jsonl")], excluded=[tmp_path / "a.jsonl"])
