"""Draw the pictures of the README.

python -P docs/pictures.py

docs/tagging.svg is what `veilleur tag` shows of one article; docs/report-*.png are the top of the report that
`veilleur compare camembert tfidf` writes of the corpus's test split, in Chromium (with the extra `dev`).
"""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from veilleur import load
from veilleur.batch.inputs import Item
from veilleur.batch.tagging import tag_items
from veilleur.labels.export import export
from veilleur.labels.rows import shipped_rows
from veilleur.tables import show_records

DOCS = Path(__file__).parent
ARTICLE = DOCS.parent / "seeds" / "articles" / "vietnam-etats-unis-2025-09.md"
VIEWS = {"light": ("light", 1000, 760), "dark": ("dark", 1000, 760), "phone": ("light", 390, 760)}


def draw_tagging() -> None:
    """Tag the article and write the picture."""
    console = Console(record=True, width=110, highlight=False, force_terminal=True)
    item = Item(str(ARTICLE), ARTICLE.stem, ARTICLE.read_text(encoding="utf-8"))
    show_records(console, tag_items(load(), [item], "bulletin"), "bulletin")
    console.save_svg(str(DOCS / "tagging.svg"), title="veilleur tag --unit bulletin")


def draw_report() -> None:
    """Compare the shipped bundles and photograph the report."""
    from playwright.sync_api import sync_playwright

    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        labels, report = Path(folder) / "test.jsonl", Path(folder) / "report"
        export(shipped_rows(split="test"), labels)
        command = ["compare", "camembert", "tfidf", "--labels", str(labels), "--report", str(report)]
        subprocess.run([sys.executable, "-P", "-c", "from veilleur.cli import main; main()", *command], check=True)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (scheme, width, height) in VIEWS.items():
            page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": height})
            page.goto((report / "report.html").as_uri())
            page.screenshot(path=DOCS / f"report-{name}.png")
        browser.close()


if __name__ == "__main__":
    draw_tagging()
    draw_report()
