"""The game in the space of styles: the mapping network M against a critic C of style vectors.

    L_C = softplus(C(M(z)) - C(E(x))) + gamma/2 (R1 + R2)
    L_M = softplus(C(E(x)) - C(M(z)))

Relativistic pairing with both penalties (Huang 2025, eq. 2), conditioned on the same labels on both sides. E(x) comes
from a bank of the last few thousand encoded styles, so that a batch here is large though a batch of sound is not.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from antiphon.networks.mapping import NOISE, Mapping, StyleCritic
from antiphon.training.losses.adversarial import RULES, gradient_penalty
from antiphon.training.parallel import of_all_processes

RULE = RULES["relativistic"]


class StyleGame(nn.Module):
    """The critic and the bank. size: styles remembered. gamma: weight of the penalties. batch: styles per move."""

    bank_w: Tensor
    bank_instrument: Tensor
    bank_style: Tensor

    def __init__(self, style: int, instruments: int, words: int, size: int, gamma: float, batch: int = 128):
        super().__init__()
        self.size, self.gamma, self.batch = size, gamma, batch
        self.critic = StyleCritic(style, instruments, words)
        self.register_buffer("bank_w", torch.zeros(size, style))
        self.register_buffer("bank_instrument", torch.zeros(size, dtype=torch.long))
        self.register_buffer("bank_style", torch.zeros(size, words))

    def remember(self, w: Tensor, instrument: Tensor, style: Tensor, step: int) -> None:
        """Put a batch's styles, those of all processes, in place of the oldest; w: (batch, style), instrument:
        (batch,), style: (batch, words)."""
        w, instrument, style = (of_all_processes(x) for x in (w.detach(), instrument, style))
        count = len(w)
        at = (step * count + torch.arange(count, device=w.device)) % self.size
        if step == 0:  # fill the bank: zeros would mislead the critic
            at = torch.arange(self.size, device=w.device)
        pick = torch.arange(len(at), device=w.device) % count
        self.bank_w[at] = w[pick]
        self.bank_instrument[at], self.bank_style[at] = instrument[pick], style[pick]

    def critic_loss(self, mapping: Mapping, rng: torch.Generator) -> Tensor:
        real, instrument, style, z = self._draw(rng)
        with torch.no_grad():
            fake = mapping(z, instrument, style)

        def score(w: Tensor) -> Tensor:
            return self.critic(w, instrument, style)

        penalty = gradient_penalty(score, real) + gradient_penalty(score, fake)
        return RULE.discriminator(score(real), score(fake)) + self.gamma / 2 * penalty

    def mapping_loss(self, mapping: Mapping, rng: torch.Generator) -> Tensor:
        real, instrument, style, z = self._draw(rng)
        fake = mapping(z, instrument, style)
        self.critic.requires_grad_(False)
        loss = RULE.generator(self.critic(real, instrument, style), self.critic(fake, instrument, style))
        self.critic.requires_grad_(True)
        return loss

    @torch.no_grad()
    def variety(self, mapping: Mapping, rng: torch.Generator) -> float:
        """Spread of imagined styles within their instruments, as a share of that of the remembered ones."""
        z = torch.randn(self.size, NOISE, generator=rng).to(self.bank_w.device)
        imagined = mapping(z, self.bank_instrument, self.bank_style)
        made, real = (self._within(w) for w in (imagined, self.bank_w))
        return float(made / real.clamp_min(1e-9))

    def _within(self, w: Tensor) -> Tensor:
        """() the root mean square distance of styles of the bank's instruments from their instrument's mean."""
        each = torch.nn.functional.one_hot(self.bank_instrument).to(w.dtype)
        means = each.T @ w / each.sum(0).clamp_min(1).unsqueeze(1)
        return (w - means[self.bank_instrument]).square().mean().sqrt()

    def _draw(self, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        device = self.bank_w.device
        i = torch.randint(self.size, (self.batch,), generator=rng).to(device, non_blocking=True)
        z = torch.randn(self.batch, NOISE, generator=rng).to(device, non_blocking=True)
        return self.bank_w[i], self.bank_instrument[i], self.bank_style[i], z
