import subprocess
import sys

# scikit-learn and skops themselves import pandas, pyarrow and rich where these are installed.
CODE = """
import io, sys
from veilleur.batch.command import Options, tag
from veilleur.batch.inputs import Reading
assert not {"pyarrow", "pandas", "rich", "sklearn", "onnxruntime"} & set(sys.modules)
sys.stdin = io.TextIOWrapper(io.BytesIO("La drogue.".encode()))
assert tag((), Reading(), Options("tfidf")) == 0
assert not {"fsspec", "ray", "zstandard"} & set(sys.modules)
"""


def test_tagging_text_needs_no_package_of_an_extra() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", CODE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"drugs"' in done.stdout
