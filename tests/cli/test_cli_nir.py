"""``pyspice-cim simulate NET.nir``: on macros where they can, without an energy where they cannot, and refusals."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pyspice_cim.behavioral.network.file import load_network
from pyspice_cim.behavioral.network.readout import classify
from pyspice_cim.behavioral.network.reference import run_integer
from pyspice_cim.behavioral.nir.exporter import save_nir
from pyspice_cim.behavioral.nir.importer import import_nir
from pyspice_cim.cli.networks import print_import
from pyspice_cim.resources import shipped

nir = pytest.importorskip("nir")
GRAPHS = Path(__file__).parents[1] / "behavioral" / "nir" / "graphs"


@pytest.fixture
def digits(tmp_path):
    """The shipped network as NIR, and spikes for it."""
    network = load_network(shipped("networks", "digits.h5"))
    save_nir(network, tmp_path / "net.nir")
    rng = np.random.default_rng(1)
    spikes = (rng.random((network.steps, 3, network.shape[0])) < 0.2).astype(np.uint8)
    np.savez(tmp_path / "data.npz", spikes=spikes, labels=np.array([0, 1, 2]))
    return tmp_path / "net.nir", tmp_path / "data.npz"


def test_an_exported_network_costs_what_it_did(cim, digits):
    net, data = digits
    ran = cim("simulate", net, "--data", data, "--json")
    assert ran.status == 0, ran.err
    found, own = json.loads(ran.out), json.loads(cim("simulate", "digits", "--data", data, "--json").out)
    for name in ("energy_per_inference_j", "accuracy", "latency_per_inference_s"):
        assert found[name] == own[name]
    assert [each["theta"] for each in found["import"]] == [13, 11]
    words = cim("simulate", net, "--data", data)
    assert "layers from NIR" in words.out
    assert "energy per SOP" in words.out


def test_a_foreign_network_is_quantized_and_calibrated(cim):
    name = GRAPHS / "snntorch_dense"
    given = ["--dt", "1e-4", "--integration", "euler", "--reset", "subtract", "--weight-bits", 5, "--membrane-bits", 8]
    data = name.with_suffix(".npz")
    ran = cim("simulate", name.with_suffix(".nir"), "--data", data, "--calibrate", data, *given, "--json")
    assert ran.status == 0, ran.err
    found = json.loads(ran.out)
    assert found["energy_per_inference_j"] > 0
    assert all(each["saturated"] is not None and each["decay"] == "clamp" for each in found["import"])


@pytest.mark.parametrize(
    ("name", "options", "macros"),
    [
        ("sinabs_conv", ["--dt", 1], [2, 1]),
        ("sinabs_conv", ["--dt", 1, "--macro-neurons", 27, "--macro-inputs", 48], [6, 1]),
        ("snntorch_recurrent", ["--dt", "1e-4", "--integration", "euler"], [1, 1]),
        ("snntorch_dense", ["--dt", "1e-4", "--integration", "euler", "--macro-neurons", 5], [2, 1]),
    ],
)
def test_any_layers_have_an_energy_and_the_bits_of_the_integers(cim, tmp_path, name, options, macros):
    data = dict(np.load(GRAPHS / f"{name}.npz"))
    labels = np.arange(data["spikes"].shape[1]) % 3
    np.savez(tmp_path / "data.npz", spikes=data["spikes"], labels=labels)
    given = ["simulate", GRAPHS / f"{name}.nir", "--data", tmp_path / "data.npz", "--reset", "subtract", *options]
    found = json.loads(cim(*given, "--json").out)
    how = {"dt": float(options[1]), "integration": "euler" if "euler" in options else "exact", "reset": "subtract"}
    network = import_nir(GRAPHS / f"{name}.nir", **how)
    run = run_integer(network.layers, network.inputs(data["spikes"]))
    counts = run.spike_counts.reshape(len(labels), -1)
    assert found["accuracy"] == np.mean(classify(counts, run.membranes[-1].reshape(counts.shape)) == labels)
    assert found["energy_per_inference_j"] > 0
    assert found["macros"] == macros


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("snntorch_dense", ["--dt", "1e-4", "--integration", "euler", "--decay", "exponential"], "'exponential'"),
    ],
)
def test_what_macros_do_not_run_says_so(cim, tmp_path, name, options, words):
    data = dict(np.load(GRAPHS / f"{name}.npz"))
    np.savez(tmp_path / "data.npz", spikes=data["spikes"], labels=np.zeros(data["spikes"].shape[1], int))
    given = ["simulate", GRAPHS / f"{name}.nir", "--data", tmp_path / "data.npz", "--reset", "subtract", *options]
    found = json.loads(cim(*given, "--json", "--samples", 2).out)
    assert (found["energy_per_inference_j"], found["samples"]) == (None, 2)
    assert 0 <= found["accuracy"] <= 1
    assert words in found["energy_unavailable"]
    shown = cim(*given)
    assert shown.status == 0
    assert "not available" in shown.out
    assert "accuracy" in shown.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.nir"], ["nothing.nir", "no such file"]),
        ([GRAPHS / "snntorch_dense.nir"], ["node 1 is a LIF and needs dt"]),
        ([GRAPHS / "snntorch_dense.nir", "--dt", 1e-4], ["snntorch_dense.nir", "reset"]),
        ([GRAPHS / "sinabs_conv.nir", "--reset", "zero", "--weight-bits", 12], ["weight_bits is 12"]),
        ([GRAPHS / "sinabs_conv.nir", "--reset", "zero", "--calibrate", "no.npz"], ["no.npz"]),
        (
            [GRAPHS / "sinabs_conv.nir", "--reset", "zero", "--data", "digits", "--steps", 4],
            ["digits has 64 inputs", "2, 6, 6"],
        ),
        (
            [GRAPHS / "sinabs_conv.nir", "--reset", "zero", "--data", GRAPHS / "norse_dense.npz"],
            ["(24, 4, 12)", "2, 6, 6"],
        ),
        (["digits", "--dt", 1e-3, "--weight-bits", 4], ["--dt, --weight-bits", "only a .nir"]),
    ],
)
def test_refusals_are_one_line(cim, arguments, words):
    given = [str(each) for each in arguments]
    data = [] if "--data" in given else ["--data", GRAPHS / "sinabs_conv.npz"]
    ran = cim("simulate", *given, *data)
    assert ran.status == 2
    assert (ran.out, ran.err.count("\n")) == ("", 1)
    for word in words:
        assert word in ran.err


def test_a_file_that_is_cut_short_or_damaged(cim, tmp_path):
    whole = (GRAPHS / "sinabs_conv.nir").read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "net.nir"
    for length in (0, 500, len(whole) - 1):
        path.write_bytes(whole[:length])
        ran = cim("simulate", path, "--data", GRAPHS / "sinabs_conv.npz", "--reset", "zero")
        assert ran.status == 2
        assert ran.err.startswith("error:") and "net.nir" in ran.err
    for _ in range(4):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 255
        path.write_bytes(bytes(damaged))
        ran = cim("simulate", path, "--data", GRAPHS / "sinabs_conv.npz", "--reset", "zero", "--json")
        assert ran.status in (0, 2)
        assert "Traceback" not in ran.err


def test_without_the_package(cim, monkeypatch):
    monkeypatch.setitem(sys.modules, "nir", None)
    ran = cim("simulate", GRAPHS / "sinabs_conv.nir", "--data", GRAPHS / "sinabs_conv.npz", "--reset", "zero")
    assert ran.status == 2
    assert "pip install 'pyspice-cim[nir]'" in ran.err


def test_the_table_of_layers_fits_in_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    each = SimpleNamespace(
        neurons="encoder.block_1.lif_2",
        weights="w",
        scale=0.00012345678,
        alpha=0.9,
        theta=32767,
        lambda_=12345,
        decay="exponential",
        clipped=12345,
        weight_error=0.12345,
        constant_lines=12,
        saturated=0.54321,
        warnings=("half of the weights are [0]",),
    )
    print_import(SimpleNamespace(report=(each,)))
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    assert "encoder.block_1.lif_2: half of the weights are [0]" in printed
    assert "…" not in printed
    for word in ("neurons", "lambda", "clipped", "exponential", "32767", "12345", "54.32 %"):
        assert word in printed
