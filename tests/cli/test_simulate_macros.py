"""``simulate``: the macros that networks of any size get, and where they work; options that cannot be are named."""

import json
import os
import shutil
import sys
from itertools import pairwise

import h5py
import numpy as np
import pytest

from pyspice_cim.behavioral.network.conversion import layers_of
from pyspice_cim.behavioral.network.encoding import Encoder
from pyspice_cim.behavioral.network.file import Layer, NetworkFile, save_network
from pyspice_cim.behavioral.network.reference import run_integer
from pyspice_cim.behavioral.neuron.ldlif import LDLIFParams, NeuronParams
from pyspice_cim.resources import shipped

WITHOUT_MODELS = "sky130"


def network(path, *sizes, weight_bits=4, membrane_bits=8, decay="clamp"):
    """A random fully connected network as a file."""
    rng = np.random.default_rng(3)
    kind = LDLIFParams if decay == "clamp" else NeuronParams
    params = kind(lambda_=1, theta=20, membrane_bits=membrane_bits, decay=decay)
    half = 2 ** (weight_bits - 1)
    layers = tuple(
        Layer(weights=rng.integers(-half, half, pair).astype(np.int8), weight_bits=weight_bits, params=params)
        for pair in pairwise(sizes)
    )
    made = NetworkFile(layers=layers, steps=4, encoder=Encoder())
    save_network(made, path)
    return made


def spikes_of(path, inputs, classes=10):
    spikes = (np.random.default_rng(4).random((4, 3, inputs)) < 0.1).astype(np.uint8)
    np.savez(path, spikes=spikes, labels=np.arange(3) % classes)
    return spikes


@pytest.fixture
def run(cim, tmp_path):
    """Runs ``sizes`` with options: what was printed as JSON, and the network in plain integers."""

    def simulate(sizes, *options, **fields):
        made = network(tmp_path / "net.h5", *sizes, **fields)
        spikes = spikes_of(tmp_path / "data.npz", sizes[0], sizes[-1])
        ran = cim("simulate", tmp_path / "net.h5", "--data", tmp_path / "data.npz", *options, "--json")
        assert ran.status == 0, ran.err
        return json.loads(ran.out), run_integer(layers_of(made), spikes)

    return simulate


def test_a_layer_larger_than_the_table_is_divided_and_keeps_its_bits(run, cim, tmp_path):
    found, plain = run((784, 10))
    # A home macro gives up inputs for the word that the others send it: 13 macros of 64 lines would hold 784 otherwise.
    [size] = found["macro_sizes"]
    assert (size["neurons"], size["inputs"]) == (10, 64) and size["macros"] == found["macros"][0] >= 13
    assert found["energy_per_inference_j"] > 0 and found["outside_table"] == 0
    assert found["accuracy"] == np.mean(plain.predictions == np.arange(3))
    [line] = found["divided"]
    assert "layer 0" in line and "784 inputs" in line and "13 of 10 neurons x 64 inputs" in line
    words = cim("simulate", tmp_path / "net.h5", "--data", tmp_path / "data.npz").out
    assert line in words and "13 of 10 neurons x 64 inputs" in words
    given, _ = run((784, 10), "--macro-inputs", 64, "--macro-neurons", 10)
    assert given["energy_per_inference_j"] == found["energy_per_inference_j"] and given["divided"] == []


def test_neurons_beyond_the_table_are_shared_evenly(run):
    # 257 in macros of 256 would leave one alone, and the table begins with two.
    found, _ = run((8, 257))
    assert [found["macro_sizes"][0][name] for name in ("macros", "neurons")] == [2, 129]


def test_a_layer_that_fits_has_a_macro_of_its_own_size(run):
    found, _ = run((64, 32, 10))
    assert [(each["neurons"], each["inputs"]) for each in found["macro_sizes"]] == [(32, 64), (10, 32)]
    assert found["divided"] == []


def test_wide_weights_take_more_rows_of_a_macro(run):
    found, _ = run((64, 10), weight_bits=8)
    assert [found["macro_sizes"][0][name] for name in ("macros", "inputs")] == [3, 32]


