"""A fine-tune as a checkpoint that plain transformers loads.

Pooling by votes is not among the heads that ``CamembertForSequenceClassification`` has, but a layer of CamemBERT can
compute it: attention whose queries are constant, whose keys and values are the tokens' votes, is exactly the softmax
mean of `veilleur.train.encoder.pool`, one head a topic. So the network is written as the standard architecture with
one more layer, and ``transformers.pipeline`` gives its calibrated probabilities with no code of ours.

The layer's residual connections and normalisations cannot be left out; they are outshouted instead: votes enter at a
scale `LOUD` at which the residual is nothing, beside constants `HUM` so great that they alone set the variance that
the normalisation divides by. In float32 the logits come out equal to about 1e-3; in half precision they would not.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from veilleur.model.calibration import Calibration
from veilleur.train.encoder import TokenVotes

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LOUD = 1e4
HUM = 3e5
SECOND_HUM = 1e3
FAINT = 1e-4  # scale at which tanh is the identity
FAMILIES = ("camembert", "roberta", "xlm-roberta")  # architectures that have these layers and this head


def fits(config: object, topics: int) -> bool:
    """Whether a network of this base and number of topics can be written in standard form."""
    model_type = getattr(config, "model_type", "")
    heads = getattr(config, "num_attention_heads", 0)
    hidden = getattr(config, "hidden_size", 0)
    return model_type in FAMILIES and topics <= heads and 4 * topics <= hidden


def standard_form(network: TokenVotes, calibration: Calibration, topics: tuple[str, ...]) -> "PreTrainedModel":
    """Write `network`, calibration included, as a sequence classification model of its own family.

    Returns
    -------
    PreTrainedModel
        Of the base's type with one layer more; the sigmoid of its logits is the calibrated probability.
    """
    from transformers import AutoModelForSequenceClassification

    config = type(network.encoder.config)(**network.encoder.config.to_dict())
    config.num_hidden_layers += 1
    config.num_labels = len(topics)
    config.id2label = dict(enumerate(topics))
    config.label2id = {topic: index for index, topic in enumerate(topics)}
    config.problem_type = "multi_label_classification"
    config.architectures = None
    model = AutoModelForSequenceClassification.from_config(config)
    body = getattr(model, model.base_model_prefix)
    body.load_state_dict(network.encoder.state_dict(), strict=False)
    with torch.no_grad():
        _fill_layer(body.encoder.layer[-1], network.votes, config.num_attention_heads)
        _fill_head(model.classifier, calibration)
    return model.eval()


def _fill_layer(layer: Any, votes: nn.Linear, heads: int) -> None:
    topics, hidden = votes.weight.shape
    width = hidden // heads
    for parameter in layer.parameters():
        parameter.zero_()
    first = [topic * width for topic in range(topics)]  # the one dimension of its head that each topic uses
    attention = layer.attention.self
    attention.query.bias[first] = width**0.5
    attention.key.weight[first] = votes.weight
    attention.value.weight[first] = votes.weight
    attention.value.bias[first] = votes.bias

    # Each topic's pooled vote, and its opposite, so that their mean is 0.
    pairs = 2 * topics
    output = layer.attention.output
    output.dense.weight[range(0, pairs, 2), first] = LOUD
    output.dense.weight[range(1, pairs, 2), first] = -LOUD
    output.dense.bias[pairs:] = _alternating(hidden - pairs) * HUM
    share = ((hidden - pairs) / hidden) ** 0.5  # of the constants in the standard deviation
    output.LayerNorm.weight[:pairs] = HUM * share / LOUD
    output.LayerNorm.weight[pairs:] = SECOND_HUM * share
    layer.output.LayerNorm.weight[:pairs] = SECOND_HUM * share


def _fill_head(head: Any, calibration: Calibration) -> None:
    topics = len(calibration.slopes)
    for parameter in head.parameters():
        parameter.zero_()
    head.dense.weight[range(topics), range(0, 2 * topics, 2)] = FAINT
    head.out_proj.weight[range(topics), range(topics)] = torch.tensor(calibration.slopes, dtype=torch.float32) / FAINT
    head.out_proj.bias[:] = torch.tensor(calibration.intercepts, dtype=torch.float32)


def _alternating(size: int) -> Tensor:
    signs = torch.ones(size)
    signs[1::2] = -1.0
    return signs if size % 2 == 0 else torch.cat([signs[:-1], torch.zeros(1)])
