"""The composer's network: a causal transformer over notes, and a head for each kind of decision.

A token is a sum of embeddings of its fields [data/phrases.py]. Every head sees the transformer's state and the features
of its decision; what is copied, transposed or made to fit is a term of its own in its logits, with a weight that the
state decides: where notes begin in the bar before, the same keys as there, the interval from the last note, the degree
of the chord, the interval to what sounds. So regularity need not be learned as a table of pitches (pointer networks,
Vinyals 2015; relative pitch, as in Music Transformer, Huang 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from antiphon.data.phrases import (
    AT,
    BINS,
    CHORDS,
    COUNTS,
    END,
    FIELDS,
    FLAT,
    KEYS,
    LENGTHS,
    NO_LENGTH,
    OF_LENGTH,
    OFFSETS,
    PLACES,
    ROLES,
    SETTING,
    SMALL_SIZES,
    UNKNOWN_CHORD,
)
from antiphon.networks.discriminators.measured import MeasuredCritic
from antiphon.networks.model import LabelTable

REACH = 25  # semitones of an interval that has a weight of its own
NEVER = -1e9
QUALITIES = 6  # chords of a root
LIKE = 6
SETTINGS = 256  # pieces whose settings are kept


@dataclass(frozen=True)
class ComposerConfig:
    """judge: the width of the critic that chooses among phrases while composing, 0 for none."""

    width: int = 192
    layers: int = 3
    heads: int = 6
    judge: int = 48

    @property
    def hidden(self) -> int:
        return 4 * self.width


class Cache(NamedTuple):
    """Keys and values of every layer, (batch, heads, tokens, width of a head) each."""

    keys: list[Tensor]
    values: list[Tensor]

    @property
    def tokens(self) -> int:
        return self.keys[0].shape[2]


class Layer(nn.Module):
    def __init__(self, width: int, heads: int, hidden: int):
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.RMSNorm(width), nn.RMSNorm(width)
        self.mix = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(
        self, x: Tensor, turn: Tensor, past: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = (y.unflatten(-1, (self.heads, -1)).transpose(1, 2) for y in self.mix(self.before(x)).chunk(3, -1))
        q, k = turned(q, turn), turned(k, turn)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        if past is None:
            seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            seen = F.scaled_dot_product_attention(q, k, v, attn_mask=_before(q.shape[2], k.shape[2]).to(x.device))
        x = x + self.out(seen.transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.between(x)), approximate="tanh")), k, v


def _before(new: int, known: int) -> Tensor:
    """(new, known) bool: which tokens each of the last `new` ones sees."""
    return torch.ones(new, known, dtype=torch.bool).tril(known - new)


def turned(x: Tensor, turn: Tensor) -> Tensor:
    """Rotary positions (Su 2021). turn: (tokens, half, 2) cosines and sines."""
    a, b = x.chunk(2, -1)
    cos, sin = turn[..., 0].to(x.dtype), turn[..., 1].to(x.dtype)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


def turns(first: int, tokens: int, size: int) -> Tensor:
    at = torch.arange(first, first + tokens, dtype=torch.float32)[:, None]
    angle = at * 10_000.0 ** (-torch.arange(size // 2, dtype=torch.float32) * 2 / size)
    return torch.stack([angle.cos(), angle.sin()], -1)


class ComposerModel(nn.Module):
    """labels.instruments: the names of its styles. The buffers hold what is counted rather than learned
    [data/prepared_scores.py, `counted`]."""

    offsets: Tensor
    settings: Tensor
    ranges: Tensor
    edges: Tensor
    dynamic: Tensor
    backs: Tensor

    def __init__(self, config: ComposerConfig, labels: LabelTable):
        super().__init__()
        self.config, self.labels = config, labels
        width, styles = config.width, len(labels.instruments)
        sizes = torch.tensor([styles, *FIELDS.values()])
        self.register_buffer("offsets", torch.cumsum(sizes, 0) - sizes, persistent=False)
        self.embed = nn.Embedding(int(sizes.sum()), width)
        self.layers = nn.ModuleList(Layer(width, config.heads, config.hidden) for _ in range(config.layers))
        self.norm = nn.RMSNorm(width)
        self.bar, self.block = BarHead(width), BlockHead(width)
        self.place, self.note = PlaceHead(width), NoteHead(width)
        self.judge = MeasuredCritic(config.judge, styles) if config.judge else None
        nn.init.normal_(self.embed.weight, std=0.3 / len(sizes) ** 0.5)
        for name, weight in self.layers.named_parameters():
            if name.endswith(("out.weight", "down.weight")):
                nn.init.normal_(weight, std=width**-0.5 / (2 * config.layers) ** 0.5 * 0.5)
        self._tables(styles)

    def _tables(self, styles: int) -> None:
        duo = [0, 0, 110, 4, 4, 0, 3, 3, 3, 3, 0, 73, 8, 10, 30, 30, 3, 32, 2, 10, 60, 30]  # a flute and a bass
        settings = torch.tensor([*duo, *[-1] * (SETTING - len(duo))], dtype=torch.int16).repeat(SETTINGS, 1)
        settings[:, 0] = torch.arange(SETTINGS) % styles
        self.register_buffer("settings", settings)
        self.register_buffer("ranges", torch.tensor([36, 96], dtype=torch.int16).repeat(styles, ROLES, 1))
        self.register_buffer("edges", torch.zeros(styles, 4, BINS - 1))
        self.register_buffer("dynamic", torch.zeros(styles))
        self.register_buffer("backs", torch.ones(styles, 8, len(OFFSETS) + 1))

    def embedded(self, rows: Tensor) -> Tensor:
        """(..., fields) int -> (..., width)"""
        flat = (rows + self.offsets).flatten(0, -2)
        return F.embedding_bag(flat, self.embed.weight, mode="sum").unflatten(0, rows.shape[:-1])

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, tokens, fields) int -> (batch, tokens, width): the state after each token."""
        return self.read(tokens)[0]

    def last_velocity(self, tokens: Tensor) -> Tensor:
        """(batch, tokens) velocity class of each token's note, FLAT for none."""
        return tokens[..., AT["velocity"]]

    def read(self, tokens: Tensor, cache: Cache | None = None) -> tuple[Tensor, Cache]:
        """As forward, and what is needed to go on with. With a cache, which holds earlier tokens: one token."""
        x = self.embedded(tokens)
        turn = turns(cache.tokens if cache else 0, tokens.shape[1], self.config.width // self.config.heads).to(x.device)
        keys, values = [], []
        for i, layer in enumerate(self.layers):
            x, k, v = layer(x, turn, (cache.keys[i], cache.values[i]) if cache else None)
            keys.append(k)
            values.append(v)
        return self.norm(x), Cache(keys, values)


# ---- heads -----------------------------------------------------------------------------------------------------------


class Small(nn.Module):
    """A sum of embeddings of several small numbers."""

    offsets: Tensor

    def __init__(self, sizes: tuple[int, ...], width: int):
        super().__init__()
        counts = torch.tensor(sizes)
        self.register_buffer("offsets", torch.cumsum(counts, 0) - counts, persistent=False)
        self.weight = nn.Parameter(torch.randn(int(counts.sum()), width) * 0.5 / len(sizes) ** 0.5)

    def forward(self, rows: Tensor) -> Tensor:
        return F.embedding_bag(rows + self.offsets, self.weight, mode="sum")


class BarHead(nn.Module):
    """The two chords of a bar. told: embedded row of the bar; hints: (n, 4) the chords of the bar before and of the
    earlier bar; first: (n,) the first chord, for the second."""

    def __init__(self, width: int):
        super().__init__()
        self.hints = Small((74,) * 4, width)
        self.enter = nn.Linear(2 * width, width)
        self.first, self.weigh = nn.Linear(width, CHORDS + 1), nn.Linear(width, 8)
        self.then, self.second = nn.Embedding(74, width), nn.Linear(width, CHORDS + 1)
        self.again = nn.Linear(width, 1)
        nn.init.normal_(self.then.weight, std=0.3)

    def forward(self, state: Tensor, told: Tensor, hints: Tensor, first: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """-> logits (n, CHORDS + 1) of both; the second ones only mean something if `first` is told"""
        hidden = self.enter(torch.cat([state, told + self.hints(hints)], -1))
        weights = self.weigh(F.gelu(hidden))
        same = F.one_hot(hints, UNKNOWN_CHORD + 1)[..., : CHORDS + 1].to(weights)  # (n, 4, chords)
        one = self.first(F.gelu(hidden)) + (weights[:, :4, None] * same).sum(1)
        if first is None:
            return one, one
        after = F.gelu(hidden + self.then(first))
        repeated = self.again(after) * F.one_hot(first, CHORDS + 1)
        return one, self.second(after) + (weights[:, 4:, None] * same).sum(1) + repeated


class BlockHead(nn.Module):
    """How like a block is to the earlier bar's and to the bar before's, and how many notes it has."""

    def __init__(self, width: int):
        super().__init__()
        self.hints = Small((len(COUNTS) + 2,) * 2, width)
        self.enter = nn.Linear(2 * width, width)
        self.given = Small((LIKE + 1, LIKE + 1), width)
        self.like, self.before = nn.Linear(width, LIKE), nn.Linear(width, LIKE)
        self.count = nn.Linear(width, len(COUNTS) + 1)

    def enters(self, state: Tensor, told: Tensor, hints: Tensor) -> Tensor:
        return self.enter(torch.cat([state, told + self.hints(hints)], -1))

    def logits(self, hidden: Tensor, answers: Tensor, which: int) -> Tensor:
        """Of decision number `which` of (like, before, count), the answers (n, 3) to those before it given."""
        unknown = torch.full_like(answers[:, 0], LIKE)
        given = torch.stack([answers[:, i] if i < which else unknown for i in range(2)], 1)
        return (self.like, self.before, self.count)[which](F.gelu(hidden + self.given(given)))  # type: ignore[no-any-return]


class PlaceHead(nn.Module):
    """Where the next note begins, or that the block ends."""

    def __init__(self, width: int):
        super().__init__()
        self.at, self.after = nn.Linear(width, PLACES + 1), nn.Linear(width, PLACES + 1)
        self.weigh = nn.Linear(width, 6)

    def forward(self, state: Tensor, maps: Tensor, sizes: Tensor, now: Tensor) -> Tensor:
        """maps: (n, 3, PLACES) where others begin notes; sizes: (n,) places of the bar; now: (n,) the last note's, -1
        for none. -> (n, PLACES + 1) logits"""
        places = torch.arange(PLACES, device=state.device)
        ahead = places - now[:, None]
        logits, weights, moved = self.at(state), self.weigh(state), self.after(state)
        coming = (maps > 0) & (ahead > 0)[:, None]
        begun = logits[:, :PLACES] + moved.gather(1, ahead.clamp(0, PLACES)) + (weights[:, :3, None] * maps).sum(1)
        begun = begun.masked_fill((ahead < 0) | (places >= sizes[:, None]), NEVER)
        over = logits[:, END:] + ((~coming.any(-1)).to(weights) * weights[:, 3:]).sum(1, keepdim=True)
        return torch.cat([begun, over], 1)


class NoteHead(nn.Module):
    """Length, pitch and velocity of a note at a known place. small, classes, keys: features of data/phrases.py."""

    def __init__(self, width: int):
        super().__init__()
        self.of_length = Small(SMALL_SIZES[:OF_LENGTH], width)
        self.length_enter, self.length = nn.Linear(2 * width, width), nn.Linear(width, len(LENGTHS))
        self.copies = nn.Linear(width, 3)
        self.of_pitch = Small((*SMALL_SIZES, NO_LENGTH), width)
        self.sounds = nn.Linear(12, width, bias=False)
        self.pitch_enter = nn.Linear(3 * width, width)
        self.pitch = nn.Linear(width, KEYS)
        self.intervals = nn.Linear(width, 3 * (2 * REACH + 1))
        self.degrees, self.fits, self.same = nn.Linear(width, 24), nn.Linear(width, 12), nn.Linear(width, 2)
        self.loud = Small((NO_LENGTH, KEYS, FLAT + 1), width)
        self.velocity_enter, self.velocity = nn.Linear(2 * width, width), nn.Linear(width, FLAT)

    def lengths(self, state: Tensor, small: Tensor) -> Tensor:
        """(n, lengths) logits."""
        hidden = F.gelu(self.length_enter(torch.cat([state, self.of_length(small[:, :OF_LENGTH])], -1)))
        hints = small[:, [0, 2, 3]].clamp(max=NO_LENGTH)
        same = F.one_hot(hints, NO_LENGTH + 1)[..., :NO_LENGTH].to(hidden)
        logits: Tensor = self.length(hidden) + (self.copies(hidden)[:, :, None] * same).sum(1)
        return logits

    def pitches(
        self, state: Tensor, small: Tensor, classes: Tensor, keys: Tensor, length: Tensor, drums: Tensor
    ) -> Tensor:
        """(n, KEYS) logits. length: (n,) the note's; drums: (n,) whether keys are of drums."""
        told = self.of_pitch(torch.cat([small, length[:, None]], 1))
        classes = classes.to(told)
        hidden = F.gelu(self.pitch_enter(torch.cat([state, told, self.sounds(classes)], -1)))
        logits = self.pitch(hidden) + (self.same(hidden)[:, :, None] * keys).sum(1)
        pitched = logits[:, :128] + self._related(hidden, small) + self._fitting(hidden, small, classes)
        free = torch.where(drums[:, None], NEVER, pitched), torch.where(drums[:, None], logits[:, 128:], NEVER)
        everything = torch.cat(free, 1)
        above = torch.arange(KEYS, device=state.device) > small[:, 9:10]
        return everything.masked_fill((small[:, 0:1] < NO_LENGTH) & ~above, NEVER)

    def _related(self, hidden: Tensor, small: Tensor) -> Tensor:
        """(n, 128): by the interval from the last key and from the tops of the bar before and the earlier bar."""
        pitches = torch.arange(128, device=hidden.device)
        weights = self.intervals(hidden).unflatten(1, (3, -1))
        total = torch.zeros(len(hidden), 128, device=hidden.device, dtype=weights.dtype)
        for i, column in enumerate((9, 4, 5)):
            other = small[:, column : column + 1]
            interval = (pitches - other).clamp(-REACH, REACH) + REACH
            total = total + weights[:, i].gather(1, interval) * (other < 128)
        return total

    def _fitting(self, hidden: Tensor, small: Tensor, classes: Tensor) -> Tensor:
        """(n, 128): by the degree of the chord, the interval to the lowest that sounds, and to all that sound."""
        chord, low, tones = small[:, 8], small[:, 6], torch.arange(12, device=hidden.device)
        weights = self.degrees(hidden)
        degree = (tones - (chord // QUALITIES)[:, None]) % 12
        above = (tones - low[:, None]) % 12
        total = weights[:, :12].gather(1, degree) * (chord < CHORDS)[:, None]
        total = total + weights[:, 12:].gather(1, above) * (low < 128)[:, None]
        around = classes[:, (tones[:, None] + tones) % 12]  # (n, tone, interval)
        total = total + (around @ self.fits(hidden)[..., None]).squeeze(-1)
        return total[:, torch.arange(128, device=hidden.device) % 12]

    def velocities(self, state: Tensor, length: Tensor, key: Tensor, last: Tensor) -> Tensor:
        """(n, FLAT) logits. key: (n,) the note's; last: (n,) the velocity class before."""
        told = self.loud(torch.stack([length, key, last], 1))
        return self.velocity(F.gelu(self.velocity_enter(torch.cat([state, told], -1))))  # type: ignore[no-any-return]
