"""What pruning the bundled base's vocabulary costs on the project's own French text.

    python -P benchmarks/pruning.py

Prints the sizes of both vocabularies, how many more tokens the pruned one needs, and how many tokens become unknown.
"""

from tokenizers import Tokenizer

from veilleur.seeds import articles, composed
from veilleur.train.base import bundled_base, unigram_tokenizer
from veilleur.train.packed_e5 import packed_file, read_packed


def main() -> None:
    encoder = read_packed(packed_file())
    full = unigram_tokenizer(encoder.pieces)
    pruned = Tokenizer.from_file(str(bundled_base() / "tokenizer.json"))
    texts = [segment.text for bulletin in (*articles(), *composed()) for segment in bulletin.readable]
    counts = [[len(one.ids) for one in tokenizer.encode_batch(texts)] for tokenizer in (full, pruned)]
    unknown = [sum(one.ids.count(3) for one in tokenizer.encode_batch(texts)) for tokenizer in (full, pruned)]
    more = [after - before for before, after in zip(*counts, strict=True)]
    print(f"pieces           {full.get_vocab_size():8,} full  {pruned.get_vocab_size():8,} pruned")
    print(f"tokens           {sum(counts[0]):8,} full  {sum(counts[1]):8,} pruned  (+{sum(more) / sum(counts[0]):.2%})")
    print(f"unknown tokens   {unknown[0]:8,} full  {unknown[1]:8,} pruned")
    print(f"paragraphs with a token split further: {sum(extra > 0 for extra in more):,} of {len(texts):,}")


if __name__ == "__main__":
    main()
