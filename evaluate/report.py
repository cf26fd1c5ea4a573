"""A study as a folder that one can hand on: a page, the same as Markdown, and all figures as JSON."""

import base64
import hashlib
import html
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from veilleur import __version__
from veilleur.errors import VeilleurError
from veilleur.evaluate.comparison import signed
from veilleur.evaluate.metrics import OVERALL_FIGURES, TOPIC_FIGURES
from veilleur.evaluate.pictures import Picture, pictures
from veilleur.evaluate.study import Study
from veilleur.labels.rows import label_matrix

if TYPE_CHECKING:
    from jinja2 import Environment

PAGE, TEXT, FIGURES, PICTURES = "report.html", "report.md", "report.json", "pictures"
_MARKDOWN = re.compile(r"([\\`*_\[\]|#~$])")


def check_writable(folder: Path) -> None:
    """Make the report's folder, so that what would fail does so before the work.

    Raises
    ------
    VeilleurError
        If it cannot be made or written to.
    """
    for package in ("jinja2", "matplotlib"):  # a missing one is told at once, too
        import_module(package)
    try:
        (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VeilleurError(f"{folder} cannot be made ({error.strerror}): choose another --report") from error
    if not os.access(folder, os.W_OK):
        raise VeilleurError(f"{folder} cannot be written to: choose another --report")


def write_report(found: Study, folder: Path) -> None:
    """Write ``report.html``, ``report.md`` with its ``pictures``, and ``report.json`` into a folder.

    Raises
    ------
    VeilleurError
        If they cannot be written.
    """
    drawn = pictures(
        label_matrix(found.rows, found.topics),
        [row.bulletin for row in found.rows],
        found.evaluations,
        found.slices,
        resamples=found.resamples,
        seed=found.seed,
    )
    encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, indent=1)
    try:
        (folder / PICTURES).mkdir(parents=True, exist_ok=True)
        for one in drawn:
            _write(folder / PICTURES / f"{one.name}.svg", [one.standalone])
        _write(folder / PAGE, render_html(found, drawn))
        _write(folder / TEXT, render_markdown(found, drawn))
        _write(folder / FIGURES, encoder.iterencode(found.to_dict()))
    except OSError as error:
        raise VeilleurError(f"{folder} cannot be written ({error.strerror}): choose another --report") from error


def _write(path: Path, parts: Iterable[str]) -> None:
    """Write a file as its parts come, so that the errors of many texts are never held at once."""
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(parts)
    partial.replace(path)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of ``report.json``."""
    content = resources.files("veilleur.evaluate").joinpath("report.schema.json").read_text(encoding="utf-8")
    return dict(json.loads(content))


def render_html(found: Study, drawn: Sequence[Picture]) -> Iterator[str]:
    """Render the page: one file that loads nothing and runs no script but its own."""
    script = _part("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = _environment(escape=True)
    template = environment.get_template("report.html.jinja")
    return template.generate(**_content(found, drawn), style=_part("report.css"), script=script, digest=digest)


def render_markdown(found: Study, drawn: Sequence[Picture]) -> Iterator[str]:
    """Render the same as Markdown, its pictures in files beside it."""
    return _environment(escape=False).get_template("report.md.jinja").generate(**_content(found, drawn))


def _content(found: Study, drawn: Sequence[Picture]) -> dict[str, Any]:
    return {
        "study": found,
        "pictures": drawn,
        "overall_figures": OVERALL_FIGURES,
        "topic_figures": TOPIC_FIGURES,
        "version": __version__,
    }


def _environment(escape: bool) -> "Environment":
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_part),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "figure": _figure,
        "interval": _interval,
        "signed": lambda value: "undefined" if value is None else signed(value),
        "size": _size,
        "safe_markdown": _safe_markdown,
    }
    return environment


def _part(name: str) -> str:
    return resources.files("veilleur.evaluate").joinpath("templates", name).read_text(encoding="utf-8")


def _figure(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _interval(between: Sequence[float] | None) -> str:
    return f"{signed(between[0])} to {signed(between[1])}" if between else ""


def _size(value: int | None) -> str:
    """Write a number of bytes for people.

    Examples
    --------
    >>> _size(12_345_678), _size(None)
    ('12.3 MB', 'unknown')
    """
    return "unknown" if value is None else f"{value / 1e6:.1f} MB"


def _safe_markdown(text: str) -> str:
    r"""Keep a text from being read as Markdown or HTML, and on one line.

    Examples
    --------
    >>> _safe_markdown("<b>*a*|b\n")
    '&lt;b&gt;\\*a\\*\\|b'
    """
    return _MARKDOWN.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))
