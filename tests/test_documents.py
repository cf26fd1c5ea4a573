"""The examples in the user documents run."""

import re
import subprocess
import sys
from pathlib import Path

import veilleur

DOCS = Path(veilleur.__file__).parent / "docs"


def test_the_examples_of_library_use_run(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", (DOCS / "library.md").read_text(encoding="utf-8"), re.M | re.S)
    # One script with a main guard, as spawned processes need it.
    code = "\n".join(blocks)
    script = tmp_path / "library.py"
    script.write_text("if __name__ == '__main__':\n" + re.sub("^", "    ", code, flags=re.M), encoding="utf-8")
    done = subprocess.run([sys.executable, "-P", "-W", "ignore", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
