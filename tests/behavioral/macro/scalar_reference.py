"""A network file run with Python's integers, neuron by neuron, from the equations alone.

No function of the package takes part: what the package computes is held against this text.
"""


def decayed(v, params):
    """The membrane ``v`` after the decay of one step."""
    size, sign = abs(v), -1 if v < 0 else 1
    if params.decay == "clamp":
        return max(v - params.lambda_, 0)
    if params.decay == "toward_zero":
        return sign * max(size - params.lambda_, 0)
    if params.decay == "exponential":
        numerator, shift = params.beta
        return sign * (numerator * size // 2**shift)
    assert params.decay == "none"
    return v


def step(v, drive, params):
    """Membrane and spike (0 or 1) of a neuron after one step: decay, integrate, saturate, fire, reset."""
    half = 2 ** (params.membrane_bits - 1)
    v = min(max(decayed(v, params) + drive, -half), half - 1)
    if v < params.theta:
        return v, 0
    return (v - params.theta if params.reset == "subtract" else 0), 1


def run_written_out(network, spikes):
    """Spikes [layer][time][batch][neuron] and final membranes [layer][batch][neuron] of a network file, as lists."""
    steps, samples = len(spikes), len(spikes[0])
    trains = [[[None] * samples for _ in range(steps)] for _ in network.layers]
    membranes = [[None] * samples for _ in network.layers]
    rows = [layer.weights.tolist() for layer in network.layers]
    for sample in range(samples):
        v = [[0] * layer.weights.shape[1] for layer in network.layers]
        fired = [[0] * layer.weights.shape[1] for layer in network.layers]
        for t in range(steps):
            x = [int(each) for each in spikes[t][sample]]
            for index, layer in enumerate(network.layers):
                seen, new = (x + fired[index] if layer.recurrent else x), []
                for neuron in range(len(v[index])):
                    drive = sum(row[neuron] for row, active in zip(rows[index], seen, strict=True) if active)
                    v[index][neuron], spike = step(v[index][neuron], drive, layer.params)
                    new.append(spike)
                x = fired[index] = new
                trains[index][t][sample] = x
        for index, each in enumerate(v):
            membranes[index][sample] = each
    return trains, membranes
