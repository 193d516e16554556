"""Network files: round trip, equal bytes, and a named error for every kind of bad file."""

import itertools
import time
from dataclasses import replace

import h5py
import numpy as np
import pytest

from pyspice_cim.behavioral.network.encoding import Encoder
from pyspice_cim.behavioral.network.file import Layer, NetworkFile, load_network, save_network
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams, NeuronParams
from pyspice_cim.errors import ConfigError, DataError
from pyspice_cim.resources import shipped


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


def other_rules():
    """A network of version 2: each of the other decay rules, one layer of them recurrent."""
    rng = np.random.default_rng(3)
    rules = [{"decay": "toward_zero", "lambda_": 3}, {"decay": "exponential", "beta": (230, 8)}, {"decay": "none"}]
    layers = [
        Layer(
            weights=rng.integers(-8, 8, (9 if recurrent else 5, 4 if recurrent else 5)),
            weight_bits=4,
            params=NeuronParams(theta=20, **rule),
            recurrent=recurrent,
        )
        for rule, recurrent in zip(rules[:2], (False, True), strict=True)
    ]
    layers.append(Layer(weights=rng.integers(-8, 8, (4, 3)), weight_bits=4, params=NeuronParams(theta=9, **rules[2])))
    return NetworkFile(layers=tuple(layers), steps=7, encoder=Encoder(kind="latency"))


def test_round_trip_of_other_rules_and_of_recurrent_layers(tmp_path):
    network = other_rules()
    save_network(network, tmp_path / "net.h5")
    back = load_network(tmp_path / "net.h5")
    assert (network.version, back.version) == (2, 2)
    assert (back.shape, back.encoder, back.sha256) == ((5, 5, 4, 3), network.encoder, network.sha256)
    for old, new in zip(network.layers, back.layers, strict=True):
        assert np.array_equal(old.weights, new.weights)
        assert (old.params, old.recurrent) == (new.params, new.recurrent)
    assert np.array_equal(back.layers[1].input_weights, network.layers[1].weights[:5])
    assert np.array_equal(back.layers[1].recurrent_weights, network.layers[1].weights[5:])
    assert back.layers[0].recurrent_weights is None


def test_what_version_1_can_hold_is_written_as_version_1(network, path):
    with h5py.File(path) as file:
        assert file.attrs["version"] == 1
        assert set(file["layers/0"].attrs) == {"weight_bits", "lambda", "theta", "membrane_bits", "decay", "reset"}
    with h5py.File(shipped("networks", "digits.h5")) as file:
        assert file.attrs["version"] == 1
    # The hash that reports carry of the shipped network, as the release of version 1 wrote it.
    assert load_network(shipped("networks", "digits.h5")).sha256.startswith("7655870b50d584f3")


def test_the_hash_knows_recurrence_and_rule():
    rng = np.random.default_rng(4)
    weights = rng.integers(-8, 8, (9, 4))
    plain = Layer(weights=weights, weight_bits=4, params=NeuronParams(theta=9, decay="none"))
    rule = replace(plain, params=NeuronParams(theta=9, decay="exponential", beta=(200, 8)))
    networks = [
        NetworkFile(layers=(each,), steps=5, encoder=Encoder())
        for each in (plain, replace(plain, recurrent=True), rule)
    ]
    assert len({each.sha256 for each in networks}) == 3


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("beta", None, "layers/1: attribute beta is missing"),
        ("beta", (300, 8), r"layers/1: beta is \(300, 8\)"),
        ("beta", 0.9, "layers/1: attribute beta of /layers/1 is .*wrong type"),
        ("beta", (1, 2, 3), "layers/1: attribute beta of /layers/1 is .*wrong type"),
        ("recurrent", 2, "layers/1: attribute recurrent of /layers/1 is .*wrong type"),
        ("recurrent", 0, "layer 1 has 9 inputs, but layer 0 has 5 neurons"),
        ("decay", "linear", "layers/1: decay is 'linear'"),
    ],
)
def test_bad_fields_of_version_2_are_named(tmp_path, name, value, words):
    path = tmp_path / "net.h5"
    save_network(other_rules(), path)
    with h5py.File(path, "r+") as file:
        del file["layers/1"].attrs[name]
        if value is not None:
            file["layers/1"].attrs[name] = value
    with pytest.raises(DataError, match=rf"net\.h5: {words}"):
        load_network(path)


def test_a_recurrent_layer_without_inputs_is_named():
    with pytest.raises(DataError, match=r"weights have shape \(4, 4\); those of a recurrent layer are"):
        Layer(weights=np.zeros((4, 4), np.int8), weight_bits=4, params=LDLIFParams(lambda_=1, theta=9), recurrent=True)


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
        ("/", "version", 2, "layers/0: attribute recurrent is missing"),
        ("/", "version", 3, "version is 3; this release reads versions 1 and 2"),
        ("/", "version", None, "version is None"),
        ("/", "steps", 0, "steps is 0"),
        ("/", "steps", None, "attribute steps is missing in /"),
        ("/", "layers", 0, "layers is empty"),
        ("/", "layers", 3, "group layers/2 is missing"),
        ("/", "layers", 1.5, "attribute layers of / is .*1.5.*wrong type"),
        ("encoder", "kind", "delta", "encoder kind is 'delta'"),
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


@pytest.mark.parametrize("name", ["digits.h5", "spoken_digits.h5"])
def test_the_hash_of_a_shipped_network_stays(name):
    known = {"digits.h5": "7655870b50d584f3", "spoken_digits.h5": "0ec221f6670554e4"}
    assert load_network(shipped("networks", name)).sha256.startswith(known[name])


def test_recurrent_weights_that_spell_the_next_layer_have_another_hash():
    """Two networks whose weights, parameters and shapes are one and the same row of bytes."""
    latency = {"steps": 5, "encoder": Encoder(kind="latency")}
    rng = np.random.default_rng(8)
    for neurons, outputs, theta, lambda_ in itertools.product(range(9, 16), range(1, 9), (9, 10, 100), (1, 10)):
        last = Layer(
            weights=rng.integers(-128, 128, (neurons, outputs)),
            weight_bits=8,
            params=LDLIFParams(lambda_=lambda_, theta=theta),
        )
        spelled = repr(((neurons, outputs), 8, last.params)).encode() + last.weights.tobytes()
        if len(spelled) == neurons**2:
            break
    else:
        raise AssertionError("no text has the length of such weights")
    first = Layer(weights=rng.integers(-128, 128, (4, neurons)), weight_bits=8, params=last.params)
    own = np.frombuffer(spelled, np.int8).reshape(neurons, neurons)
    recurrent = replace(first, weights=np.concatenate([first.weights, own]), recurrent=True)
    networks = NetworkFile(layers=(first, last), **latency), NetworkFile(layers=(recurrent,), **latency)
    assert networks[0].sha256 != networks[1].sha256


@pytest.mark.parametrize("decay", ["clamp", "toward_zero", "none", "exponential"])
def test_the_hash_is_the_same_before_saving_and_after_loading(tmp_path, decay):
    params = NeuronParams(lambda_=1, theta=20, decay=decay, beta=(3, 2))
    network = NetworkFile(layers=(replace(layer(4, 3), params=params),), steps=3, encoder=Encoder())
    save_network(network, tmp_path / "net.h5")
    assert load_network(tmp_path / "net.h5").sha256 == network.sha256
