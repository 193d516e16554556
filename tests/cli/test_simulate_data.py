"""``simulate --data``: named sets, files and folders, and what each of them takes."""

import gzip
import json
import os
import struct
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from pyspice_cim.behavioral.datasets import bin_events, digits, nmnist, read_shd
from pyspice_cim.behavioral.network.conversion import layers_of
from pyspice_cim.behavioral.network.encoding import Encoder
from pyspice_cim.behavioral.network.file import Layer, NetworkFile, load_network, save_network
from pyspice_cim.behavioral.network.reference import run_integer
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams, NeuronParams
from pyspice_cim.resources import shipped

GRAPHS = Path(__file__).parents[1] / "behavioral" / "nir" / "graphs"


@pytest.fixture
def network(tmp_path):
    """Makes a network of one layer with so many inputs: its path and itself."""

    def make(inputs, classes=10, steps=5):
        weights = np.random.default_rng(0).integers(-8, 8, (inputs, classes)).astype(np.int8)
        layer = Layer(weights=weights, weight_bits=4, params=LDLIFParams(lambda_=1, theta=9, membrane_bits=8))
        made = NetworkFile(layers=(layer,), steps=steps, encoder=Encoder(kind="regular", max_rate=0.5))
        save_network(made, tmp_path / "net.h5")
        return tmp_path / "net.h5", made

    return make


@pytest.fixture
def events(tmp_path):
    """Folders of N-MNIST (3 recordings, the second of label 7) and of SHD (2 recordings)."""
    rng = np.random.default_rng(1)
    for index, label in enumerate((3, 7, 0)):
        folder = tmp_path / "nmnist" / "Test" / str(label)
        folder.mkdir(parents=True)
        words = [
            int(x) << 32 | int(y) << 24 | index << 20 | 1000 * k
            for k, (x, y) in enumerate(rng.integers(0, 34, (90, 2)))
        ]
        (folder / f"{index:05}.bin").write_bytes(b"".join(word.to_bytes(5, "big") for word in words))
    (tmp_path / "shd").mkdir()
    with h5py.File(tmp_path / "shd" / "shd_test.h5", "w") as file:
        file["labels"] = [4, 19]
        for name, kind in (("times", np.float32), ("units", np.uint16)):
            data = file.create_dataset(f"spikes/{name}", (2,), dtype=h5py.vlen_dtype(kind))
            for row in range(2):
                data[row] = (rng.random(300) if name == "times" else rng.integers(0, 700, 300)).astype(kind)
    return tmp_path


def accuracy(cim, net, *options):
    ran = cim("simulate", net, *options, "--energy", "none", "--json")
    assert ran.status == 0, ran.err
    found = json.loads(ran.out)
    return found["accuracy"], found["sops_per_inference"]


def expected(made, spikes, labels):
    return np.mean(run_integer(layers_of(made), spikes).predictions == labels), spikes.sum() / spikes.shape[1] * 10


def test_a_shipped_network_and_its_data_have_one_name(cim):
    found = json.loads(cim("simulate", "digits", "--samples", 3, "--json").out)
    assert found["data"] == "digits" and found["samples"] == 3


def test_digits_by_any_code(cim, network):
    net, made = network(64)
    images, labels = digits("test")
    for options, encoder, steps in (
        ([], Encoder(kind="regular", max_rate=0.5), 5),
        (["--steps", 9, "--max-rate", 0.25], Encoder(kind="regular", max_rate=0.25), 9),
        (["--encoder", "latency"], Encoder(kind="latency"), 5),
        (["--encoder", "bernoulli", "--max-rate", 0.5], Encoder(max_rate=0.5), 5),
    ):
        wanted = expected(made, encoder.encode(images[:20], steps), labels[:20])
        assert accuracy(cim, net, "--data", "digits", "--samples", 20, *options) == pytest.approx(wanted)


def test_an_exported_network_takes_the_digits(cim, tmp_path):
    pytest.importorskip("nir")
    from pyspice_cim.behavioral.nir.exporter import save_nir

    made = load_network(shipped("networks", "digits.h5"))
    save_nir(made, tmp_path / "net.nir")
    how = ["--steps", made.steps, "--encoder", made.encoder.kind, "--max-rate", made.encoder.max_rate]
    found = json.loads(cim("simulate", tmp_path / "net.nir", "--samples", 9, *how, "--json").out)
    own = json.loads(cim("simulate", "digits", "--samples", 9, "--json").out)
    assert found["accuracy"] == own["accuracy"]
    assert found["energy_per_inference_j"] == own["energy_per_inference_j"]
    ran = cim("simulate", tmp_path / "net.nir", "--data", "digits")
    assert ran.status == 2 and "needs --steps" in ran.err


