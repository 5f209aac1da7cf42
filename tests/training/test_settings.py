"""Settings and devices: refused before anything runs."""

import subprocess
import sys
from math import inf, nan

import pytest
import torch

from mpcl.errors import ParameterError
from mpcl.training.settings import Settings, device_of


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"epochs": 2.5}, "epochs must be a whole number, not 2.5"),
        ({"epochs": True}, "epochs must be a whole number, not True"),
        ({"batch": 0}, "batch must be at least 1, not 0"),
        ({"mixup": -1.0}, "mixup must be at least 0, not -1.0"),
        ({"mixup": "0.4"}, "mixup must be a finite number, not '0.4'"),
        ({"learning_rate": nan}, "learning_rate must be a finite number, not nan"),
        ({"clip": inf}, "clip must be a finite number, not inf"),
        ({"weight_decay": True}, "weight_decay must be a finite number, not True"),
        (
            {"modality_dropout": 7},
            "modality_dropout is a probability: it must be at most 1, not 7",
        ),
        (
            {"normalisation": "none"},
            "normalisation must be transductive or inductive or running, not 'none'",
        ),
        (
            {"precision": "float16"},
            "precision must be float64 or float32 or tf32 or bfloat16, not 'float16'",
        ),
        ({"compile": "yes"}, "compile must be False or True, not 'yes'"),
        ({"patience": -1}, "patience must be at least 0, not -1"),
    ],
)
def test_impossible_settings_are_refused_with_one_sentence(wrong, sentence):
    with pytest.raises(ParameterError) as caught:
        Settings(**wrong)
    assert str(caught.value) == sentence


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(ParameterError, match=r"epochs .*; learning_rate .*"):
        Settings(epochs=2.5, learning_rate=nan)
    assert Settings(learning_rate=1, modality_dropout=1).learning_rate == 1


def test_settings_wait_for_no_torch():
    code = "import sys, mpcl.training.settings; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_only_auto_falls_back():
    assert device_of("auto").type in ("cpu", "cuda")
    with pytest.raises(ParameterError, match="unknown device 'gpu'"):
        device_of("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(ParameterError, match="'cuda' is not there"):
            device_of("cuda")
