"""What one would use instead, for :mod:`data.make.bench`."""

import importlib
import math
from collections.abc import Callable
from typing import Any

import neurokit2 as nk
import numpy as np
import torch
from scipy import ndimage

from mpcl.data import features
from mpcl.evaluation import metrics
from mpcl.training.batches import Draw, mixed_batch
from mpcl.training.loop import Replica
from mpcl.training.optimiser import parameter_groups
from mpcl.training.settings import Settings

Signal = Callable[[np.ndarray, int], dict[str, float]]


def ordinary_loop(replica: Replica, settings: Settings, device: torch.device) -> Any:
    """One network trained by hand, with the batches that the stack gives it."""
    model: Any = replica.network(settings).to(device)
    data = replica.inputs(settings, device)
    groups = parameter_groups(model.named_parameters(), settings.weight_decay)
    optimiser = torch.optim.AdamW(groups, settings.learning_rate, fused=True)
    steps = replica.windows.steps(settings)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, settings.epochs * steps
    )
    masks = sum(math.prod(shape) for shape in model.mask_shapes)
    weights = replica.weights()
    for epoch in range(settings.epochs):
        draws = replica.draw(epoch, settings, masks)
        drawn = Draw(*(torch.from_numpy(values).to(device) for values in draws))
        for step in range(steps):
            features, present, target = mixed_batch(data, drawn.at(step))
            output = model(features, present, drawn.keep[step])
            terms = model.losses(output, target)
            optimiser.zero_grad()
            total = torch.stack([weights[name] * terms[name] for name in weights])
            total.sum().backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            optimiser.step()
            schedule.step()
    return model.cpu()


def beats(peaks: np.ndarray, rate: int) -> dict[str, float]:
    """Heart rate and RMSSD of beats."""
    statistics = nk.hrv_time(peaks, sampling_rate=rate).iloc[0]
    return {"heart_rate": 60000 / statistics.HRV_MeanNN, "rmssd": statistics.HRV_RMSSD}


def ecg(signal: np.ndarray, rate: int) -> dict[str, float]:
    """The heart, from its currents."""
    clean = nk.ecg_clean(signal, sampling_rate=rate)
    return beats(nk.ecg_findpeaks(clean, sampling_rate=rate)["ECG_R_Peaks"], rate)


def ppg(signal: np.ndarray, rate: int) -> dict[str, float]:
    """The heart, from the pulse."""
    band = {"lowcut": 0.7, "highcut": 3.5, "order": 2}
    clean = nk.signal_filter(signal, sampling_rate=rate, **band)
    peaks = nk.ppg_findpeaks(clean, sampling_rate=rate)["PPG_Peaks"]
    return {"heart_rate": beats(peaks, rate)["heart_rate"]}


def eda(signal: np.ndarray, rate: int) -> dict[str, float]:
    """The skin: its level; responses that overlap differ and are not compared."""
    smooth = ndimage.gaussian_filter1d(signal, features.SMOOTH * rate)
    nk.eda_peaks(smooth, sampling_rate=rate, amplitude_min=1e-9)
    tonic = nk.eda_phasic(smooth, sampling_rate=rate)["EDA_Tonic"]
    return {"level": tonic.mean()}


def respiration(signal: np.ndarray, rate: int) -> dict[str, float]:
    """The breath."""
    clean = nk.rsp_clean(signal, sampling_rate=rate)
    troughs = nk.rsp_findpeaks(clean, sampling_rate=rate)["RSP_Troughs"]
    return {"rate": 60 * rate / np.diff(troughs).mean()}


def emg(signal: np.ndarray, rate: int) -> dict[str, float]:
    """A muscle, with envelope and pitch, which are computed here too."""
    clean = nk.emg_clean(signal, sampling_rate=rate)
    nk.emg_amplitude(clean)
    nk.signal_psd(clean, sampling_rate=rate, method="welch")
    return {"rms": np.sqrt(np.mean(clean**2))}


def eeg(signal: np.ndarray, rate: int) -> dict[str, float]:
    """The brain: the entropy of each band."""
    entropies = {}
    for band, (low, high) in features.BANDS.items():
        options = {"method": "butterworth", "order": 4}
        wave = nk.signal_filter(signal, rate, low, high, **options)
        power = np.mean(np.asarray(wave) ** 2)
        entropies[f"ch1_{band}"] = np.log(2 * np.pi * np.e * power) / 2
    return entropies


def of_neurokit(minutes: int) -> dict[str, tuple[Signal, np.ndarray, int]]:
    """A simulated signal of each kind, and who reads it, window by window."""
    seconds, draw = 60 * minutes, np.random.default_rng
    beating = {"duration": seconds, "heart_rate": 68, "random_state": 0}
    skin = {"scr_number": 5 * minutes, "noise": 0, "random_state": 0}
    breath = {"respiratory_rate": 15, "random_state": 0}
    electric = nk.ecg_simulate(sampling_rate=250, heart_rate_std=3, **beating)
    pulse = nk.ppg_simulate(sampling_rate=64, **beating)
    conducting = nk.eda_simulate(seconds, sampling_rate=8, **skin)
    breathing = nk.rsp_simulate(seconds, sampling_rate=25, **breath)
    return {
        "ecg": (ecg, np.asarray(electric), 250),
        "ppg": (ppg, np.asarray(pulse), 64),
        "eda": (eda, np.asarray(conducting), 8),
        "respiration": (respiration, np.asarray(breathing), 25),
        "emg": (emg, draw(0).normal(0, 0.1, seconds * 700), 700),
        "eeg": (eeg, draw(1).normal(0, 10, seconds * 250), 250),
    }


def pyldl_measures() -> list[Callable[[np.ndarray, np.ndarray], object]]:
    """PyLDL's functions for the six measures, in their order; none without PyLDL."""
    try:
        module = importlib.import_module("pyldl.metrics")
    except ImportError:
        return []
    names = {"kl": "kl_divergence"}
    return [getattr(module, names.get(name, name)) for name in metrics.SIX]
