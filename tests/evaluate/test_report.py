import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from veilleur import VeilleurError
from veilleur.evaluate.report import check_writable, schema, write_report
from veilleur.evaluate.study import Study, detailed, study

ATTACK = '<script>document.title = "taken"</script><img src=x onerror="document.title=1">'  # begins a row's text


class Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def folder(compared: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reports") / "new" / "report"
    write_report(compared, out)
    return out


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_the_json_is_of_the_published_schema(folder: Path, compared: Study) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    content = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(content, schema(), cls=jsonschema.Draft202012Validator)
    assert content["models"][0]["scores"]["macro_f1"] == compared.evaluations[0].scores.macro_f1
    assert len(content["errors"]) == len(compared.wrong)


def test_the_schema_refuses_what_is_no_report(folder: Path) -> None:
    content = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    del content["models"][0]["scores"]["macro_f1"]
    with pytest.raises(jsonschema.ValidationError, match="macro_f1"):
        jsonschema.validate(content, schema())


def test_the_page_loads_nothing(page: Page) -> None:
    assert not page.all("link")
    assert not page.all("img")
    outside = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "srcset") and not (value or "").startswith("#")
    ]
    assert outside == []
    (policy,) = (one["content"] for one in page.all("meta") if one.get("http-equiv"))
    assert "default-src 'none'" in str(policy)


def test_markup_in_a_paragraph_stays_text(folder: Path, page: Page) -> None:
    assert len(page.all("script")) == 1
    assert ATTACK in "".join(page.text)
    assert "<b>familier</b>" in "".join(page.text)
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "<img" not in text
    assert r"\*\*Saisie\*\* \| de \`drogue\` &amp; cie" in text


def test_the_page_is_accessible(page: Page) -> None:
    names = [tag for tag, _ in page.elements]
    levels = [int(name[1]) for name in names if re.fullmatch(r"h[1-6]", name)]
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert names.count("table") == names.count("caption") > 5
    assert all("scope" in attributes for attributes in page.all("th"))
    ids = [str(attributes["id"]) for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    drawings = [attributes for _, attributes in page.elements if attributes.get("role") == "img"]
    assert len(drawings) == names.count("svg") >= 8
    for one in drawings:
        assert one["aria-labelledby"] in ids
        assert one["aria-describedby"] in ids
    assert page.all("html")[0]["lang"] == "en"


def test_the_markdown_says_the_same(folder: Path, compared: Study) -> None:
    text = (folder / "report.md").read_text(encoding="utf-8")
    for evaluation in compared.evaluations:
        assert f"{evaluation.scores.macro_f1:.3f}" in text
    assert compared.comparisons[0].sentence.replace("_", r"\_") in text
    for name in re.findall(r"\]\((pictures/[^)]+)\)", text):
        assert (folder / name).is_file()
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table.splitlines()[0]


def test_pictures_on_disk_bring_their_colours(folder: Path) -> None:
    for path in (folder / "pictures").iterdir():
        assert path.read_text(encoding="utf-8").startswith('<svg style="color: #1b1e22; background: #ffffff; ')


def test_the_same_study_gives_the_same_bytes(compared: Study, folder: Path, tmp_path: Path) -> None:
    write_report(compared, tmp_path)
    for path in folder.rglob("*"):
        if path.is_file():
            assert (tmp_path / path.relative_to(folder)).read_bytes() == path.read_bytes()


def test_a_report_on_next_to_nothing_is_still_one(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text('{"text": "Rien ne se passe ici.", "topics": []}\n', encoding="utf-8")
    write_report(detailed(study(["tfidf"], [path])), tmp_path / "report")
    content = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(content, schema())
    assert content["models"][0]["scores"]["macro_recall"] is None
    page = Page((tmp_path / "report" / "report.html").read_text(encoding="utf-8"))
    assert "undefined" in "".join(page.text)


def test_a_folder_that_cannot_be_made_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(VeilleurError, match=r"cannot be made \(.*\): choose another --report"):
        check_writable(tmp_path / "file" / "report")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium of the system, where there is one."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    playwright = pytest.importorskip("playwright.sync_api")
    if chromium is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_opens_it_in_either_scheme_and_at_phone_width(browser: Any, folder: Path, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 360, "height": 740})
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto((folder / "report.html").as_uri())
    assert faults == []
    assert page.title() != "taken"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (light == "rgb(255, 255, 255)") is (scheme == "light")
    context.close()


def test_a_browser_sorts_and_filters_the_errors(browser: Any, folder: Path, compared: Study) -> None:
    page = browser.new_page()
    page.goto((folder / "report.html").as_uri())
    rows = page.locator("#error-table tbody tr:visible")
    assert rows.count() == len(compared.wrong)
    assert page.locator("#count").text_content() == f"{len(compared.wrong)} of {len(compared.wrong)} errors shown"

    column = page.locator("#error-table thead th").nth(2)
    for direction in ("ascending", "descending"):
        column.get_by_role("button").click()
        assert column.get_attribute("aria-sort") == direction
        shown = [
            float(value)
            for value in page.eval_on_selector_all(
                "#error-table tbody tr td:nth-child(3)", "cells => cells.map(cell => cell.dataset.value)"
            )
        ]
        assert shown == sorted(shown, reverse=direction == "descending")

    page.get_by_role("combobox", name="Kind").select_option("missed")
    page.get_by_role("combobox", name="Topic").select_option("drugs")
    assert rows.count() == sum(one.kind == "missed" and one.topic == "drugs" for one in compared.wrong)
    page.get_by_role("combobox", name="Kind").select_option("")
    page.get_by_role("combobox", name="Topic").select_option("")
    page.get_by_role("checkbox", name="only where models differ").check()
    assert rows.count() == sum(one.differ for one in compared.wrong)
    page.get_by_role("checkbox", name="only where models differ").uncheck()
    page.get_by_role("combobox", name="Wrong in").select_option("1")
    assert rows.count() == sum(compared.names[1] in one.models for one in compared.wrong)
    page.get_by_role("combobox", name="Wrong in").select_option("")
    page.get_by_role("searchbox", name="Text").fill("<SCRIPT>")
    assert rows.count() == sum(one.row.text.startswith(ATTACK) for one in compared.wrong)
    assert page.locator("#count").text_content() == f"{rows.count()} of {len(compared.wrong)} errors shown"
