"""Reads the networks of the Transportation Networks collection (TNTP text files)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kernels.traffic.network import Demand, Floats, LinkCost, Network, demand_of, network_of


class Published(NamedTuple):
    """One published network: links and nodes numbered from 0, intrazonal trips left out."""

    network: Network
    law: LinkCost
    demand: Demand
    tail: Floats
    head: Floats
    flow: Floats | None
    cost: Floats | None


def read(folder: Path, *, toll_factor: float = 0.0, length_factor: float = 0.0) -> Published:
    """Read network, trips and, where there is one, the best known flow from `folder`.

    The generalised cost adds ``toll_factor * toll + length_factor * length`` to the time.
    """
    (net_file,) = folder.glob("*_net.tntp")
    text = net_file.read_text(encoding="latin-1")
    links = _rows(text.partition("<END OF METADATA>")[2], 10)
    tail, head = links[:, 0].astype(int) - 1, links[:, 1].astype(int) - 1
    fixed = toll_factor * links[:, 8] + length_factor * links[:, 3]
    law = LinkCost(links[:, 4], links[:, 5], links[:, 2], links[:, 6], fixed)
    nodes, first_through = _meta(text, "NUMBER OF NODES"), _meta(text, "FIRST THRU NODE")
    network = network_of(nodes, tail, head, through=np.arange(nodes) + 1 >= first_through)
    flow, cost = _flow(folder, tail, head)
    return Published(network, law, _trips(folder), tail, head, flow, cost)


def _meta(text: str, name: str) -> int:
    found = re.search(rf"<{name}>\s*(\d+)", text)
    assert found, f"no <{name}> in the file"
    return int(found.group(1))


def _rows(text: str, columns: int) -> Floats:
    lines = (line.partition("~")[0].replace(";", " ").split() for line in text.splitlines())
    return np.array([[float(word) for word in words[:columns]] for words in lines if words])


def _trips(folder: Path) -> Demand:
    (file,) = folder.glob("*_trips.tntp")
    entries: list[tuple[int, int, float]] = []
    for part in re.split(r"Origin", file.read_text(encoding="latin-1"))[1:]:
        number, _, body = part.strip().partition("\n")
        for to, trips in re.findall(r"(\d+)\s*:\s*([\d.eE+-]+)\s*;", body):
            if to != number.strip():
                entries.append((int(number) - 1, int(to) - 1, float(trips)))
    origin, destination, amount = zip(*entries, strict=True)
    return demand_of(origin, destination, amount)


def _flow(folder: Path, tail: Floats, head: Floats) -> tuple[Floats | None, Floats | None]:
    files = list(folder.glob("*_flow.tntp"))
    if not files:
        return None, None
    rows = _rows(files[0].read_text(encoding="latin-1").partition("\n")[2], 4)
    known = {(int(row[0]) - 1, int(row[1]) - 1): (row[2], row[3]) for row in rows}
    found = np.array([known[pair] for pair in zip(tail.tolist(), head.tolist(), strict=True)])
    return found[:, 0], found[:, 1]
