"""Annif's side of throughput.py: runs where Annif is installed, and so imports nothing of this project.

    PYTHON -I -X utf8 benchmarks/annif_peer.py FOLDER

FOLDER holds what Annif reads as it is: the vocabulary `topics.tsv`, the labels `train.jsonl` and the texts
`texts.jsonl`. Trains a project for each backend, writes Annif's version and the backends as a line of JSON, and then
answers each line, a backend's name, with the seconds in which it suggests topics for all texts.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

try:
    import annif
except ModuleNotFoundError as error:
    raise SystemExit(f"{sys.executable} has no {error.name}: install annif into its environment.") from error
import nltk.data
from annif.corpus import Document, DocumentFileJSONL
from annif.project import AnnifProject
from annif.registry import AnnifRegistry
from annif.vocab import VocabFileTSV
from nltk.tokenize.punkt import PunktTrainer, save_punkt_params

LANGUAGE = "fr"
BACKENDS = ("tfidf", "svc")
PROJECT = """
[{backend}]
language={language}
backend={backend}
analyzer=snowball(french)
vocab=topics
"""


def main() -> None:
    folder = Path(sys.argv[1])
    annif.logger.setLevel("ERROR")  # that only a text's first topic is used for `svc` is known
    provide_punkt(folder)
    projects = train(folder)
    texts = list(DocumentFileJSONL(str(folder / "texts.jsonl"), None, LANGUAGE, require_subjects=False).documents)
    print(json.dumps([version("annif"), *BACKENDS]), flush=True)
    for line in sys.stdin:
        print(json.dumps(seconds(projects[json.loads(line)], texts)), flush=True)


def provide_punkt(folder: Path) -> None:
    """Give NLTK its parameters for finding sentences, learnt from the labels' texts.

    Every analyzer finds words by way of sentences with them, and else downloads those that were learnt from English
    newspapers, which nltk.org alone has.
    """
    lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
    trainer = PunktTrainer("\n".join(json.loads(line)["text"] for line in lines))
    parameters = folder / "nltk" / "tokenizers" / "punkt_tab" / "english"  # of which Annif asks always
    parameters.parent.mkdir(parents=True)
    save_punkt_params(trainer.get_params(), str(parameters))
    nltk.data.path.insert(0, str(folder / "nltk"))


def train(folder: Path) -> dict[str, AnnifProject]:
    configuration = folder / "projects.cfg"
    sections = (PROJECT.format(backend=backend, language=LANGUAGE) for backend in BACKENDS)
    configuration.write_text("".join(sections), encoding="utf-8")
    registry = AnnifRegistry(str(configuration), str(folder / "data"), init_projects=False)
    vocabulary = registry.get_vocab("topics")
    vocabulary.load_vocabulary(VocabFileTSV(str(folder / "topics.tsv"), LANGUAGE))
    labelled = DocumentFileJSONL(str(folder / "train.jsonl"), vocabulary.subjects, LANGUAGE)
    projects = {backend: registry.get_project(backend) for backend in BACKENDS}
    for project in projects.values():
        project.train(labelled)
    return projects


def seconds(project: AnnifProject, texts: list[Document]) -> float:
    """Return how long the topics of all texts take, in one batch, which is faster than Annif's own of 32."""
    began = perf_counter()
    project.suggest(texts)
    return perf_counter() - began


if __name__ == "__main__":
    main()
