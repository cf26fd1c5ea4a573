from collections.abc import Callable

import torch

from veilleur.train.encoder import TokenVotes, pool


def test_pooling_lies_between_mean_and_maximum_and_ignores_padding() -> None:
    votes = torch.randn(4, 9, 3)
    mask = torch.ones(4, 9, dtype=torch.long)
    mask[:, 6:] = 0
    pooled = pool(votes, mask)
    assert (pooled <= votes[:, :6].max(dim=1).values + 1e-6).all()
    assert (pooled >= votes[:, :6].mean(dim=1) - 1e-6).all()
    votes[:, 6:] = 100.0
    torch.testing.assert_close(pool(votes, mask), pooled)


def test_evidence_adds_a_loss_where_something_is_known(make_network: Callable[..., TokenVotes]) -> None:
    network = make_network(2, evidence_weight=1.0)
    ids, mask, labels = torch.tensor([[5, 7, 8, 6]]), torch.ones(1, 4), torch.tensor([[1.0, 0.0]])
    nothing = torch.full((1, 4, 2), -1.0)
    some = nothing.clone()
    some[0, 1, 0], some[0, :, 1] = 1.0, 0.0
    plain = network(ids, mask, labels)["loss"]
    torch.testing.assert_close(network(ids, mask, labels, nothing)["loss"], plain)
    assert network(ids, mask, labels, some)["loss"] > plain
