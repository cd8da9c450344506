"""Many pieces written at once: the questions of all writers that are of one kind are answered together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from antiphon.core.parallel import one_thread
from antiphon.networks.composer import ComposerModel, turned, turns
from antiphon.voices.writing import MEMORY, Draft, Question, Writer, Writing, logits

Judge = Callable[[Sequence[Draft], int, int], int]
ROOM = 2 * MEMORY  # tokens that are kept of each


@torch.inference_mode()
def together(model: ComposerModel, writings: Sequence[Writing]) -> None:
    """Write all of them to their ends. Each comes out as if written alone, within rounding."""
    _finish(model, _Memory(model, len(writings)), dict(enumerate(writings)))


@one_thread()
@torch.inference_mode()
def best_of(model: ComposerModel, writers: Sequence[Writer], phrases: Iterable[tuple[int, int]], judge: Judge) -> None:
    """Let several writers write the same piece: of their ways to write a phrase, bars first to stop - 1, `judge`
    chooses one, from which all go on. The first one's draft is the piece."""
    memory, leads = _Memory(model, len(writers)), 0
    _finish(model, memory, {0: writers[0].open()})
    for first, stop in phrases:
        for i, writer in enumerate(writers):
            if i != leads:
                writer.become(writers[leads])
                memory.copy(leads, i)
        _finish(model, memory, {i: writer.go_on(first, stop) for i, writer in enumerate(writers)})
        leads = judge([writer.draft for writer in writers], first, stop)
    if leads:
        writers[0].become(writers[leads])


def _finish(model: ComposerModel, memory: _Memory, writings: Mapping[int, Writing]) -> None:
    pending: dict[int, Question] = {}
    for i, writing in writings.items():
        _go_on(pending, i, writing, None)
    while pending:
        mine = max(_by_kind(pending).values(), key=len)  # the others wait, so that more and more are asked together
        for i, found in _answered(model, memory, mine, [pending[i] for i in mine]).items():
            _go_on(pending, i, writings[i], found)


def _by_kind(pending: dict[int, Question]) -> dict[tuple[str, int], list[int]]:
    found: dict[tuple[str, int], list[int]] = {}
    for i in sorted(pending):
        found.setdefault(_kind(pending[i]), []).append(i)
    return found


def _kind(question: Question) -> tuple[str, int]:
    """Blocks' three decisions have heads of their own."""
    kind = question.kind
    return ("read", 0) if kind == "begin" else (kind, int(question.inputs[3][0]) if kind == "block" else 0)


def _go_on(pending: dict[int, Question], i: int, writing: Writing, found: Tensor | None) -> None:
    try:
        pending[i] = next(writing) if found is None else writing.send(found)
    except StopIteration:
        pending.pop(i, None)


def _answered(model: ComposerModel, memory: _Memory, who: list[int], questions: list[Question]) -> dict[int, Tensor]:
    if questions[0].kind in ("begin", "read"):
        for i, question in zip(who, questions, strict=True):
            memory.sizes[i] *= question.kind != "begin"
        found = memory.read(who, [torch.from_numpy(question.inputs[0]) for question in questions])
    else:
        inputs = [
            torch.stack([torch.from_numpy(x) for x in column])
            for column in zip(*(q.inputs for q in questions), strict=True)
        ]
        states = torch.stack([q.state for q in questions if q.state is not None])
        found = logits(model, questions[0].kind, states, inputs)
    return dict(zip(who, found.unbind(), strict=True))


class _Memory:
    """Keys and values of what every piece's network has seen: (layers, pieces, heads, ROOM, width of a head)."""

    def __init__(self, model: ComposerModel, pieces: int):
        c = model.config
        self.model, self.size = model, c.width // c.heads
        self.keys = torch.zeros(c.layers, pieces, c.heads, ROOM, self.size)
        self.values = torch.zeros_like(self.keys)
        self.sizes = torch.zeros(pieces, dtype=torch.long)
        self.turns = turns(0, ROOM, self.size)

    def copy(self, source: int, target: int) -> None:
        for table in (self.keys, self.values):
            table[:, target] = table[:, source]
        self.sizes[target] = self.sizes[source]

    def read(self, who: list[int], tokens: list[Tensor]) -> Tensor:
        """Let each of some pieces see further tokens. -> (n, width) the states after the last"""
        rows, counts = torch.tensor(who), torch.tensor([len(t) for t in tokens])
        longest = int(counts.max())
        padded = torch.stack([F.pad(t, (0, 0, 0, longest - len(t))) for t in tokens])
        at = self.sizes[rows][:, None] + torch.arange(longest)
        if int(at.max()) >= ROOM:
            raise ValueError("a piece has more tokens than there is room for")
        self.sizes[rows] += counts
        most = int(self.sizes[rows].max())
        seen = (torch.arange(max(most, longest)) <= at[..., None])[:, None]
        turn, x = self.turns[at][:, None], self.model.embedded(padded)
        for number, layer in enumerate(self.model.layers):
            x = self._layer(layer, number, x, rows, at, turn, seen)
        states: Tensor = self.model.norm(x)
        return states[torch.arange(len(who)), counts - 1]

    def _layer(
        self, layer: torch.nn.Module, number: int, x: Tensor, rows: Tensor, at: Tensor, turn: Tensor, seen: Tensor
    ) -> Tensor:
        mixed = layer.mix(layer.before(x))  # type: ignore[operator]
        q, k, v = (y.unflatten(-1, (layer.heads, -1)).transpose(1, 2) for y in mixed.chunk(3, -1))
        q, k = turned(q, turn), turned(k, turn)
        self.keys[number][rows[:, None], :, at] = k.transpose(1, 2)
        self.values[number][rows[:, None], :, at] = v.transpose(1, 2)
        most = seen.shape[-1]
        past = (self.keys[number][rows, :, :most], self.values[number][rows, :, :most])
        found = F.scaled_dot_product_attention(q, *past, attn_mask=seen)
        x = x + layer.out(found.transpose(1, 2).flatten(2))  # type: ignore[operator]
        return x + layer.down(F.gelu(layer.up(layer.between(x)), approximate="tanh"))  # type: ignore[operator, no-any-return]