def test_images_become_the_shape_of_a_convolution(cim, tmp_path, monkeypatch):
    pytest.importorskip("nir")
    images = np.random.default_rng(2).integers(0, 256, (4, 12, 6)).astype(np.uint8)
    (tmp_path / "mnist").mkdir()
    for name, array in (("images-idx3", images), ("labels-idx1", np.arange(4, dtype=np.uint8) % 3)):
        header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        (tmp_path / "mnist" / f"t10k-{name}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))
    monkeypatch.setenv("PYSPICE_CIM_DATA", str(tmp_path))
    given = ["simulate", GRAPHS / "sinabs_conv.nir", "--dt", 1, "--reset", "subtract", "--data", "mnist", "--steps", 3]
    found = cim(*given, "--json")
    assert found.status == 0, found.err
    assert json.loads(found.out)["samples"] == 4


def test_nmnist_by_name_and_by_folder(cim, network, events, monkeypatch):
    monkeypatch.setenv("PYSPICE_CIM_DATA", str(events))
    net, made = network(2312)
    recordings, labels = nmnist("test")
    assert labels.tolist() == [3, 7, 0]
    wanted = expected(made, bin_events(recordings, 5, 0.06, 2312), labels)
    assert accuracy(cim, net, "--data", "nmnist") == wanted
    assert accuracy(cim, net, "--data", events / "nmnist") == wanted
    assert accuracy(cim, net, "--data", events / "nmnist" / "Test") == wanted
    wanted = expected(made, bin_events(recordings[:2], 8, 0.01, 2312), labels[:2])
    given = ["--data", "nmnist", "--samples", 2, "--steps", 8, "--step-seconds", 0.01]
    assert accuracy(cim, net, *given) == wanted


def test_shd_by_name_and_by_file(cim, network, events, monkeypatch):
    monkeypatch.setenv("PYSPICE_CIM_DATA", str(events))
    net, made = network(700, classes=20)
    recordings, labels = read_shd(events / "shd" / "shd_test.h5")
    wanted = (expected(made, bin_events(recordings, 5, 0.28, 700), labels)[0],)
    assert accuracy(cim, net, "--data", "shd")[:1] == wanted
    assert accuracy(cim, net, "--data", events / "shd" / "shd_test.h5")[:1] == wanted
    small, _ = network(700, classes=10)
    ran = cim("simulate", small, "--data", "shd")
    assert ran.status == 2 and "labels[1] is 19" in ran.err


@pytest.mark.parametrize(
    ("inputs", "options", "words"),
    [
        (64, ["letters"], ["letters", "spoken_digits", "nmnist", "https://"]),
        (784, ["mnist"], ["mnist", "no such folder", "https://"]),
        (96, ["spoken_digits"], ["fsdd", "no such folder", "https://"]),
        (700, ["shd"], ["shd", "no such folder", "https://zenkelab.org"]),
        (700, ["none.h5"], ["none.h5", "no such file", "https://zenkelab.org"]),
        (2312, ["nmnist"], ["nmnist", "no such folder", "https://www.garrickorchard.com"]),
        (2312, ["."], ["LABEL/*.bin", "https://www.garrickorchard.com"]),
        (65, ["digits"], ["digits has 64 inputs", "takes 65"]),
        (64, ["digits", "--step-seconds", 0.1], ["--step-seconds", "digits", "no events"]),
        (64, ["digits", "--steps", 0], ["--steps is 0"]),
        (64, ["digits", "--max-rate", 2], ["max_rate is 2"]),
        (700, ["shd", "--encoder", "latency", "--max-rate", 0.5], ["--encoder, --max-rate", "events already"]),
        (64, ["some.npz", "--steps", 4], ["--steps", "some.npz", "time steps already"]),
    ],
)
def test_data_that_cannot_be_say_so_in_one_line(cim, network, tmp_path, monkeypatch, inputs, options, words):
    monkeypatch.setenv("PYSPICE_CIM_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    ran = cim("simulate", network(inputs)[0], "--data", *options)
    assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
    for word in words:
        assert word in ran.err, ran.err


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (lambda s: {"spikes": s, "labels": np.zeros(7, int)}, ["labels", "(7,)"]),
        (lambda s: {"spikes": s, "labels": np.array(3)}, ["labels have shape ()"]),
        (lambda s: {"spikes": s, "labels": np.zeros(2)}, ["labels are of type float64"]),
        (lambda s: {"spikes": s, "labels": np.array([0, 10])}, ["labels[1] is 10", "0 to 9"]),
        (lambda s: {"spikes": np.where(np.arange(64) == 17, 2, s)}, ["spikes[0, 0, 17] is 2", "0 or 1"]),
        (lambda s: {"spikes": np.where(np.arange(64) == 5, np.nan, s)}, ["spikes[0, 0, 5] is nan"]),
        (lambda s: {"spikes": s.astype(str)}, ["of type <U"]),
        (lambda s: {"spikes": s[0]}, ["(2, 64)", "(time, batch, inputs)"]),
    ],
)
@pytest.mark.parametrize("decay", ["clamp", "toward_zero"])
def test_a_file_that_is_wrong_is_named_with_the_place(cim, network, tmp_path, arrays, words, decay):
    net, made = network(64)
    if decay != "clamp":
        params = NeuronParams(lambda_=1, theta=9, membrane_bits=8, decay=decay)
        save_network(replace(made, layers=(replace(made.layers[0], params=params),)), net)
    np.savez(tmp_path / "data.npz", **arrays(np.ones((3, 2, 64), np.int64)))
    ran = cim("simulate", net, "--data", tmp_path / "data.npz", "--samples", 1)
    assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
    for word in ("data.npz", *words):
        assert word in ran.err, ran.err


@pytest.mark.skipif("PYSPICE_CIM_DATA" not in os.environ, reason="needs MNIST's files; set PYSPICE_CIM_DATA")
def test_mnist_from_the_command_line(cim, network):
    net, _ = network(784)
    found = json.loads(cim("simulate", net, "--data", "mnist", "--samples", 5, "--json").out)
    assert found["samples"] == 5 and found["energy_per_inference_j"] > 0
