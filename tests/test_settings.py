"""Settings and devices: refused before anything runs."""

import pytest
import torch

from mpcl.settings import ParameterError, Settings, device_of


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch": 0}, {"mixup": -1.0}, {"normalisation": "none"},
                                   {"precision": "float16"}, {"patience": -1}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        Settings(**wrong)


def test_only_auto_falls_back():
    assert device_of("auto").type in ("cpu", "cuda")
    with pytest.raises(ParameterError, match="unknown device 'gpu'"):
        device_of("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ParameterError, match="'cuda' is not there"):
            device_of("cuda")
