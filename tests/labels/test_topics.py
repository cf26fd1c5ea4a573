from importlib.resources import files
from pathlib import Path

import pytest

from veilleur.errors import VeilleurError
from veilleur.labels.topics import read_topics

GOOD = '[[topic]]\nid = "a-b"\nname_fr = "A"\nname_en = "A"\ndefinition = "D."\ncolour = "#00ff00"\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "topics.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_shipped_topics() -> None:
    topics = read_topics()
    assert topics.ids == ("cybercrime", "migration", "drugs", "trafficking", "fire-rescue", "maritime")
    assert not topics.exclusive
    assert len({topic.colour for topic in topics.topics}) == 6
    assert all("\n" not in topic.definition for topic in topics.topics)


def test_the_shipped_names_are_the_guides() -> None:
    guide = files("veilleur.labels").joinpath("GUIDE.md").read_text(encoding="utf-8")
    for topic in read_topics().topics:
        assert f"| `{topic.id}` | {topic.name_fr} |" in guide


def test_own_topics(tmp_path: Path) -> None:
    topics = read_topics(write(tmp_path, "exclusive = true\n" + GOOD))
    assert topics.ids == ("a-b",)
    assert topics.exclusive


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + GOOD, "topic 2 repeats the id 'a-b'"),
        (GOOD.replace("a-b", "A b"), "topic 1 has the id 'A b'"),
        (GOOD.replace('name_en = "A"\n', ""), "topic 1 lacks the key 'name_en'"),
        (GOOD.replace('"D."', '" "'), "topic 1 lacks the key 'definition'"),
        (GOOD.replace("#00ff00", "green"), "topic 1 has the colour 'green'"),
        ("exclusive = 1\n" + GOOD, "exclusive is 1"),
        ("", "holds no topic"),
        ("topic = [1]", "topic 1 is 1"),
        ("[[topic", "not valid TOML"),
    ],
)
def test_faulty_topics_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(VeilleurError) as error:
        read_topics(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(VeilleurError, match=r"none\.toml"):
        read_topics(tmp_path / "none.toml")
