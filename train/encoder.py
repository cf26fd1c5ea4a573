"""The network that is fine-tuned: an encoder whose tokens vote on every topic."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NEGATIVE = -1e4  # stands for minus infinity where a mask leaves a token out


def pool(token_logits: Tensor, mask: Tensor) -> Tensor:
    """Pool token logits to text logits by their own softmax: a topic is present if any token says so.

    The mean of the tokens' logits weighted by the softmax of these same logits is a smooth maximum (M. Lange et al.,
    "Applications of smooth maximum functions", 2014), and, unlike the maximum, lets every token learn.

    Parameters
    ----------
    token_logits : Tensor of shape (batch, tokens, topics)
    mask : Tensor of shape (batch, tokens)
        1 for tokens that count.

    Returns
    -------
    Tensor of shape (batch, topics)
    """
    weights = torch.softmax(token_logits.masked_fill(mask[:, :, None] == 0, NEGATIVE), dim=1)
    return (weights * token_logits).sum(dim=1)


class TokenVotes(nn.Module):
    """An encoder with one linear layer over its tokens, pooled by `pool`.

    Parameters
    ----------
    encoder : PreTrainedModel
        Gives ``last_hidden_state`` of shape (batch, tokens, hidden).
    topics : int
    evidence_weight : float
        Weight of the second loss, over the tokens: those inside recorded evidence shall say its topic, all others
        shall not. A text that has the topic without recorded evidence of it is left out.
    dropout : float
        On the encoder's output, before the linear layer.
    """

    def __init__(
        self,
        encoder: "PreTrainedModel",
        topics: int,
        evidence_weight: float = 0.0,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.votes = nn.Linear(encoder.config.hidden_size, topics)
        nn.init.normal_(self.votes.weight, std=0.02)
        nn.init.constant_(self.votes.bias, -2.0)  # most tokens speak of no topic
        self.dropout = nn.Dropout(dropout)
        self.evidence_weight = evidence_weight

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        labels: Tensor | None = None,
        evidence: Tensor | None = None,
        **_: Any,
    ) -> dict[str, Tensor]:
        """Return ``logits`` (batch, topics), and ``loss`` where labels are given.

        Parameters
        ----------
        input_ids, attention_mask : Tensor of shape (batch, tokens)
        labels : Tensor of shape (batch, topics), optional
        evidence : Tensor of shape (batch, tokens, topics), optional
            1 where a token is evidence, 0 where it is not, -1 where nothing is known.
        """
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        tokens = self.votes(self.dropout(hidden)).float()
        logits = pool(tokens, attention_mask)
        if labels is None:
            return {"logits": logits}
        loss = binary_cross_entropy_with_logits(logits, labels)
        if evidence is not None and self.evidence_weight:
            known = (evidence >= 0).float()
            each = binary_cross_entropy_with_logits(tokens, evidence.clamp(min=0), reduction="none")
            # Evidence is rare among tokens: both kinds weigh alike.
            for kind in (known * evidence.clamp(min=0), known * (evidence == 0)):
                loss = loss + self.evidence_weight * 0.5 * (each * kind).sum() / kind.sum().clamp(min=1)
        return {"loss": loss, "logits": logits}
