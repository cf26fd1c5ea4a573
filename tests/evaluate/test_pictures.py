import re

import numpy as np

from veilleur.evaluate.pictures import COLOURS, Picture, pictures
from veilleur.evaluate.report import _part
from veilleur.evaluate.run import Answers, judge
from veilleur.evaluate.slices import slices
from veilleur.evaluate.study import Study
from veilleur.labels.rows import LabelledParagraph, label_matrix


def draw(study: Study) -> list[Picture]:
    labels = label_matrix(study.rows, study.topics)
    groups = [row.bulletin for row in study.rows]
    return pictures(labels, groups, study.evaluations, study.slices, resamples=20, seed=0)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, by WCAG 2.2."""

    def luminance(colour: str) -> float:
        parts = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_picture_is_vector_and_is_told_in_words(compared: Study) -> None:
    drawn = draw(compared)
    names = [one.name for one in drawn]
    assert len(set(names)) == len(names)
    assert {"f1", "precision-recall", "thresholds", "reliability", "together", "length"} < set(names)
    assert {"confusion-1", "confusion-2"} < set(names)
    for one in drawn:
        assert one.svg.startswith("<svg style=")
        assert "<image" not in one.svg
        assert "currentColor" in one.svg
        assert one.caption
    words = next(one.alternative for one in drawn if one.name == "f1")
    for topic in compared.topics:
        assert topic in words
    shipped = compared.evaluations[0].answers.thresholds[0]
    assert f"ships {shipped:.2f}" in next(one.alternative for one in drawn if one.name == "thresholds")


def test_what_is_undefined_is_said_not_drawn() -> None:
    rows = [LabelledParagraph(str(n), "un mot " * (n + 1), (), bulletin=str(n)) for n in range(30)]
    nothing = np.zeros((30, 1), dtype=np.int64)
    model = judge(Answers("_$m$ <b>", ("drugs",), (0.5,), np.full((30, 1), 0.2), nothing), rows, resamples=10)
    parts = slices(rows, nothing, [model.answers], resamples=10, seed=0)
    groups = [row.bulletin for row in rows]
    drawn = {one.name: one for one in pictures(nothing, groups, [model], parts, resamples=10, seed=0)}
    for name in ("f1", "precision-recall", "thresholds", "length", "labels-seen"):
        assert "undefined" in drawn[name].alternative
    assert "<b>" not in drawn["f1"].svg
    assert "_$m$ &lt;b&gt;" in drawn["f1"].svg  # matplotlib's legend would leave such a name out


def test_the_page_and_its_pictures_have_contrast() -> None:
    light, dark, *_ = (
        dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in _part("report.css").split(":root")[1:3]
    )
    assert light.keys() == dark.keys()
    for scheme in (light, dark):
        for ink in ("ink", "soft", "link", "good", "bad"):
            for ground in ("ground", "shade"):
                assert contrast(scheme[ink], scheme[ground]) >= 4.5, (ink, ground)
        assert contrast(scheme["ink"], scheme["own"]) >= 4.5
        for colour in COLOURS:
            assert contrast(colour, scheme["ground"]) >= 3, colour
