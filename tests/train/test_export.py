from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from veilleur.train.encoder import TokenVotes
from veilleur.train.export import export_onnx, quantise_onnx


def test_the_graph_equals_the_network_for_any_batch(make_network: Callable[..., TokenVotes], tmp_path: Path) -> None:
    network = make_network(3)
    path = tmp_path / "model.onnx"
    export_onnx(network, path, 38)
    quantise_onnx(path, tmp_path / "small.onnx")
    assert (tmp_path / "small.onnx").stat().st_size < 0.7 * path.stat().st_size
    for file, tolerance in ((path, 1e-5), (tmp_path / "small.onnx", 0.05)):
        assert str(Path(torch.__file__).parent).encode() not in file.read_bytes()  # no trace of the machine
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        assert session.get_modelmeta().custom_metadata_map["window"] == "38"
        for batch, tokens in ((1, 2), (1, 38), (7, 11)):
            ids = torch.randint(4, 100, (batch, tokens))
            mask = torch.ones_like(ids)
            mask[1:, tokens // 2 :] = 0
            with torch.inference_mode():
                expected = network(ids, mask)["logits"].numpy()
            logits, votes = session.run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
            assert votes.shape == (batch, tokens, 3)
            np.testing.assert_allclose(logits, expected, atol=tolerance)
