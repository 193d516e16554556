"""Order of a NIR graph as a chain of groups.

A group is one node of neurons, the nodes that lead to it, and the nodes of its feedback to itself, if any. Nested
graphs are flattened; names are joined by dots (``block.lif``). A graph is refused with the names of the nodes if it has
other neurons, branches, feedback over more than one group, or a cycle without neurons (which would have no delay).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, NoReturn

from pyspice_cim.errors import DataError

if TYPE_CHECKING:
    import nir

Named = tuple[str, Any]
NEURONS = frozenset({"IF", "LIF"})
_PASSIVE = frozenset({"Linear", "Affine", "Conv2d", "SumPool2d", "AvgPool2d", "Flatten", "Scale"})
_WIRE = "wire"
_WHAT_TO_DO = {
    "CubaLIF": "its synapse has a state of its own; train with LIF neurons, whose input is a weighted sum of spikes",
    "CubaLI": "its synapse has a state of its own, and it never fires; end with a LIF, whose spikes are counted",
    "LI": "it never fires; end with a LIF, whose spikes are counted",
    "I": "it never fires; end with an IF, whose spikes are counted",
    "Delay": "spikes pass within a step; remove it, or train with the one step of a recurrent edge",
    "Threshold": "a threshold without a membrane has no row in the array; use an IF",
    "Conv1d": "write it as a Conv2d whose height is 1",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """A node of neurons, and the nodes that lead to it, as pairs of name and node in the order of the data.

    Attributes:
        before: nodes between the previous neurons, or the input, and these neurons.
        neurons: the node of neurons.
        recurrent: nodes from these neurons back to themselves. The tuple is empty for an edge without weights;
            ``None`` without feedback.
    """

    before: tuple[Named, ...]
    neurons: Named
    recurrent: tuple[Named, ...] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class GraphChain:
    """A graph as a chain.

    Attributes:
        input: name and node of the input.
        groups: groups in order.
        after: nodes between the last neurons and the output.
    """

    input: Named
    groups: tuple[Group, ...]
    after: tuple[Named, ...]


def chain_of(graph: "nir.NIRGraph") -> GraphChain:
    """Return the chain of groups of ``graph``, from its input to its output.

    Raises:
        DataError: if the graph is no chain of groups; the message names the nodes and the remedy.
    """
    nodes, edges = _flat(graph, "", ())
    _check_nodes(nodes)
    ends = {kind: [name for name, node in nodes.items() if _kind(node) == kind] for kind in ("Input", "Output")}
    for kind, names in ends.items():
        if len(names) != 1:
            raise DataError(f"the graph has {len(names)} {kind} nodes ({_list(names)}); it must have one")
    _check_cycles(nodes, edges)
    return _ordered(nodes, *_neighbours(nodes, edges), ends["Input"][0], ends["Output"][0])


def _flat(graph: Any, prefix: str, above: tuple[int, ...]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Nodes and edges of ``graph`` and all graphs inside; inputs and outputs of those inside are wires."""
    if id(graph) in above:
        raise DataError(f"graph {prefix.rstrip('.')} contains itself")
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str]] = []
    starts, ends = {}, {}
    for name, node in graph.nodes.items():
        full = f"{prefix}{name}"
        if _kind(node) != "NIRGraph":
            _check_new(nodes, [full])
            nodes[full] = _WIRE if prefix and _kind(node) in ("Input", "Output") else node
            starts[name] = ends[name] = full
            continue
        inner, inner_edges = _flat(node, f"{full}.", (*above, id(graph)))
        _check_new(nodes, inner)
        nodes |= inner
        edges += inner_edges
        doors = {
            kind: [each for each, inside in node.nodes.items() if _kind(inside) == kind] for kind in ("Input", "Output")
        }
        if any(len(names) != 1 for names in doors.values()):
            raise DataError(
                f"graph {full} has {len(doors['Input'])} Input and {len(doors['Output'])} Output nodes; it must have one "
                f"of each"
            )
        starts[name], ends[name] = f"{full}.{doors['Input'][0]}", f"{full}.{doors['Output'][0]}"
    for source, target in graph.edges:
        for name in (source, target):
            if name not in starts:
                raise DataError(f"the edge {prefix}{source} -> {prefix}{target} names a node that is not there: {name}")
        edges.append((ends[source], starts[target]))
    return nodes, edges


def _check_new(nodes: Mapping[str, Any], names: Iterable[str]) -> None:
    """A node ``n`` of a graph ``b`` is called ``b.n``, which another node may be called, too."""
    if twice := [name for name in names if name in nodes]:
        raise DataError(f"two nodes are called {twice[0]}, a node and one inside of a nested graph; rename one of them")


