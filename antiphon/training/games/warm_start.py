"""Starting from a published voice: take over the weights that fit, by name, shape and label."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from antiphon.networks.model import StyledModel
    from antiphon.voices.image_model import ImageConfig, ImageModel
    from antiphon.voices.voice import Voice


@torch.no_grad()
def take_over_labelled(
    model: StyledModel, critics: nn.Module, voice: Voice, critic_weights: Mapping[str, Tensor]
) -> list[str]:
    """Copy a voice's weights into a game's model, and those of its critics, if there are any, into the critics.

    Rows of tables that belong to a label are matched by it. -> names of the weights that were not taken over.
    """
    labels, theirs = model.labels, voice.model.labels
    left = _take(model, voice.model.state_dict(), labels, theirs)
    if critic_weights:
        left += _take(critics, critic_weights, labels, theirs)
    return left


def _take(module: nn.Module, theirs: Mapping[str, Tensor], labels: object, their_labels: object) -> list[str]:
    left = []
    for name, mine in module.state_dict().items():
        found = theirs.get(name)
        if found is not None and name.endswith("label.weight") and found.shape[1:] == mine.shape[1:]:
            _take_rows(mine, found, labels.instruments, their_labels.instruments)  # type: ignore[attr-defined]
        elif found is not None and found.shape == mine.shape:
            mine.copy_(found)
        elif found is not None and name.endswith("net.0.weight"):
            _take_columns(mine, found, labels.styles, their_labels.styles)  # type: ignore[attr-defined]
        else:
            left.append(name)
    return left


def _take_rows(mine: Tensor, theirs: Tensor, names: tuple[str, ...], their_names: tuple[str, ...]) -> None:
    """An instrument known by name keeps its row; a new one starts at the mean of the known ones."""
    mine.copy_(theirs.mean(0, keepdim=True).expand_as(mine))
    for i, name in enumerate(names):
        if name in their_names:
            mine[i] = theirs[their_names.index(name)]


def _take_columns(mine: Tensor, theirs: Tensor, words: tuple[str, ...], their_words: tuple[str, ...]) -> None:
    """A layer that ends in style words: the columns before them, and those of words known by name."""
    fixed = mine.shape[1] - len(words)
    if fixed != theirs.shape[1] - len(their_words) or mine.shape[0] != theirs.shape[0]:
        return
    mine[:, :fixed] = theirs[:, :fixed]
    mine[:, fixed:] = 0
    for i, word in enumerate(words):
        if word in their_words:
            mine[:, fixed + i] = theirs[:, fixed + their_words.index(word)]


# ---- networks conditioned on labels side by side [networks/image_gan.py: Conditions] ---------------------------------

Axes = dict[str, list[list[Hashable]]]  # of each tensor, for each axis: what every index along it belongs to


def conditioning(model: ImageModel) -> dict[str, list[Hashable]]:
    """What each entry of a model's conditions stands for: MIDI keys, and names."""
    c, labels = model.conditions, model.labels
    return {
        "keys": [*range(c.lowest, c.lowest + c.keys)],
        "instruments": [*labels.instruments[: c.instruments]],
        "styles": [*labels.styles[: c.styles]],
        "descriptors": [scale.name for scale in labels.scales[: c.descriptors]],
    }


def axes(model: ImageModel, build: Callable[[ImageConfig], nn.Module]) -> Axes:
    """For every weight of a network that `build` makes: which indices belong to which label, (group, name), or to none,
    a number. An axis belongs to a group of labels if it is one longer in a network with one more label of that group;
    labels come last in an axis, in the order of `conditioning`."""
    c, groups = model.conditions, {group: names for group, names in conditioning(model).items() if names}
    longer = {group: _shapes(model, build, **{group: getattr(c, group) + 1}) for group in groups}
    found: Axes = {}
    for name, shape in _shapes(model, build).items():
        found[name] = []
        for axis, size in enumerate(shape):
            grown = [group for group in groups if longer[group][name][axis] == size + 1]
            labels: list[Hashable] = [(group, label) for group in grown for label in groups[group]]
            found[name].append([*range(size - len(labels)), *labels])
    return found


def _shapes(model: ImageModel, build: Callable[[ImageConfig], nn.Module], **more: int) -> dict[str, torch.Size]:
    network: Any = model.config.network
    with torch.device("meta"):  # shapes without memory
        changed = replace(network, conditions=replace(network.conditions, **more))
        return {name: x.shape for name, x in build(replace(model.config, network=changed)).state_dict().items()}


@torch.no_grad()
def take_over_conditioned(module: nn.Module, mine: Axes, theirs: Mapping[str, Tensor], their_axes: Axes) -> list[str]:
    """Copy the weights that have the same name and, labels aside, the same shape; indices that belong to a label are
    matched by it, and those of new labels stay as they are. -> names of the weights without such a counterpart"""
    left = []
    for name, weight in module.state_dict().items():
        here, there = mine[name], their_axes.get(name, [])
        if name not in theirs or list(map(_unlabelled, here)) != list(map(_unlabelled, there)):
            left.append(name)
        elif here == there:
            weight.copy_(theirs[name])
        else:
            common = [[x for x in a if x in set(b)] for a, b in zip(here, there, strict=True)]
            to, of = (
                torch.meshgrid([_places(whole, some) for whole, some in zip(side, common, strict=True)], indexing="ij")
                for side in (here, there)
            )
            weight[to] = theirs[name].to(weight)[of]
    return left


def _unlabelled(axis: list[Hashable]) -> int:
    return sum(isinstance(place, int) for place in axis)


def _places(axis: list[Hashable], some: list[Hashable]) -> Tensor:
    at = {place: i for i, place in enumerate(axis)}
    return torch.tensor([at[place] for place in some], dtype=torch.long)


def new_labels(mine: Mapping[str, list[Hashable]], theirs: Mapping[str, list[Hashable]]) -> list[str]:
    """Labels that only the first is conditioned on, in words: "instrument violin", "2 keys"."""
    new = {group: [name for name in names if name not in theirs[group]] for group, names in mine.items()}
    keys = len(new.pop("keys"))
    words = [f"{keys} key{'s' * (keys > 1)}"] if keys else []
    return words + [f"{group.removesuffix('s')} {name}" for group, names in new.items() for name in names]
