import struct
from pathlib import Path

import numpy as np
import pytest

from veilleur.errors import VeilleurError
from veilleur.train.packed_e5 import BLOCK, packed_file, read_packed


def write_packed(path: Path, hidden: int = 32, layers: int = 1) -> dict[str, np.ndarray]:
    """Write a small file of the packed layout and return the tensors that reading must give."""
    rng = np.random.default_rng(0)
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁le", "é"]
    names: dict[str, tuple[int, ...]] = {"emb.word": (6, hidden), "emb.pos": (8, hidden), "emb.type": (2, hidden)}
    names |= {"emb.ln.w": (hidden,), "emb.ln.b": (hidden,)}
    for part in ("q", "k", "v", "ao", "fi", "fo"):
        names[f"l0.{part}.w"] = (hidden, hidden)
        names[f"l0.{part}.b"] = (hidden,)
    names |= {f"l0.{part}": (hidden,) for part in ("aln.w", "aln.b", "oln.w", "oln.b")}
    header = b"E5S1" + struct.pack("<I7ifi", 1, hidden, layers, 4, hidden, 6, 8, 2, 1e-12, BLOCK)
    texts = [piece.encode() for piece in pieces]
    offsets = np.cumsum([0, *map(len, texts)]).astype("<u4")
    header += struct.pack("<5iQ", 6, 0, 2, 1, 3, int(offsets[-1])) + offsets.tobytes()
    header += np.arange(6, dtype="<f4").tobytes() + b"".join(texts)
    header += struct.pack("<iI", 1, 9) + struct.pack("<IBI", 65, 1, 97)  # the normalisation map, which is skipped
    size = len(header) + 4 + sum(2 + len(name) + 5 + 16 for name in names)
    directory, data, expected = struct.pack("<i", len(names)), b"", {}
    for name, shape in names.items():
        packed = len(shape) == 2 and name not in ("emb.pos", "emb.type")
        count = int(np.prod(shape))
        if packed:
            scales = rng.random(count // BLOCK).astype("<f2")
            weights = rng.integers(0, 16, (count // BLOCK, BLOCK)).astype(np.uint8)
            nibbles = weights[:, :16] | (weights[:, 16:] << 4)
            content = b"".join(s.tobytes() + n.tobytes() for s, n in zip(scales, nibbles, strict=True))
            expected[name] = ((weights.astype(np.float32) - 8) * scales.astype(np.float32)[:, None]).reshape(shape)
        else:
            values = rng.random(shape).astype("<f4")
            content, expected[name] = values.tobytes(), values
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", packed, count, size + len(data), len(content))
        data += content
    path.write_bytes(header + directory + data)
    return expected


def test_tensors_and_pieces_are_read_as_they_were_packed(tmp_path: Path) -> None:
    expected = write_packed(tmp_path / "small.bin")
    encoder = read_packed(tmp_path / "small.bin")
    assert (encoder.hidden, encoder.layers, encoder.heads, encoder.positions) == (32, 1, 4, 8)
    assert encoder.pieces[4] == ("▁le", 4.0)
    assert encoder.tensors.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(encoder.tensors[name], values)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.bin"
    write_packed(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(VeilleurError, match="cut short or damaged"):
        read_packed(path)
    path.write_bytes(b"GGUF" + whole[4:])
    with pytest.raises(VeilleurError, match="not a packed e5 encoder"):
        read_packed(path)


def test_the_installed_file_has_the_special_pieces_that_camembert_counts_on() -> None:
    encoder = read_packed(packed_file())
    assert [piece for piece, _ in encoder.pieces[:4]] == ["<s>", "<pad>", "</s>", "<unk>"]
    assert (encoder.hidden, encoder.layers, encoder.heads, encoder.feed_forward) == (384, 12, 12, 1536)
