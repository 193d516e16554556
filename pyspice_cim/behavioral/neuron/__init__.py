"""The LD-LIF neuron and its decay rules, in integers."""
