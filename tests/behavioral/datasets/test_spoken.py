"""Spoken digits: what the mel bands of known sounds are, the split, and bad files."""

import os
import wave

import numpy as np
import pytest

from pyspice_cim.behavioral.datasets import spoken_digits
from pyspice_cim.behavioral.datasets.spoken import RANGE_DB, mel_bands, read_wav
from pyspice_cim.errors import ConfigError, DataError

RATE = 8000


def write_wav(path, samples, channels=1, width=2):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(RATE)
        file.writeframes(np.asarray(samples, f"<i{width}").tobytes())


def tone(frequency, seconds=0.5):
    return np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)


def centre(band, bands):
    """Centre of a mel band, Hz."""
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    return 700 * (10 ** ((band + 1) * top / (bands + 1) / 2595) - 1)


@pytest.mark.parametrize("band", [5, 20, 35])
def test_a_tone_is_loudest_in_its_own_band(band):
    values = mel_bands(tone(centre(band, 40)), RATE, steps=12, bands=40)
    assert values.shape == (12, 40)
    assert (values.argmax(axis=1) == band).all()
    assert values.max() == 1 and values.min() >= 0


def test_a_softer_tone_is_lower_by_its_level_in_decibels():
    # Two tones far apart, 20 dB between them: the Hann window's side lobes there are far below both.
    both = tone(centre(10, 40)) + 0.1 * tone(centre(30, 40))
    values = mel_bands(both, RATE, steps=6, bands=40)
    # Triangles are wider at higher frequencies, but their peak is 1, so that a tone at a centre passes alike. What is left is
    # the window's main lobe, which the narrower triangle cuts more: less than 3 dB.
    assert np.abs((1 - values[:, 30]) * RANGE_DB - 20).max() < 3


def test_loudness_does_not_matter_and_silence_is_zero():
    sound = np.random.default_rng(0).normal(size=3000)
    assert np.allclose(mel_bands(sound, RATE, steps=9, bands=16), mel_bands(7 * sound, RATE, steps=9, bands=16))
    assert not mel_bands(np.zeros(3000), RATE, steps=9, bands=16).any()
    assert not mel_bands(np.zeros(0), RATE, steps=9, bands=16).any()


def test_a_sound_at_the_end_is_in_the_last_steps():
    values = mel_bands(np.concatenate([np.zeros(4000), tone(1000)]), RATE, steps=20, bands=32)
    # The window of 32 ms sees the sound at most that early: half a step here.
    assert not values[:9].any() and (values[11:].max(axis=1) > 0.9).all()


def test_a_recording_shorter_than_a_window_is_padded():
    assert mel_bands(tone(500, 0.01), RATE, steps=4, bands=8).shape == (4, 8)


@pytest.mark.parametrize("sizes", [{"steps": 0, "bands": 8}, {"steps": 8, "bands": 0}])
def test_bad_sizes_are_named(sizes):
    with pytest.raises(ConfigError, match="is 0; it must be an integer of 1 or more"):
        mel_bands(tone(500), RATE, **sizes)


def test_the_split_follows_the_names(tmp_path):
    for digit in (0, 7):
        for index in (0, 4, 5, 12):
            write_wav(tmp_path / f"{digit}_anna_{index}.wav", 9000 * tone(300 + 100 * digit + index, 0.1))
    (tmp_path / "notes.wav").write_text("no recording, and not asked for")
    values, labels = spoken_digits("test", tmp_path, steps=5, bands=8)
    assert values.shape == (4, 5, 8) and labels.tolist() == [0, 0, 7, 7]
    train = spoken_digits("train", tmp_path, steps=5, bands=8)
    assert train[1].tolist() == [0, 0, 7, 7] and not np.array_equal(train[0], values)


def test_samples_are_fractions_of_full_scale(tmp_path):
    write_wav(tmp_path / "a.wav", [0, 16384, -32768])
    samples, rate = read_wav(tmp_path / "a.wav")
    assert samples.tolist() == [0, 0.5, -1] and rate == RATE


def test_bad_files_are_named(tmp_path):
    with pytest.raises(DataError, match="has no recordings .* get them from https://github.com"):
        spoken_digits("test", tmp_path)
    path = tmp_path / "0_anna_0.wav"
    path.write_text("hello")
    with pytest.raises(DataError, match=r"0_anna_0\.wav cannot be read as a WAV file"):
        spoken_digits("test", tmp_path)
    write_wav(path, np.zeros(8), channels=2)
    with pytest.raises(DataError, match=r"has 2 channels of 16 bits; convert it"):
        read_wav(path)
    write_wav(path, np.zeros(8), width=4)
    with pytest.raises(DataError, match=r"has 1 channels of 32 bits"):
        read_wav(path)
    write_wav(path, np.zeros(8))
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"0_anna_0\.wav"):
            read_wav(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_wav(tmp_path / "none.wav")


@pytest.mark.skipif("PYSPICE_CIM_DATA" not in os.environ, reason="needs the recordings; set PYSPICE_CIM_DATA")
def test_the_recordings_have_the_split_of_their_readme():
    values, labels = spoken_digits("test", bands=24)
    assert values.shape == (300, 50, 24) and (np.bincount(labels) == 30).all()
    assert values.min() == 0 and values.max() == 1
