import pytest
import torch

from mpcl.profiles import PROFILES, start
from mpcl.settings import ParameterError

GOOD = {"DATASET": "simulated", "DATA_ROOT": None, "PROFILE": "quick", "SEED": 3, "DEVICE": "cpu", "OUT": None}


def test_good_parameters_give_a_run():
    run = start({**GOOD, "__name__": "__main__", "In": [], "Out": {}, "_i": "", "start": start})
    assert run.seeds == [3] and run.settings is PROFILES["quick"].settings and run.root is None


def test_the_quick_profile_computes_with_one_thread_and_the_full_one_with_all():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        start({**GOOD, "PROFILE": "full"})
        assert torch.get_num_threads() == 2
        start(GOOD)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("change", "sentence"), [
    ({"DATASTE": "wesad"}, "unknown parameter 'DATASTE'"),
    ({"dataset": "wesad"}, "unknown parameter 'dataset'"),
    ({"DATASET": 3}, "DATASET must be text, not 3"),
    ({"DATA_ROOT": 3}, "DATA_ROOT must be text or None"),
    ({"PROFILE": "fast"}, "unknown PROFILE 'fast'; choose quick or full"),
    ({"SEED": -1}, "SEED must be a whole number"),
    ({"SEED": True}, "SEED must be a whole number"),
    ({"DEVICE": "tpu3"}, "unknown device 'tpu3'"),
])
def test_bad_parameters_end_in_one_sentence(change, sentence):
    with pytest.raises(ParameterError, match=sentence) as caught:
        start({**GOOD, **change})
    assert "\n" not in str(caught.value)


def test_a_missing_parameter_is_named():
    with pytest.raises(ParameterError, match="'SEED' is missing"):
        start({name: value for name, value in GOOD.items() if name != "SEED"})
