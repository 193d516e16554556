"""Network files: round trip, equal bytes, and a named error for every kind of bad file."""

import time
from dataclasses import replace

import h5py
import numpy as np
import pytest

from pyspice_cim.behavioral.encoding import Encoder
from pyspice_cim.behavioral.ldlif import LDLIFParams
from pyspice_cim.behavioral.network_file import Layer, NetworkFile, load_network, save_network
from pyspice_cim.errors import ConfigError, DataError


def layer(inputs, neurons, seed=0, bits=4, **params):
    high = 1 << (bits - 1)
    weights = np.random.default_rng(seed).integers(-high, high, (inputs, neurons))
    return Layer(weights=weights, weight_bits=bits, params=LDLIFParams(**({"lambda_": 1, "theta": 20} | params)))


@pytest.fixture
def network():
    return NetworkFile(
        layers=(layer(16, 7), layer(7, 3, seed=1, bits=8, reset="zero", membrane_bits=10)),
        steps=20,
        encoder=Encoder(kind="regular", max_rate=0.3, seed=2**64 - 1),
        meta={"data": "numbers of a hand, écrits", "empty": ""},
    )


@pytest.fixture
def path(tmp_path, network):
    save_network(network, tmp_path / "net.h5")
    return tmp_path / "net.h5"


def test_round_trip(network, path):
    back = load_network(path)
    assert (back.steps, back.encoder, dict(back.meta)) == (network.steps, network.encoder, dict(network.meta))
    assert back.shape == (16, 7, 3)
    for old, new in zip(network.layers, back.layers, strict=True):
        assert np.array_equal(old.weights, new.weights) and new.weights.dtype == np.int8
        assert (old.weight_bits, old.params) == (new.weight_bits, new.params)
    assert back.sha256 == network.sha256


def test_equal_networks_give_equal_bytes(network, path):
    time.sleep(1.1)  # HDF5 keeps times in whole seconds, where it keeps them
    save_network(network, path.with_name("again.h5"))
    assert path.read_bytes() == path.with_name("again.h5").read_bytes()
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["again.h5", "net.h5"]


def test_the_hash_follows_the_answers_only(network):
    assert replace(network, meta={}).sha256 == network.sha256
    assert replace(network, steps=21).sha256 != network.sha256
    assert replace(network, layers=(network.layers[0], layer(7, 3, seed=2))).sha256 != network.sha256


def test_weights_cannot_be_changed_in_place(network):
    with pytest.raises(ValueError, match="read-only"):
        network.layers[0].weights[0, 0] = 1


def test_a_missing_folder_is_named(network, tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        save_network(network, tmp_path / "no" / "net.h5")


def test_a_file_cut_short_anywhere_is_refused(path):
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"net\.h5: not a network file, or one that is cut short or damaged"):
            load_network(path)


def test_a_changed_byte_is_refused_or_harmless(network, path):
    whole = path.read_bytes()
    refused = 0
    for position in range(0, len(whole), 41):
        damaged = bytearray(whole)
        damaged[position] ^= 0x55
        path.write_bytes(damaged)
        try:
            assert load_network(path).sha256 == network.sha256
        except DataError:
            refused += 1
    assert refused > 0


def test_a_missing_file_and_another_kind_of_file_are_named(tmp_path):
    with pytest.raises(DataError, match=r"net\.h5: no such file"):
        load_network(tmp_path / "net.h5")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(DataError, match=r"text\.h5: not a network file"):
        load_network(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(DataError, match=r"other\.h5: schema is None"):
        load_network(tmp_path / "other.h5")


@pytest.mark.parametrize(
    ("group", "name", "value", "words"),
    [
        ("/", "schema", "another", "schema is 'another'"),
        ("/", "version", 2, "version is 2; this release reads version 1"),
        ("/", "steps", 0, "steps is 0"),
        ("/", "steps", None, "attribute steps is missing in /"),
        ("/", "layers", 0, "layers is empty"),
        ("/", "layers", 3, "group layers/2 is missing"),
        ("/", "layers", 1.5, "attribute layers of / is .*1.5.*wrong type"),
        ("encoder", "kind", "latency", "encoder kind is 'latency'"),
        ("encoder", "kind", 3, "attribute kind of /encoder .*wrong type"),
        ("encoder", "max_rate", 2.0, "encoder max_rate is 2.0"),
        ("layers/0", "theta", 128, "layers/0: theta is 128, above 127"),
        ("layers/0", "theta", None, "layers/0: attribute theta is missing"),
        ("layers/0", "lambda", -1, "layers/0: lambda_ is -1"),
        ("layers/1", "reset", "other", "layers/1: reset is 'other'"),
        ("layers/1", "decay", "none", "layers/1: decay is 'none'"),
        ("layers/0", "weight_bits", 3, "layers/0: weights hold -8..7; weight_bits = 3 holds -4..3"),
        ("layers/0", "weight_bits", 9, "layers/0: weight_bits is 9"),
    ],
)
def test_bad_fields_are_named(path, group, name, value, words):
    with h5py.File(path, "r+") as file:
        del file[group].attrs[name]
        if value is not None:
            file[group].attrs[name] = value
    with pytest.raises(DataError, match=rf"net\.h5: {words}"):
        load_network(path)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (None, "layers/0/weights is missing"),
        (np.zeros((16, 7)), "layers/0/weights is float64"),
        (np.zeros(16, np.int8), r"layers/0/weights is int8 \(16,\)"),
        (np.full((16, 7), 200, np.int16), "layers/0: weights hold 200..200"),
        (np.zeros((16, 0), np.int8), r"layers/0: weights have shape \(16, 0\)"),
        (np.zeros((16, 6), np.int8), "layer 1 has 7 inputs, but layer 0 has 6 neurons"),
    ],
)
def test_bad_weights_are_named(path, weights, words):
    with h5py.File(path, "r+") as file:
        del file["layers/0/weights"]
        if weights is not None:
            file["layers/0/weights"] = weights
    with pytest.raises(DataError, match=rf"net\.h5: {words}"):
        load_network(path)


def test_a_giant_array_is_refused_before_it_is_read(path):
    with h5py.File(path, "r+") as file:
        del file["layers/0/weights"]
        file.create_dataset("layers/0/weights", shape=(1 << 20, 1 << 20), dtype=np.int8, chunks=(1024, 1024))
    with pytest.raises(DataError, match="layers/0/weights is int8"):
        load_network(path)
