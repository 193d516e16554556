"""Small networks as the tools of the field write them, each with the spikes that the tool itself computes.

    .venv-bench/bin/python tests/behavioral/nir/graphs/write.py norse sinabs
    .venv-bench/bin/python -m pip install --target build/nir --no-deps 'nir==1.0.8'
    PYTHONPATH=build/nir .venv-bench/bin/python tests/behavioral/nir/graphs/write.py snntorch

(sinabs 3.1 works with nir up to 1.0.4, the exporter of snnTorch 1.0 needs a later one; Norse and sinabs export no recurrence.)
Weights lie on a grid of 64 steps, which 8 bits hold exactly, so that a test compares neurons and not roundings.
Writes NAME.nir and NAME.npz: ``spikes`` (time, batch, *input) and ``fired`` (time, batch, neurons).
"""

import sys
from pathlib import Path

import nir
import numpy as np
import torch

HERE = Path(__file__).parent
STEPS, BATCH = 24, 4


def spikes(*shape, rate=0.4):
    return (torch.rand(STEPS, BATCH, *shape) < rate).float()


def on_grid(module, size):
    """Weights that are multiples of ``size / 64``, up to ``size``; no bias."""
    with torch.no_grad():
        module.weight.copy_(torch.round((torch.rand_like(module.weight) * 1.6 - 0.6) * 64) * size / 64)
        if module.bias is not None:
            module.bias.zero_()
    return module


def save(name, graph, inputs, fired):
    nir.write(HERE / f"{name}.nir", graph)
    np.savez_compressed(HERE / f"{name}.npz", spikes=inputs.numpy().astype(np.uint8), fired=np.uint8(fired.detach()))
    print(f"{name}: {fired.mean():.2f} spikes a neuron and step")


def snntorch():
    import snntorch as snn
    from snntorch.export_nir import export_to_nir

    def leaky(neurons, beta):
        own = {"beta": torch.full((neurons,), beta), "threshold": torch.ones(neurons)}
        return snn.Leaky(**own, init_hidden=True, reset_delay=False)

    dense = torch.nn.Sequential(
        on_grid(torch.nn.Linear(12, 10, bias=False), 0.375),
        leaky(10, 0.875),
        on_grid(torch.nn.Linear(10, 5, bias=False), 0.375),
        leaky(5, 0.75),
    )
    loop = snn.RLeaky(beta=0.875, linear_features=10, init_hidden=True, reset_delay=False)
    on_grid(loop.recurrent, 0.125)
    recurrent = torch.nn.Sequential(
        on_grid(torch.nn.Linear(12, 10, bias=False), 0.375),
        loop,
        on_grid(torch.nn.Linear(10, 5, bias=False), 0.375),
        leaky(5, 0.75),
    )
    # Drives are small: a membrane above twice the threshold would be reset a second time, without a spike.
    for name, net in (("snntorch_dense", dense), ("snntorch_recurrent", recurrent)):
        graph = export_to_nir(net, torch.zeros(1, 12), ignore_dims=[0])
        for module in net:
            if hasattr(module, "reset_mem"):
                module.reset_mem()
        inputs = spikes(12)
        save(name, graph, inputs, torch.stack([net(frame) for frame in inputs]))


def norse():
    import norse.torch as nt

    net = nt.SequentialState(
        on_grid(torch.nn.Linear(12, 10), 8.0),
        nt.LIFBoxCell(nt.LIFBoxParameters(tau_mem_inv=torch.tensor(125.0))),
        on_grid(torch.nn.Linear(10, 5), 8.0),
        nt.LIFBoxCell(nt.LIFBoxParameters(tau_mem_inv=torch.tensor(250.0))),
    )
    graph = nt.to_nir(net, torch.zeros(12), dt=1.0)
    inputs, state, fired = spikes(12), None, []
    for frame in inputs:
        out, state = net(frame, state)
        fired.append(out)
    save("norse_dense", graph, inputs, torch.stack(fired))


def sinabs():
    import sinabs.activation as activation
    import sinabs.layers as sl
    from sinabs.nir import to_nir

    single = {"batch_size": BATCH, "spike_fn": activation.SingleSpike}

    def run(name, net, shape):
        inputs = spikes(*shape)
        flat = inputs.transpose(0, 1).reshape(-1, *shape)
        fired = net(flat).reshape(BATCH, STEPS, -1).transpose(0, 1)
        graph = to_nir(net, flat)
        # The exporter leaves these shapes open, and the writer of this nir cannot write what is open.
        for node in graph.nodes.values():
            if isinstance(node, nir.Flatten):
                node.input_type = {"input": np.array([3, 3, 3])}
            elif isinstance(node, nir.Conv2d):
                node.input_shape = shape[1:]
        save(name, graph, inputs, fired)

    dense = torch.nn.Sequential(
        on_grid(torch.nn.Linear(12, 10, bias=False), 4.0),
        sl.LIFSqueeze(tau_mem=8.0, **single),
        on_grid(torch.nn.Linear(10, 5, bias=False), 4.0),
        sl.LIFSqueeze(tau_mem=5.0, **single),
    )
    run("sinabs_dense", dense, (12,))
    conv = torch.nn.Sequential(
        on_grid(torch.nn.Conv2d(2, 3, 3, padding=1, bias=False), 0.125),
        sl.IAFSqueeze(**single),
        sl.SumPool2d(2),
        torch.nn.Flatten(),
        on_grid(torch.nn.Linear(27, 4, bias=False), 0.125),
        sl.IAFSqueeze(**single),
    )
    run("sinabs_conv", conv, (2, 6, 6))


if __name__ == "__main__":
    for tool in sys.argv[1:]:
        torch.manual_seed(11)
        {"snntorch": snntorch, "norse": norse, "sinabs": sinabs}[tool]()
