"""What a network is given of the labels that it learns from, before it learns."""

from typing import NamedTuple

import torch
import xarray as xr
from torch import Tensor

from mpcl.data.contract import trials
from mpcl.model.cooccurrence import log_correlation


class LabelStatistics(NamedTuple):
    """Of the labels of a **training** part, in which each trial weighs the same.

    Attributes:
        prior: the mean label (emotion,).
        correlation: of log-labels (emotion, emotion), see
            :func:`mpcl.model.cooccurrence.log_correlation`.
        trials: how many there are.
    """

    prior: Tensor
    correlation: Tensor
    trials: int

    def log_prior(self) -> Tensor:
        """Log of the mean label (emotion,), to each share of which 1e-3 is added.

        Example:
            >>> LabelStatistics(torch.tensor([0.5, 0.5]), torch.eye(2), 9).log_prior()
            tensor([-0.6931, -0.6931])
        """
        prior = self.prior.float() + 1e-3
        return (prior / prior.sum()).log()


def label_statistics(dataset: xr.Dataset) -> LabelStatistics:
    """The statistics of all labels of a data set."""
    grouped = trials(dataset)
    count = len(grouped.names)
    values = dataset.distribution.transpose("window", "emotion").values
    label = torch.from_numpy(values.astype(float))  # (window, emotion)
    weight = torch.from_numpy(1 / grouped.counts[grouped.of_window] / count)
    return LabelStatistics(weight @ label, log_correlation(label, weight), count)
