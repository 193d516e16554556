"""Event files: written here from their formats' descriptions, read back, and put into time steps."""

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyspice_cim.behavioral.datasets import Events, bin_events, read_nmnist, read_shd
from pyspice_cim.errors import ConfigError, DataError


def nmnist_bytes(events):
    """Events (x, y, polarity, microseconds) as 40-bit words."""
    words = [x << 32 | y << 24 | polarity << 23 | when for x, y, polarity, when in events]
    return b"".join(word.to_bytes(5, "big") for word in words)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("events") / "file"


PIXEL = st.integers(0, 33)


@given(st.lists(st.tuples(PIXEL, PIXEL, st.integers(0, 1), st.integers(0, 2**23 - 1)), min_size=1, max_size=20))
def test_nmnist_events_come_back(scratch, events):
    scratch.write_bytes(nmnist_bytes(events))
    read = read_nmnist(scratch)
    assert read.inputs.tolist() == [(polarity * 34 + y) * 34 + x for x, y, polarity, _ in events]
    assert np.rint(read.times * 1e6).tolist() == [when for *_, when in events]


def test_an_overflow_moves_the_events_after_it(scratch):
    scratch.write_bytes(nmnist_bytes([(1, 2, 0, 100), (0, 240, 0, 0), (1, 2, 1, 100), (0, 240, 0, 0), (3, 3, 0, 7)]))
    read = read_nmnist(scratch)
    assert np.rint(read.times * 1e6).tolist() == [100, 100 + 2**13, 7 + 2**14]
    assert read.inputs.tolist() == [69, 34 * 34 + 69, 105]


def test_bad_nmnist_files_are_named(scratch):
    for data in (b"", b"1234567"):
        scratch.write_bytes(data)
        with pytest.raises(DataError, match=rf"file has {len(data)} bytes, not a multiple of 5"):
            read_nmnist(scratch)
    scratch.write_bytes(nmnist_bytes([(34, 0, 0, 0)]))
    with pytest.raises(DataError, match=r"an event at \(34, 0\)"):
        read_nmnist(scratch)
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_nmnist(scratch.with_name("none"))


def write_shd(path, times, units, labels, kind=np.float16):
    with h5py.File(path, "w") as file:
        file["labels"] = labels
        for name, arrays, dtype in (("times", times, kind), ("units", units, np.uint16)):
            data = file.create_dataset(f"spikes/{name}", (len(arrays),), dtype=h5py.vlen_dtype(dtype))
            for index, array in enumerate(arrays):
                data[index] = np.asarray(array, dtype)


def test_shd_recordings_come_back(scratch):
    write_shd(scratch, [[0.25, 0.5], [], [1.0]], [[3, 699], [], [0]], [4, 19, 0])
    recordings, labels = read_shd(scratch)
    assert labels.tolist() == [4, 19, 0]
    assert [each.times.tolist() for each in recordings] == [[0.25, 0.5], [], [1.0]]
    assert [each.inputs.tolist() for each in recordings] == [[3, 699], [], [0]]
    spikes = bin_events(recordings, 4, 0.25, 700)
    assert np.argwhere(spikes).tolist() == [[1, 0, 3], [2, 0, 699]]


def test_bad_shd_files_are_named(scratch):
    with pytest.raises(DataError, match=r"none: no such file; get the data from https://"):
        read_shd(scratch.with_name("none"))
    scratch.write_text("hello")
    with pytest.raises(DataError, match="file: not a file of SHD"):
        read_shd(scratch)
    write_shd(scratch, [[0.1]], [[1]], [0, 1])
    with pytest.raises(DataError, match="1 spikes/times, 1 spikes/units and 2 labels"):
        read_shd(scratch)
    write_shd(scratch, [[0.1], [0.1, 0.2]], [[1], [1]], [0, 1])
    with pytest.raises(DataError, match=r"recording 1: times have shape \(2,\) and inputs \(1,\)"):
        read_shd(scratch)
    write_shd(scratch, [[0.1]], [[1]], [0])
    whole = scratch.read_bytes()
    for length in range(0, len(whole), 211):
        scratch.write_bytes(whole[:length])
        with pytest.raises(DataError, match="file: not a file of SHD, or one that is cut short"):
            read_shd(scratch)
    with h5py.File(scratch, "w") as file:
        file["labels"] = [1]
    with pytest.raises(DataError, match="spikes/times is missing"):
        read_shd(scratch)