def _check_nodes(nodes: Mapping[str, Any]) -> None:
    for name, node in nodes.items():
        kind = _kind(node)
        if kind not in {*NEURONS, *_PASSIVE, "Input", "Output", _WIRE}:
            what = _WHAT_TO_DO.get(kind, f"use {', '.join(sorted(NEURONS | _PASSIVE))}")
            raise DataError(f"node {name} is a {kind}, which cannot be mapped: {what}")


def _check_cycles(nodes: Mapping[str, Any], edges: Iterable[tuple[str, str]]) -> None:
    """Within a step data pass through everything but neurons, so a cycle of other nodes has no first one."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for source, target in edges:
        if _kind(nodes[source]) not in NEURONS and _kind(nodes[target]) not in NEURONS:
            sorter.add(target, source)
    try:
        sorter.prepare()
    except CycleError as error:
        raise DataError(f"the cycle {' -> '.join(error.args[1])} has no neuron in it, so nothing delays it") from error


def _neighbours(
    nodes: dict[str, Any], edges: list[tuple[str, str]]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Successors and predecessors of each node; wires are cut out of ``nodes``."""
    after: dict[str, list[str]] = {name: [] for name in nodes}
    before: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in edges:
        after[source].append(target)
        before[target].append(source)
    for wire in [name for name, node in nodes.items() if _kind(node) == _WIRE]:
        sources, targets = before.pop(wire), after.pop(wire)
        for source in sources:
            after[source] = [each for each in after[source] if each != wire] + targets
        for target in targets:
            before[target] = [each for each in before[target] if each != wire] + sources
        del nodes[wire]
    return after, before


def _ordered(
    nodes: dict[str, Any], after: dict[str, list[str]], before: dict[str, list[str]], start: str, end: str
) -> GraphChain:
    groups: list[Group] = []
    at, seen = start, {start}
    lead: tuple[Named, ...] = ()
    while at != end:
        paths = [_path(target, at, nodes, after, before) for target in after[at]]
        loops = [path for path, stop in paths if stop == at]
        onward = [(path, stop) for path, stop in paths if stop != at]
        if len(onward) != 1 or len(loops) > 1:
            _refuse_branches(at, after[at], "feeds")
        if len(before[at]) != (at != start) + len(loops):
            _refuse_branches(at, before[at], "gets data from")
        if at != start:
            recurrent = tuple((name, nodes[name]) for name in loops[0]) if loops else None
            groups.append(Group(before=lead, neurons=(at, nodes[at]), recurrent=recurrent))
        (path, stop), seen_here = onward[0], {name for loop in loops for name in loop}
        if stop in seen:
            _refuse_branches(stop, before[stop], "gets data from")
        seen |= {*path, *seen_here, stop}
        at, lead = stop, tuple((name, nodes[name]) for name in path)
    if len(before[end]) != 1 or after[end]:
        _refuse_branches(end, before[end] + after[end], "is connected to")
    if left := sorted(set(nodes) - seen):
        raise DataError(f"nodes between no input and no output: {_list(left)}; remove them or connect them")
    if not groups:
        raise DataError(f"there are no neurons between {start} and {end}; a network has an IF or a LIF at least")
    return GraphChain(input=(start, nodes[start]), groups=tuple(groups), after=lead)


def _path(
    name: str, source: str, nodes: dict[str, Any], after: dict[str, list[str]], before: dict[str, list[str]]
) -> tuple[list[str], str]:
    """Names from ``name`` on, up to the next neurons or the output, and the name of those."""
    path: list[str] = []
    while _kind(nodes[name]) in _PASSIVE:
        if before[name] != [source]:
            _refuse_branches(name, before[name], "gets data from")
        if not after[name]:
            raise DataError(f"node {name} leads nowhere; connect it to the output or remove it")
        if len(after[name]) > 1:
            _refuse_branches(name, after[name], "feeds")
        path.append(name)
        source, name = name, after[name][0]
    return path, name


def _refuse_branches(name: str, others: list[str], verb: str) -> NoReturn:
    if not others:
        raise DataError(f"node {name} leads nowhere; connect it to the output or remove it")
    raise DataError(
        f"node {name} {verb} {_list(others)}: layers run one after the other, and neurons may feed themselves back "
        f"through one Linear; merge parallel branches into one path"
    )


def _kind(node: Any) -> str:
    return node if isinstance(node, str) else type(node).__name__


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
