"""The bundle: a fitted model as a folder of plain files, and the checks that every loading makes.

A bundle runs no code: its manifest is JSON, the baseline is plain arrays, the fine-tune is an ONNX graph. Every file is
named in the manifest with its SHA-256.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from veilleur.errors import VeilleurError
from veilleur.model.calibration import Calibration
from veilleur.model.cascade import Cascade
from veilleur.model.files import file_sha256

FORMAT = 1
MANIFEST = "veilleur.json"
CARD = "README.md"
KINDS = {"tfidf": "model.npz", "camembert": "model.onnx"}  # the file that each kind runs
BASELINE = "baseline.npz"  # the baseline beside a fine-tune, where there is one
DEFAULT = "camembert"
PICKLES = {".pkl", ".pickle", ".joblib", ".pt", ".pth", ".bin"}


@dataclass(frozen=True)
class Manifest:
    """The content of ``veilleur.json``.

    Attributes
    ----------
    kind : {"tfidf", "camembert"}
        Which model reads the weights.
    topics : tuple of str
        Topic ids, in the order of the model's outputs.
    thresholds : tuple of float
        A topic is given when its calibrated probability reaches its threshold.
    calibration : Calibration
        From logits to probabilities.
    base : str
        What the fine-tune started from; empty for the baseline.
    training : mapping
        How it was trained: hash and number of the labelled paragraphs, seed, settings.
    scores : mapping
        Measured figures, as the model card shows them.
    versions : mapping
        Versions of the libraries that fitted it.
    files : mapping of str to str
        SHA-256 of every other file of the bundle.
    format : int
        Version of this layout.
    exclusive : bool
        Whether a text is given exactly one topic, the likeliest, whatever its threshold.
    cascade : Cascade or None
        How a fine-tune works together with the baseline beside it; None where it stands alone.
    """

    kind: str
    topics: tuple[str, ...]
    thresholds: tuple[float, ...]
    calibration: Calibration
    base: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    format: int = FORMAT
    exclusive: bool = False
    cascade: Cascade | None = None


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Hash every file of `folder`, write ``veilleur.json`` there and return the manifest with those hashes."""
    files = {
        path.relative_to(folder).as_posix(): file_sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    content = sealed({**asdict(manifest), "files": files})
    (folder / MANIFEST).write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return read_manifest(folder)


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest's content with the hash of all of it, which tells a changed manifest from the written one."""
    bare = {key: value for key, value in content.items() if key != "sha256"}
    text = json.dumps(bare, ensure_ascii=False, sort_keys=True)
    return {**bare, "sha256": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()}


def read_manifest(folder: Path) -> Manifest:
    """Read ``veilleur.json`` and check its form; the files it names are checked by `verify`.

    Raises
    ------
    VeilleurError
        If it is missing, not JSON, of a newer format, or inconsistent.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise VeilleurError(f"{folder} is not a bundle: it has no {MANIFEST}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise VeilleurError(f"{path} cannot be read ({error}): the bundle is damaged, get it again") from error
    if not isinstance(content, dict):
        raise VeilleurError(f"{path} must hold a JSON object: the bundle is damaged, get it again")
    version = content.get("format")
    if not isinstance(version, int) or version < 1:
        raise VeilleurError(f"{path} names no format version: the bundle is damaged, get it again")
    if version > FORMAT:
        raise VeilleurError(
            f"{folder} is of bundle format {version}, this version reads up to {FORMAT}: pip install --upgrade veilleur"
        )
    if content.get("sha256") != sealed(content)["sha256"]:
        raise VeilleurError(f"{path} has changed since the bundle was written: get the bundle again")
    try:
        manifest = Manifest(
            kind=content["kind"],
            topics=tuple(content["topics"]),
            thresholds=_floats(content["thresholds"]),
            calibration=Calibration(
                _floats(content["calibration"]["slopes"]), _floats(content["calibration"]["intercepts"])
            ),
            base=content.get("base", ""),
            training=content.get("training", {}),
            scores=content.get("scores", {}),
            versions=content.get("versions", {}),
            files=dict(content["files"]),
            format=version,
            exclusive=bool(content.get("exclusive", False)),
            cascade=_cascade(content.get("cascade")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise VeilleurError(f"{path} lacks or misstates {error}: the bundle is damaged, get it again") from error
    _check_form(path, manifest)
    return manifest


def _cascade(content: Mapping[str, Any] | None) -> Cascade | None:
    if content is None:
        return None
    below = content["below"]
    return Cascade(_floats(content["stand_in"]), None if below is None else _floats(below))


def _floats(values: Iterable[Any]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _check_form(path: Path, manifest: Manifest) -> None:
    if manifest.kind not in tuple(KINDS):  # compared, not hashed: it may be a list
        raise VeilleurError(f"{path} names the unknown kind {manifest.kind!r}: known are {', '.join(KINDS)}")
    topics = manifest.topics
    if not topics or not all(isinstance(topic, str) and topic for topic in topics) or len(set(topics)) != len(topics):
        raise VeilleurError(f"{path} has a wrong topic list: one or more names, each once, are needed")
    calibration = manifest.calibration
    named = [
        ("thresholds", manifest.thresholds),
        ("calibration slopes", calibration.slopes),
        ("calibration intercepts", calibration.intercepts),
    ]
    if manifest.cascade is not None:
        named.append(("stand-in logits", manifest.cascade.stand_in))
        if manifest.cascade.below is not None:
            named.append(("limits of the cascade", manifest.cascade.below))
    for name, values in named:
        if len(values) != len(topics):
            raise VeilleurError(f"{path} lists {len(topics)} topics but {len(values)} {name}: the topic list is wrong")
        if not all(math.isfinite(value) for value in values):
            raise VeilleurError(f"{path} has {name} that are not numbers: the bundle is damaged, get it again")


def verify(folder: Path, manifest: Manifest) -> None:
    """Check that the bundle's files are exactly those that were written.

    Raises
    ------
    VeilleurError
        If a file is missing, changed, added, or is a pickle.
    """
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix in PICKLES:
            raise VeilleurError(f"{path} is a pickle, which could run code: bundles hold none, get this one again")
        if path.is_file() and name != MANIFEST and name not in manifest.files:
            raise VeilleurError(f"{path} is not named in {MANIFEST}: remove it or get the bundle again")
    for needed in (KINDS[manifest.kind], *([BASELINE] if manifest.cascade else [])):
        if needed not in manifest.files:
            raise VeilleurError(f"{folder / MANIFEST} does not name {needed}: the bundle is damaged, get it again")
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise VeilleurError(f"{folder / MANIFEST} names {name}, which lies outside the bundle")
        if not path.is_file():
            raise VeilleurError(f"{path} is missing: get the bundle again")
        if file_sha256(path) != expected:
            raise VeilleurError(f"{path} has changed since the bundle was written: get the bundle again")


def shipped_folder() -> Path:
    """Return the folder of the bundles that come with the package."""
    return Path(str(resources.files("veilleur.model") / "bundles"))


def shipped_bundles() -> dict[str, Manifest]:
    """Return the manifests of the shipped bundles by name."""
    folder = shipped_folder()
    return {path.parent.name: read_manifest(path.parent) for path in sorted(folder.glob(f"*/{MANIFEST}"))}


def bundle_folder(bundle: str | Path = DEFAULT) -> Path:
    """Find a bundle by the name of a shipped one or by its folder.

    A name means the shipped bundle; a folder of the same name is meant by a `Path` or by ``./name``.

    Raises
    ------
    VeilleurError
        If there is neither.
    """
    names = [path.parent.name for path in sorted(shipped_folder().glob(f"*/{MANIFEST}"))]
    if isinstance(bundle, str) and bundle in names:
        return shipped_folder() / bundle
    path = Path(bundle)
    if path.is_dir():
        return path
    known = ", ".join(names)
    raise VeilleurError(f"there is no bundle {str(bundle)!r}: name a folder or one of the shipped ones ({known})")


def portable_name(bundle: str | Path) -> str:
    """Return what finds the same bundle from any folder: a shipped one's name, else the absolute path."""
    folder = bundle_folder(bundle)
    return folder.name if folder.parent == shipped_folder() else str(folder.resolve())