RECORDING = st.lists(st.tuples(st.floats(0, 2, allow_nan=False), st.integers(0, 4)), max_size=15)


@given(st.lists(RECORDING, min_size=1, max_size=4), st.integers(1, 12), st.sampled_from([0.01, 0.125, 0.3]))
def test_bins_hold_exactly_the_events_of_their_time(recordings, steps, dt):
    events = [
        Events(times=np.array([t for t, _ in each], float), inputs=np.array([i for _, i in each], int))
        for each in recordings
    ]
    spikes = bin_events(events, steps, dt, 5)
    expected = {
        (int(t / dt), sample, i) for sample, each in enumerate(recordings) for t, i in each if int(t / dt) < steps
    }
    assert {tuple(each) for each in np.argwhere(spikes).tolist()} == expected
    assert (spikes.dtype, spikes.shape) == (np.uint8, (steps, len(recordings), 5))


@pytest.mark.parametrize(
    ("times", "inputs", "words"),
    [
        ([0.1], [1, 2], "both must be"),
        ([-0.1], [1], "negative or not finite"),
        ([np.nan], [1], "negative or not finite"),
        ([0.1], [-1], "no index"),
        ([0.1], [0.5], "no index"),
    ],
)
def test_bad_events_are_named(times, inputs, words):
    with pytest.raises(DataError, match=words):
        Events(times=np.array(times), inputs=np.array(inputs))


def test_bad_bins_are_named():
    one = Events(times=np.array([0.1]), inputs=np.array([3]))
    with pytest.raises(DataError, match="recording 0 has an event of input 3; there are 3 inputs"):
        bin_events([one], 5, 0.1, 3)
    for steps, dt, inputs in ((0, 0.1, 4), (5, 0.0, 4), (5, np.nan, 4), (5, 0.1, 0)):
        with pytest.raises(ConfigError, match="must be"):
            bin_events([one], steps, dt, inputs)


@pytest.mark.parametrize("step_seconds", [0.1, 1e-3, 0.7, 1 / 3, 1.4 / 50, 0.3 / 11])
def test_an_event_at_the_start_of_a_step_is_in_that_step(step_seconds):
    """Starts as products, and as decimals (0.3, 0.6, 0.7 s) where the step is one: they differ in the last place."""
    steps = np.arange(1, 300)
    starts = [steps * step_seconds, *[np.round(steps * step_seconds, 4)] * (step_seconds in (0.1, 1e-3, 0.7))]
    for times in starts:
        for at, shift in ((steps, 0.0), (steps - 1, -1e-9 * step_seconds), (steps, 1e-9 * step_seconds)):
            spikes = bin_events([Events(times=times + shift, inputs=np.zeros(299, int))], 300, step_seconds, 1)
            assert np.flatnonzero(spikes).tolist() == at.tolist()


@given(st.lists(st.integers(0, 2**23 - 1), min_size=1, max_size=20, unique=True), st.integers(1, 5000))
def test_microseconds_are_binned_as_integers_are(scratch, when, step_us):
    scratch.write_bytes(nmnist_bytes([(0, 0, 0, each) for each in when]))
    steps = max(when) // step_us + 1
    spikes = bin_events([read_nmnist(scratch)], steps, step_us * 1e-6, 1)
    assert np.flatnonzero(spikes).tolist() == sorted({each // step_us for each in when})
