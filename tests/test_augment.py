"""What a critic is shown instead of a sound: invertible where possible, differentiable, sane, and without leaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import tone
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from antiphon.core.errors import AntiphonError
from antiphon.training.augment import FADE, GAIN_DB, KEPT, KINDS, MOST, NOISE_DB, SHIFT, Draw, augment, draw

SAMPLES = 8192
SHAPES = [(6, SAMPLES), (6, 1, SAMPLES), (6, 2, 40, 64)]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sounds(shape: tuple[int, ...] = SHAPES[0]) -> Tensor:
    return torch.rand(shape, generator=rng(5)) - 0.5


def only(kind: str, count: int = 6, seed: int = 0, p: float = MOST) -> Draw:
    """A draw of one kind only, which does happen."""
    return next(d for s in range(seed, seed + 50) if changed(d := draw(count, p, rng(s), (kind,))).all())


def changed(how: Draw) -> Tensor:
    kept = (how.gain == 0) & (how.polarity == 1) & (how.shift == 0) & (how.crop_length == 1) & (how.noise == 0)
    return ~kept


def rms(x: Tensor) -> Tensor:
    return x.flatten(1).square().mean(1).sqrt()


@pytest.mark.parametrize("shape", SHAPES)
def test_at_zero_nothing_changes(shape):
    x = sounds(shape)
    assert torch.equal(augment(x, draw(len(x), 0.0, rng())), x)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["gain", "shift", "polarity"])
def test_what_can_be_undone_sound_by_sound_is(shape, kind):
    x, how = sounds(shape), only(kind) if kind != "polarity" else replace(draw(6, 0.0, rng()), polarity=-torch.ones(6))
    back = replace(how, gain=-how.gain, shift=-how.shift)
    assert (len(shape) == 4 and kind == "polarity") or not torch.allclose(augment(x, how), x, atol=1e-3)
    torch.testing.assert_close(augment(augment(x, how), back), x, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_noise_is_added_whatever_the_sound(shape):
    how = only("noise")
    x = sounds(shape)
    noise = augment(torch.zeros(shape), how)
    torch.testing.assert_close(augment(x, how) - noise, x, rtol=1e-4, atol=1e-6)
    assert (rms(noise) > 0).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_gradient_passes_back_through_it(shape):
    how = draw(6, MOST, rng(3))
    x = sounds(shape).double().requires_grad_(True)
    direction = torch.randn(shape, generator=rng(1), dtype=torch.float64)
    augment(x, how).sum().backward()
    with torch.no_grad():
        slope = (augment(x + 1e-4 * direction, how) - augment(x - 1e-4 * direction, how)).sum() / 2e-4
    torch.testing.assert_close((x.grad * direction).sum(), slope, rtol=1e-4, atol=1e-6)


def test_how_much_each_part_changes():
    x = torch.from_numpy(np.stack([tone(60 + i, SAMPLES / 44100) for i in range(6)]))
    level = 20 * torch.log10(rms(augment(x, only("gain"))) / rms(x))
    assert (level.abs() <= GAIN_DB + 1e-3).all()
    assert level.std() > 1
    noise = 20 * torch.log10(rms(augment(torch.zeros_like(x), only("noise"))))
    assert ((noise > NOISE_DB[0] - 1) & (noise < NOISE_DB[1] + 1)).all()
    silent = (augment(torch.ones_like(x), only("crop")) == 0).float().mean(1)
    assert ((silent > 0) & (silent <= 1 - KEPT + 2 * FADE)).all()
    moved = augment(x, only("shift"))
    torch.testing.assert_close(rms(moved), rms(x))
    assert (augment(torch.eye(1, SAMPLES), only("shift", 1)).argmax() + SAMPLES // 2) % SAMPLES - SAMPLES // 2 <= (
        SHIFT * SAMPLES
    )


def test_noise_is_an_octave_wide():
    how = only("noise")
    spectrum = torch.fft.rfft(augment(torch.zeros(6, SAMPLES), how)).abs()
    for row in spectrum:
        heard = torch.nonzero(row > 1e-3 * row.max()).flatten()
        assert heard.max() / heard.min() == pytest.approx(2, rel=0.2)


def test_an_image_keeps_its_phase():
    x, how = sounds(SHAPES[2]), draw(6, MOST, rng(2), ("gain", "polarity", "noise"))
    assert torch.equal(augment(x, how)[:, 1], x[:, 1])
    assert not torch.equal(augment(x, how)[:, 0], x[:, 0])


# ---- without leaks -------------------------------------------------------------------------------


@given(p=st.floats(0, MOST))
@settings(max_examples=20, deadline=None)
def test_each_part_happens_so_often(p):
    how = draw(4000, p, rng(1))
    happened = [how.gain != 0, how.shift != 0, how.crop_length < 1, how.noise > 0]
    assert all(abs(float(h.float().mean()) - p) < 0.04 for h in happened)
    assert abs(float((how.polarity < 0).float().mean()) - p / 2) < 0.04
    free = float((~changed(how)).float().mean())
    assert abs(free - (1 - p) ** 4 * (1 - p / 2)) < 0.04


def test_what_a_set_becomes_tells_what_it_was():
    """The operator that a set's distribution goes through has no eigenvalue near 0, so different sets stay different
    (Karras 2020, section 2.2): as drawn, for positions in time, levels and signs."""
    how = draw(200_000, MOST, rng(4), ("shift", "gain", "polarity"))
    steps = 64
    for values, reach in ((how.shift / SHIFT, 8), (how.gain, 8)):
        where = (values * reach).round().long() % steps
        share = torch.bincount(where, minlength=steps).double() / len(where)
        assert float(torch.fft.fft(share).abs().min()) > 0.02  # a circular convolution's eigenvalues
        assert int(share.argmax()) == 0
    flipped = float((how.polarity < 0).float().mean())
    assert abs(1 - 2 * flipped) > 0.1


def test_always_would_leak_and_is_refused():
    with pytest.raises(AntiphonError, match="leak"):
        draw(2, 1.0, rng())
    with pytest.raises(AntiphonError, match="3 sounds"):
        augment(sounds((3, 100)), draw(2, 0.5, rng()))


def test_the_same_seed_is_the_same_view():
    x = sounds()
    assert torch.equal(augment(x, draw(6, 0.5, rng(7))), augment(x, draw(6, 0.5, rng(7))))
    assert not torch.equal(augment(x, draw(6, 0.5, rng(7))), augment(x, draw(6, 0.5, rng(8))))


def test_a_part_of_a_batch_is_seen_alike():
    x, how = sounds(), draw(6, MOST, rng(3), ("gain", "polarity", "shift", "crop"))
    assert torch.equal(augment(x, how)[:2], augment(x[:2], how[:2]))
    assert KINDS == ("gain", "polarity", "shift", "crop", "noise")
