import json
import pickle
import shutil
from pathlib import Path

import pytest

from veilleur import VeilleurError, load
from veilleur.model.bundle import FORMAT, MANIFEST, bundle_folder, read_manifest, sealed, shipped_bundles


@pytest.fixture
def copy(tfidf_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tfidf_bundle, tmp_path / "bundle"))


def edit(folder: Path, **changes: object) -> None:
    path = folder / MANIFEST
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(sealed({**content, **changes})), encoding="utf-8")  # as one who knows the format would


@pytest.mark.parametrize("name", ["model.npz", "model.skops", "README.md"])
def test_a_changed_byte_is_refused(copy: Path, name: str) -> None:
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(VeilleurError, match=f"{name} has changed"):
        load(copy)


@pytest.mark.parametrize("name", ["config.json", "model.onnx", "model.safetensors", "tokenizer.json"])
def test_a_changed_byte_of_a_fine_tune_is_refused(camembert_bundle: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(camembert_bundle, tmp_path / "bundle"))
    with (folder / name).open("r+b") as file:
        file.seek(10)
        byte = file.read(1)[0]
        file.seek(10)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(VeilleurError, match=f"{name} has changed"):
        load(folder)


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "model.npz").unlink()
    with pytest.raises(VeilleurError, match=r"model\.npz is missing"):
        load(copy)


def test_an_added_file_is_refused(copy: Path) -> None:
    (copy / "extra.json").write_text("{}")
    with pytest.raises(VeilleurError, match=r"extra\.json is not named"):
        load(copy)


def test_a_pickle_in_place_of_the_model_is_refused(copy: Path) -> None:
    from veilleur.model.files import file_sha256

    (copy / "model.npz").write_bytes(pickle.dumps({"weights": [1, 2, 3]}))
    manifest = read_manifest(copy)
    edit(copy, files={**manifest.files, "model.npz": file_sha256(copy / "model.npz")})  # even with a right hash
    with pytest.raises(VeilleurError, match=r"model\.npz cannot be loaded"):
        load(copy)


def test_a_pickle_beside_the_model_is_refused(copy: Path) -> None:
    (copy / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(VeilleurError, match="is a pickle"):
        load(copy)


def test_a_newer_format_asks_for_an_upgrade(copy: Path) -> None:
    edit(copy, format=FORMAT + 1)
    with pytest.raises(VeilleurError, match="pip install --upgrade veilleur"):
        load(copy)


def test_a_changed_manifest_is_refused(copy: Path) -> None:
    path = copy / MANIFEST
    path.write_text(path.read_text(encoding="utf-8").replace('"drugs"', '"druggs"', 1), encoding="utf-8")
    with pytest.raises(VeilleurError, match=r"veilleur\.json has changed"):
        load(copy)


def test_a_topic_list_shorter_than_the_models_is_refused(copy: Path) -> None:
    manifest = read_manifest(copy)
    calibration = {"slopes": manifest.calibration.slopes[:5], "intercepts": manifest.calibration.intercepts[:5]}
    edit(copy, topics=manifest.topics[:5], thresholds=manifest.thresholds[:5], calibration=calibration)
    with pytest.raises(VeilleurError, match="wrong topic list: its model gives 6 topics"):
        load(copy)


def test_thresholds_are_numbers(copy: Path) -> None:
    edit(copy, thresholds=[float("nan")] * 6)
    with pytest.raises(VeilleurError, match="thresholds that are not numbers"):
        load(copy)


@pytest.mark.parametrize("topics", [[], ["drugs"], ["drugs"] * 6, [1, 2, 3, 4, 5, 6], [["a"], ["b"], [], [], [], []]])
def test_a_wrong_topic_list_is_refused(copy: Path, topics: list[object]) -> None:
    edit(copy, topics=topics)
    with pytest.raises(VeilleurError, match="topic list"):
        load(copy)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": "1"}'])
def test_a_damaged_manifest_is_refused(copy: Path, text: str) -> None:
    (copy / MANIFEST).write_text(text)
    with pytest.raises(VeilleurError, match="damaged"):
        load(copy)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": []},
        {"kind": "bayes"},
        {"calibration": None},
        {"files": 3},
        {"thresholds": [10**400] * 6},
        {"base": "\ud800", "files": 3},
    ],
)
def test_a_misstated_manifest_is_refused(copy: Path, changes: dict[str, object]) -> None:
    edit(copy, **changes)
    with pytest.raises(VeilleurError, match=r"unknown kind|lacks or misstates"):
        load(copy)


def test_files_outside_the_bundle_are_refused(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    manifest = read_manifest(copy)
    edit(copy, files={**manifest.files, "../secret": "0" * 64})
    with pytest.raises(VeilleurError, match="outside the bundle"):
        load(copy)


def test_an_unknown_bundle_is_told_with_the_known_ones() -> None:
    with pytest.raises(VeilleurError, match=r"no bundle 'nothing'.*camembert, tfidf"):
        bundle_folder("nothing")


def test_a_folder_is_not_taken_for_the_shipped_bundle_of_its_name(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy.rename(tmp_path / "tfidf")
    monkeypatch.chdir(tmp_path)
    assert bundle_folder("./tfidf") == bundle_folder(Path("tfidf")) == Path("tfidf")
    assert bundle_folder("tfidf") != Path("tfidf")


def test_the_shipped_bundles_are_whole_and_small() -> None:
    bundles = shipped_bundles()
    assert set(bundles) == {"camembert", "tfidf"}
    size = sum(path.stat().st_size for name in bundles for path in bundle_folder(name).iterdir())
    assert size <= 50e6
    for name, manifest in bundles.items():
        assert load(name).topics == manifest.topics


def test_a_cascade_has_a_limit_and_a_stand_in_for_each_topic(camembert_bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(camembert_bundle, tmp_path / "bundle"))
    edit(folder, cascade={"stand_in": [0.0] * 6, "below": [0.0] * 5})
    with pytest.raises(VeilleurError, match="6 topics but 5 limits of the cascade"):
        load(folder)
    edit(folder, cascade={"stand_in": [float("inf")] * 6, "below": None})
    with pytest.raises(VeilleurError, match="stand-in logits that are not numbers"):
        load(folder)
    edit(folder, cascade={"stand_in": [0.0] * 6})
    with pytest.raises(VeilleurError, match="lacks or misstates 'below'"):
        load(folder)


def test_a_cascade_needs_its_baseline(camembert_bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(camembert_bundle, tmp_path / "bundle"))
    (folder / "baseline.npz").unlink()
    with pytest.raises(VeilleurError, match=r"baseline\.npz is missing"):
        load(folder)
