"""A memory of a person: what it holds, what it adds, and what it leaves alone."""

import numpy as np
import pytest
import torch

from mpcl import MPCL
from mpcl.model import memory, remember
from mpcl.model.remember import Memory, corrected, keys_of, missed, recall
from mpcl.splits import names, turns
from mpcl.training.batches import inputs
from mpcl.training.settings import Settings


@pytest.fixture(scope="module")
def people(cohort):
    """A network, and what it reads of two people's trials, in time."""
    model = MPCL.from_dataset(cohort, torch.Generator().manual_seed(0)).double()
    read = []
    for name in names(cohort)[:2]:
        windows = cohort.isel(window=cohort.participant.values == name)
        data = inputs(windows, cohort, model.config, Settings(), "cpu")
        turn = np.zeros(len(data.target), int)
        turn[data.trial] = turns(windows)
        order = torch.from_numpy(np.argsort(turn))
        read.append(
            data._replace(
                features=data.features[order],
                present=data.present[order],
                target=data.target[order],
            )
        )
    return model, *read


def first(data, count):
    return data._replace(
        features=data.features[:count],
        present=data.present[:count],
        target=data.target[:count],
    )


def test_the_model_stays_as_it_is(people):
    model, data, _ = people
    before = {name: value.clone() for name, value in model.state_dict().items()}
    remember.remember(model, first(data, 3))
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(weight.grad is None for weight in model.parameters())


def test_a_second_person_has_a_memory_of_their_own(people):
    model, one, other = people
    mine, theirs = (remember.remember(model, first(data, 3)) for data in (one, other))
    again = remember.remember(model, first(one, 3))
    assert torch.equal(mine.missed, again.missed)
    assert not torch.equal(mine.missed, theirs.missed)
    empty = remember.remember(model, first(other, 0))
    assert len(empty.keys) == 0
    queries = keys_of(model, other)
    assert torch.equal(recall(empty, queries, 3.0, 2.0), torch.zeros_like(other.target))


def test_an_answered_trial_alone_is_repaired_as_far_as_it_is_believed(people):
    model, data, _ = people
    one = first(data, 1)
    person, queries = remember.remember(model, one), keys_of(model, one)
    predicted = model(one.features, one.present).distribution.detach()
    believed = corrected(predicted, recall(person, queries, 10.0, 1e-12))
    torch.testing.assert_close(believed, one.target)
    doubted = corrected(predicted, recall(person, queries, 10.0, 1e12))
    torch.testing.assert_close(doubted, predicted)


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("strength", [0.5, 8.0])
def test_at_beta_0_it_is_the_shrunken_mean(count, strength):
    random = torch.Generator().manual_seed(count)
    lack = torch.randn(count, 4, generator=random)
    person = Memory(torch.randn(count, 3, generator=random), lack)
    queries = torch.randn(6, 3, generator=random)
    wanted = (lack.sum(0) / (count + strength)).expand(6, 4)
    torch.testing.assert_close(recall(person, queries, 0.0, strength), wanted)


def test_at_a_large_beta_it_is_the_nearest_trial_and_at_several_a_row_of_each():
    person = Memory(torch.eye(2), torch.tensor([[1.0, -1.0], [-3.0, 3.0]]))
    betas = torch.tensor([0.0, 1e3])
    recalled = recall(person, torch.tensor([[0.9, 0.1]]), betas, 2.0)
    torch.testing.assert_close(recalled, torch.tensor([[[-0.5, 0.5]], [[0.5, -0.5]]]))


def test_there_is_one_memory(monkeypatch):
    asked = []

    def retrieve(query, stored, beta, values):
        asked.append(beta)
        return values.mean(0).expand(len(query), -1)

    monkeypatch.setattr(memory, "retrieve", retrieve)
    recall(Memory(torch.eye(2), torch.eye(2)), torch.eye(2), 7.0, 1.0)
    assert asked == [7.0]


def test_what_is_missed_is_centred_and_survives_a_share_of_zero():
    lack = missed(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
    assert lack.isfinite().all() and lack.sum().abs() < 1e-6
    assert lack[0, 1] > 0 > lack[0, 0]
