"""The 6T cell: two cross-coupled inverters and two access transistors on one wordline."""

from pyspice_cim.technology.bitcells.spec import BitCell, Roles, Transistor


def core(*, bitlines: tuple[str, str], wordline: str) -> tuple[Transistor, ...]:
    """The six transistors of a latch with access: the storage nodes are ``q`` and ``qb``.

    Args:
        bitlines: node of the bitline of ``q``, node of the bitline of ``qb``.
        wordline: node of the gates of the access transistors.
    """
    (bl, blb), wl = bitlines, wordline
    return (
        Transistor("pdl", "q", "qb", "0", "0", "nmos", "pull_down"),
        Transistor("pul", "q", "qb", "vdd", "vdd", "pmos", "pull_up"),
        Transistor("axl", bl, wl, "q", "0", "nmos", "access"),
        Transistor("pdr", "qb", "q", "0", "0", "nmos", "pull_down"),
        Transistor("pur", "qb", "q", "vdd", "vdd", "pmos", "pull_up"),
        Transistor("axr", blb, wl, "qb", "0", "nmos", "access"),
    )


SRAM6T = BitCell(
    name="sram6t",
    label="6T",
    transistors=core(bitlines=("bl", "blb"), wordline="wl"),
    ports={
        "bl": "bitline of q, precharged high to read",
        "blb": "bitline of qb",
        "wl": "wordline, active high",
        "q": "stored bit",
        "qb": "its complement",
        "vdd": "supply",
    },
    roles=Roles(write_bitlines=("bl", "blb"), write_wordline="wl", read_bitline="bl", read_wordline="wl"),
    section="cell_6t",
)
