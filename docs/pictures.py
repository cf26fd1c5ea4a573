"""Draw docs/tagging.svg: what `veilleur tag` shows of one article.

python -P docs/pictures.py
"""

from pathlib import Path

from rich.console import Console

from veilleur import load
from veilleur.batch.inputs import Item
from veilleur.batch.tagging import tag_items
from veilleur.tables import show_records

DOCS = Path(__file__).parent
ARTICLE = DOCS.parent / "seeds" / "articles" / "vietnam-etats-unis-2025-09.md"


def main() -> None:
    """Tag the article and write the picture."""
    console = Console(record=True, width=110, highlight=False, force_terminal=True)
    item = Item(str(ARTICLE), ARTICLE.stem, ARTICLE.read_text(encoding="utf-8"))
    show_records(console, tag_items(load(), [item], "bulletin"))
    console.save_svg(str(DOCS / "tagging.svg"), title="veilleur tag --unit bulletin")


if __name__ == "__main__":
    main()
