"""Features of a recording that is processed once, beside NeuroKit2 called once a window, in one run.

    python tests/benchmark_features.py [minutes] [Empatica's zip file]

Windows last 60 s and overlap by half. NeuroKit2 does the same work a window, and no more (its ``_process``
functions take longer). Compared are the values whose definitions are the same, in windows of which nine
tenths can be used. What still differs: at both ends of each cut a filter settles and a beat or a breath is lost
or made up, and an interval that jumps, as after a beat that was missed, is left out here and not there (on the
whole recording, without such a jump, both agree to the last digits: tests/data/test_features.py). Not a test:
timings depend on the machine.
"""

import sys
import time
import warnings
import zipfile

import neurokit2 as nk
import numpy as np
from scipy import ndimage

from mpcl.data import features


def recordings(minutes, archive):
    """{kind: (signal (sample,), rate)}; heart and skin of a real wrist where an archive is given."""
    seconds = 60 * minutes
    found = {
        "ecg": (nk.ecg_simulate(seconds, sampling_rate=250, heart_rate=68, heart_rate_std=3, random_state=0), 250),
        "ppg": (nk.ppg_simulate(seconds, sampling_rate=64, heart_rate=68, random_state=0), 64),
        "eda": (nk.eda_simulate(seconds, sampling_rate=8, scr_number=5 * minutes, noise=0, random_state=0), 8),
        "respiration": (nk.rsp_simulate(seconds, sampling_rate=25, respiratory_rate=15, random_state=0), 25),
        "emg": (np.random.default_rng(0).normal(0, 0.1, seconds * 700), 700),
        "eeg": (np.random.default_rng(1).normal(0, 10, (seconds * 250)), 250),
    }
    if archive:
        with zipfile.ZipFile(archive) as files:
            for kind, name, rate in (("ppg", "BVP.csv", 64), ("eda", "EDA.csv", 4)):
                found[kind] = (np.loadtxt(files.open(name))[2 + 1200 * rate :][: seconds * rate], rate)
    return found


def beats(peaks, rate):
    statistics = nk.hrv_time(peaks, sampling_rate=rate).iloc[0]
    return {"heart_rate": 60000 / statistics.HRV_MeanNN, "rmssd": statistics.HRV_RMSSD}


def ecg(signal, rate):
    clean = nk.ecg_clean(signal, sampling_rate=rate)
    return beats(nk.ecg_findpeaks(clean, sampling_rate=rate)["ECG_R_Peaks"], rate)


def ppg(signal, rate):
    clean = nk.signal_filter(signal, sampling_rate=rate, lowcut=0.7, highcut=3.5, order=2)
    return {"heart_rate": beats(nk.ppg_findpeaks(clean, sampling_rate=rate)["PPG_Peaks"], rate)["heart_rate"]}


def eda(signal, rate):
    smooth = ndimage.gaussian_filter1d(signal, features.SMOOTH * rate)
    nk.eda_peaks(smooth, sampling_rate=rate, amplitude_min=1e-9)  # other responses where they overlap: not compared
    tonic = nk.eda_phasic(smooth, sampling_rate=rate)["EDA_Tonic"]
    return {"level": tonic.mean()}


def respiration(signal, rate):
    found = nk.rsp_findpeaks(nk.rsp_clean(signal, sampling_rate=rate), sampling_rate=rate)
    return {"rate": 60 * rate / np.diff(found["RSP_Troughs"]).mean()}


def emg(signal, rate):
    clean = nk.emg_clean(signal, sampling_rate=rate)
    nk.emg_amplitude(clean), nk.signal_psd(clean, sampling_rate=rate, method="welch")  # as envelope and pitch here
    return {"rms": np.sqrt(np.mean(clean**2))}


def eeg(signal, rate):
    waves = {band: nk.signal_filter(signal, rate, low, high, method="butterworth", order=4)
             for band, (low, high) in features.BANDS.items()}  # fmt: skip
    return {f"ch1_{band}": np.log(2 * np.pi * np.e * np.mean(wave**2)) / 2 for band, wave in waves.items()}


def timed(function, *arguments):
    """The result, and the seconds of the faster of two runs."""
    seconds = []
    for _ in range(2):
        begin = time.perf_counter()
        result = function(*arguments)
        seconds.append(time.perf_counter() - begin)
    return result, min(seconds)


def main():
    """Time both ways on each recording and print them side by side."""
    warnings.simplefilter("ignore")
    minutes, archive = int((sys.argv[1:] or [20])[0]), next(iter(sys.argv[2:]), None)
    total = np.zeros(2)
    for kind, (signal, rate) in recordings(minutes, archive).items():
        windows = features.place_windows(len(signal) / rate)
        cuts = [signal[round(start * rate) : round(stop * rate)] for start, stop in windows]
        table, here = timed(getattr(features, kind), signal, rate, windows)
        found, there = timed(lambda: [globals()[kind](cut, rate) for cut in cuts])  # noqa: B023
        total += here, there
        told = []
        for name in found[0]:
            apart = np.abs(table.sel(feature=name) - [one[name] for one in found])[table.quality >= 0.9]
            told.append(f"{name} {apart.median():.2g}, at most {apart.max():.2g} {apart.unit.item()}")
        print(f"{kind:11} {len(windows)} windows, {len(apart)} compared: {here:.2f} s against {there:.2f} s, "
              f"{there / here:.1f} times as fast; median difference of {'; '.join(told)}")  # fmt: skip
    print(f"all         {total[0]:.2f} s against {total[1]:.2f} s: {total[1] / total[0]:.1f} times as fast")


if __name__ == "__main__":
    main()
