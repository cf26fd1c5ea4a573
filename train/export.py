"""A fine-tune as the ONNX graph that inference runs, in float32 or quantised to 8 bits."""

import logging
import os
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from veilleur.train.encoder import TokenVotes, pool

OPSET = 20  # the first with Gelu as one operator


class _Inference(nn.Module):
    """What the graph computes: logits of the texts, and the tokens' votes that made them."""

    def __init__(self, network: TokenVotes) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.network.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        votes = self.network.votes(hidden)
        return pool(votes, attention_mask), votes


def export_onnx(network: TokenVotes, path: Path, window: int) -> None:
    """Write the graph: inputs ``input_ids`` and ``attention_mask``, outputs ``logits`` and ``votes``.

    Parameters
    ----------
    network : TokenVotes
    path : Path
        The file to write.
    window : int
        How many tokens the encoder reads at once; kept in the file's metadata.
    """
    batch, tokens = torch.export.Dim("batch", min=1, max=4096), torch.export.Dim("tokens", min=2, max=window)
    example = torch.full((2, 16), 5)
    axes = {0: batch, 1: tokens}
    # Eager attention traces to plain matrix products, which the runtime fuses and the quantiser finds.
    network.encoder.set_attn_implementation("eager")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of packages that nothing here needs
    program = torch.onnx.export(
        _Inference(network).eval(),
        (example, torch.ones_like(example)),
        input_names=["input_ids", "attention_mask"],
        output_names=["logits", "votes"],
        dynamic_shapes=(axes, axes),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None  # only the old exporter gives none
    model = program.model_proto
    _forget_origin(model)
    onnx.helper.set_model_props(model, {"window": str(window)})
    onnx.save(model, path)


def _forget_origin(model: onnx.ModelProto) -> None:
    """Drop what the exporter notes of the lines of code behind each operator, with the training machine's paths."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
        part.doc_string = ""


def quantise_onnx(source: Path, target: Path) -> None:
    """Write the graph with weights of 8 bits and activations quantised as they come.

    Matrix products and the word embeddings shrink to a quarter; the small layer that gives the votes keeps its
    precision.
    """
    from onnxruntime.quantization import QuantType, quant_pre_process, quantize_dynamic

    prepared = target.with_name(f"{target.name}.{os.getpid()}.prepared")
    try:
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        votes = [node.name for node in onnx.load(prepared).graph.node if "votes" in "".join(node.input)]
        quantize_dynamic(
            prepared,
            target,
            op_types_to_quantize=["MatMul", "Gather"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=votes,
        )
    finally:
        prepared.unlink(missing_ok=True)
