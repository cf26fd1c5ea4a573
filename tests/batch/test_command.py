import subprocess
import sys

CODE = """
import io, sys
from veilleur.batch.command import Options, tag
from veilleur.batch.inputs import Reading
sys.stdin = io.TextIOWrapper(io.BytesIO("La drogue.".encode()))
assert tag((), Reading(), Options("tfidf")) == 0
unneeded = {"fsspec", "onnxruntime", "pandas", "pyarrow", "ray", "rich", "scipy", "skops", "sklearn", "backports.zstd"}
assert not unneeded & set(sys.modules), unneeded & set(sys.modules)
"""


def test_tagging_text_needs_no_package_of_an_extra() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", CODE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"drugs"' in done.stdout