@pytest.mark.skipif("PYSPICE_CIM_DATA" not in os.environ, reason="needs the recordings; set PYSPICE_CIM_DATA")
def test_the_shipped_spoken_digits_run_on_their_own_data(cim):
    ran = cim("simulate", "spoken_digits", "--samples", 30, "--energy", "expected", "--json")
    assert ran.status == 0, ran.err
    found = json.loads(ran.out)
    assert found["data"] == "spoken_digits" and found["accuracy"] >= 0.9
    assert found["energy_per_inference_j"] > 0 and len(found["divided"]) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--macro-inputs", 1], ["layer 0", "--macro-inputs"]),
        (["--macro-inputs", 65], ["--macro-inputs 65", "260 weight rows", "--macro-inputs 1 to 64", "--outside clip"]),
        (["--macro-inputs", 0], ["--macro-inputs is 0"]),
        (["--macro-neurons", 5000], ["--macro-neurons is 5000"]),
        (["--macro-neurons", 300], ["neurons of a macro = 300", "--macro-neurons"]),
        (["--rows", 8], ["10 bits", "--rows is 8", "give --rows 16"]),
        (["--rows", 10], ["rows = 10", "16 only", "--rows"]),
        (["--vdd", 0.1], ["vdd = 0.1", "0.99 to 1.21", "--vdd"]),
        (["--temperature", 300], ["temperature_c = 300", "--temperature"]),
        (["--process", "xx"], ["'xx'", "--process tt or ff"]),
    ],
)
@pytest.mark.parametrize("energy", ["exact", "none"])
def test_options_that_cannot_be_are_refused_by_their_names(cim, tmp_path, options, words, energy):
    made = network(tmp_path / "net.h5", 70, 300)
    assert all(layer.weight_bits == 4 for layer in made.layers)
    spikes_of(tmp_path / "data.npz", 70)
    ran = cim("simulate", tmp_path / "net.h5", "--data", tmp_path / "data.npz", *options, "--energy", energy)
    assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
    for word in words:
        assert word in ran.err, ran.err
    assert "outside='" not in ran.err


@pytest.mark.parametrize("rows", [[], ["--rows", 64]])
def test_words_wider_than_the_table_say_what_helps_and_that_helps(cim, tmp_path, rows):
    network(tmp_path / "net.h5", 64, 10, weight_bits=8, membrane_bits=16)
    spikes_of(tmp_path / "data.npz", 64)
    command = ["simulate", tmp_path / "net.h5", "--data", tmp_path / "data.npz"]
    ran = cim(*command, *rows)
    assert ran.status == 2
    for word in ("17 bits", "reaches 16 rows", "--weight-bits", "--rows 17 --outside clip", "--energy none"):
        assert word in ran.err, ran.err
    assert json.loads(cim(*command, "--rows", 17, "--outside", "clip", "--json").out)["outside_table"] > 0
    none = json.loads(cim(*command, "--energy", "none", "--json").out)
    assert none["accuracy"] is not None and "--energy none" in none["energy_unavailable"]


def test_membranes_that_the_table_does_not_hold_are_named(cim, tmp_path):
    network(tmp_path / "net.h5", 16, 10, membrane_bits=7)
    spikes_of(tmp_path / "data.npz", 16)
    ran = cim("simulate", tmp_path / "net.h5", "--data", tmp_path / "data.npz")
    assert ran.status == 2
    assert "membrane_bits = 7" in ran.err and "--membrane-bits" in ran.err and "--outside clip" in ran.err


@pytest.mark.parametrize("decay", ["toward_zero", "none"])
def test_a_file_that_the_array_does_not_compute_has_an_accuracy_and_a_reason(run, cim, tmp_path, decay):
    found, plain = run((64, 10), decay=decay)
    assert found["accuracy"] == np.mean(plain.predictions == np.arange(3))
    assert found["energy_per_inference_j"] is None and repr(decay) in found["energy_unavailable"]
    command = ["simulate", tmp_path / "net.h5", "--data", tmp_path / "data.npz"]
    words = cim(*command).out
    assert "accuracy" in words and "not available" in words and "fast_run" not in words
    # The operating point is checked all the same.
    assert "--vdd" in cim(*command, "--vdd", 0.1).err


def test_none_gives_accuracy_and_latency_without_an_energy(run, cim):
    found, _ = run((64, 10), "--energy", "none")
    exact, _ = run((64, 10))
    assert (found["energy_per_inference_j"], exact["energy_unavailable"]) == (None, None)
    assert found["latency_per_inference_s"] == exact["latency_per_inference_s"]
    assert "--energy none" in cim("simulate", "--samples", 2, "--energy", "none").out


def test_the_supply_is_the_technology_s_and_its_models_are_not_needed(cim, monkeypatch):
    monkeypatch.setitem(sys.modules, "sky130", None)
    by_name = json.loads(cim("simulate", "--technology", WITHOUT_MODELS, "--samples", 2, "--json").out)
    table = shipped("reference", f"{WITHOUT_MODELS}.h5")
    by_table = json.loads(cim("simulate", "--table", table, "--samples", 2, "--json").out)
    assert by_name["conditions"] == by_table["conditions"]
    assert (by_name["conditions"]["vdd"], by_name["conditions"]["temperature_c"]) == (1.8, 27.0)
    assert by_name["energy_per_inference_j"] == by_table["energy_per_inference_j"] > 0
    assert "1.8 V, 27 C" in cim("simulate", "--table", table, "--samples", 2).out


def test_a_technology_that_is_not_built_in_works_at_the_middle_of_its_table(cim, tmp_path):
    copy = tmp_path / "own.h5"
    shutil.copyfile(shipped("reference", "generic45lp.h5"), copy)
    with h5py.File(copy, "a") as file:
        file.attrs["technology"] = "my_process"
    found = json.loads(cim("simulate", "--table", copy, "--samples", 2, "--json").out)
    assert found["conditions"]["vdd"] == 1.1 and found["provenance"]["technology"] == "my_process"
