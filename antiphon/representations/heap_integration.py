"""Phases for magnitudes, in one pass: phase-gradient heap integration (Prusa, Balazs & Sondergaard 2017).

For a Gaussian window the phase's gradient is that of the log-magnitude s, rotated by 90 degrees; a Hann window is close
enough. With bins m, frames j, M = window, a = hop, and phases referred to the middle of the window:

    d phase / d j =  2 pi a m / M + (a M / gamma) d s / d m          [eq. 19 there]
    d phase / d m = -(gamma / (a M)) d s / d j                       [eq. 18 there]

The gradient is summed along paths through the loudest bins. The paper uses a heap to spread phases from the loudest bin
on; that is Prim's algorithm, and its paths are a maximum spanning tree of the grid, whose edges weigh as much as the
weaker of their two bins. Boruvka's algorithm finds the same tree in a few rounds of whole-array operations: all
components pick their heaviest outgoing edge at once, and those joined become one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

HANN = 0.25645  # gamma / window^2 of the Gaussian nearest to a Hann window (Prusa 2017, table 1)


@torch.no_grad()
def heap_integration(magnitude: Tensor, window: int, hop: int, floor: float = 1e-6) -> Tensor:
    """magnitude: (batch, window/2+1, frames), at least 0 -> phases in radians, the same shape.

    Bins below `floor` have phase 0; islands of sound surrounded by silence each begin at phase 0.
    """
    along, across = _gradients(magnitude, window, hop, floor)
    edges = _edges(magnitude, along, across, floor)
    return _potentials(edges, magnitude.numel()).view(magnitude.shape).float()


def _gradients(magnitude: Tensor, window: int, hop: int, floor: float) -> tuple[Tensor, Tensor]:
    """Phase advance per frame and per bin, radians, float64."""
    s = magnitude.double().clamp_min(floor).log()
    gamma = HANN * window**2
    centre = 2 * math.pi * hop / window * torch.arange(s.shape[1], device=s.device).view(-1, 1)
    along = centre + hop * window / gamma * slope(s, 1)
    return along, -gamma / (hop * window) * slope(s, 2)


def slope(s: Tensor, dim: int) -> Tensor:
    """Central differences, one-sided at the ends; 0 for a single element."""
    return torch.gradient(s, dim=dim)[0] if s.shape[dim] > 1 else torch.zeros_like(s)


class Edges(NamedTuple):
    """Pairs of neighbours: phase[left] = phase[right] + turn. `rank`: distinct whole numbers, the highest for the
    heaviest edge."""

    left: Tensor
    right: Tensor
    rank: Tensor
    turn: Tensor

    def take(self, chosen: Tensor) -> Edges:
        return Edges(*(x[chosen] for x in self))


def _edges(magnitude: Tensor, along: Tensor, across: Tensor, floor: float) -> Edges:
    """All audible neighbours in time and in frequency; the phase between them by the trapezoid rule."""
    nodes = torch.arange(magnitude.numel(), device=magnitude.device).view(magnitude.shape)
    order = magnitude.flatten().argsort(stable=True)
    rank = torch.empty_like(order).scatter_(0, order, nodes.flatten()).view(magnitude.shape)
    lists = []
    for slope, here, there in (
        (along, (..., slice(None, -1)), (..., slice(1, None))),
        (across, (slice(None), slice(None, -1)), (slice(None), slice(1, None))),
    ):
        a, b = rank[here], rank[there]
        weight = torch.minimum(a, b) * magnitude.numel() + torch.maximum(a, b)  # on a tie, the edge to the louder bin
        audible = (torch.minimum(magnitude[here], magnitude[there]) >= floor).flatten()
        turn = -(slope[here] + slope[there]) / 2
        lists.append([x.flatten()[audible] for x in (nodes[here], nodes[there], weight, turn)])
    return Edges(*(torch.cat(x) for x in zip(*lists, strict=True)))


def _potentials(edges: Edges, count: int) -> Tensor:
    """(count,) phases that agree with every edge of the maximum spanning forest; each tree's root is 0."""
    device = edges.rank.device
    label, phase = torch.arange(count, device=device), torch.zeros(count, dtype=torch.float64, device=device)
    components = count
    while len(edges.rank):
        parent, turn = _heaviest(edges, components)
        while not torch.equal(above := parent[parent], parent):  # halve every path to the root
            turn, parent = turn + turn[parent], above
        is_root = parent == torch.arange(components, device=device)
        renumbered = is_root.cumsum(0) - 1
        phase, label = phase + turn[label], renumbered[parent[label]]
        joined = Edges(
            renumbered[parent[edges.left]],
            renumbered[parent[edges.right]],
            edges.rank,
            edges.turn + turn[edges.right] - turn[edges.left],
        )
        edges, components = joined.take(joined.left != joined.right), int(is_root.sum())
    return phase


def _heaviest(edges: Edges, components: int) -> tuple[Tensor, Tensor]:
    """Each component's neighbour over its heaviest edge, and its phase minus the neighbour's. -> (parent, turn)

    Two components that chose the same edge would be each other's parent: the first of them becomes a root."""
    ends, others = torch.cat([edges.left, edges.right]), torch.cat([edges.right, edges.left])
    ranks, turns = torch.cat([edges.rank, edges.rank]), torch.cat([edges.turn, -edges.turn])
    best = torch.full((components,), -1, dtype=torch.long, device=ranks.device)
    chosen = best.scatter_reduce_(0, ends, ranks, "amax")[ends] == ranks
    own = torch.arange(components, device=ranks.device)
    parent = own.scatter(0, ends[chosen], others[chosen])
    turn = torch.zeros(components, dtype=torch.float64, device=ranks.device).scatter(0, ends[chosen], turns[chosen])
    root = (parent[parent] == own) & (own <= parent)
    return torch.where(root, own, parent), turn.masked_fill(root, 0.0)
