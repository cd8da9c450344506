"""What a run's findings say: is this normal, and if not, what is wrong?

Pure functions of the series that training/health/findings.py keeps; training/health/interventions.py acts on them,
training/reports/page.py shows them. A sign is grave if the run will not recover by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

SMOOTH = 5  # findings that a verdict is based on
SURE = 0.9  # D's certainty above which it teaches little (Pasini 2022, Musika)
OVERFIT = 0.6  # the overfitting sign above which D knows the sounds by heart
WON = 0.98  # D's certainty above which nothing is left to learn from it
WON_LONG = 12  # findings for which D may have won before that is grave: other interventions come first
BROKEN = 0.1  # share of the steps since the last finding whose update was not finite
EXPLODED = 30.0  # times the usual norm of a gradient
ALIKE = 0.25  # spread of generated sounds, as a share of the real ones'
VARIED = 0.5  # spread of a run that is no longer young
FAR = 3.0  # times the smallest distance so far
SILENT_DB, LOUD_DB = -40.0, 30.0  # generated re real
SWINGING, SWINGS = 20.0, 8  # dB by which the level swings from one finding to the next, and over how many
OFFSET = 0.5  # DC as a share of the sound
COPIED = 0.5  # share of generated sounds nearer to a training sound than almost all real ones are
YOUNG = 20  # findings before a run may be called stuck
EARLY = 4  # findings of a run's first progress, which no verdict of having settled counts
SETTLED = 6  # findings, at least, in each of the two stretches that are compared
PRECISE = 0.15  # largest error of their difference, as a share of the level, at which it means anything
LEVEL = 0.1  # a level below this is practically nothing, and its error is measured relative to this
STAYED = 3  # findings in a row that have to agree


@dataclass(frozen=True)
class Finding:
    """One look at the players; nan where something could not be measured.

    step: when. attempt: how often the run had gone back to an earlier state by then. real, held_out, generated: how
    real D takes each to be, 0..1; certainty: how well it tells real from generated, 0..1; nan where that means nothing
    (WGAN). logit_*: the same three as D's raw outputs. spread: of generated sounds over that of real ones. distance: of
    generated from real sounds, 0 for the same distribution, 1: as far as two real sounds. copies: share of generated
    sounds nearer to a training sound than all but 5 % of the real ones. loudness: generated re real in dB. offset: DC
    over RMS of the generated sounds. Over the steps since the last finding, means: critic, adversarial, log (losses,
    the last of imitated spectra), penalty, broken (share of updates that were not finite); medians: critic_norm,
    generator_norm, of gradients.
    """

    step: int
    attempt: int = 0
    real: float = math.nan
    held_out: float = math.nan
    generated: float = math.nan
    certainty: float = math.nan
    logit_real: float = math.nan
    logit_held_out: float = math.nan
    logit_generated: float = math.nan
    spread: float = math.nan
    distance: float = math.nan
    copies: float = math.nan
    loudness: float = math.nan
    offset: float = math.nan
    critic: float = math.nan
    adversarial: float = math.nan
    log: float = math.nan
    penalty: float = math.nan
    critic_norm: float = math.nan
    generator_norm: float = math.nan
    broken: float = 0.0


@dataclass(frozen=True)
class Sign:
    """name: a word for the progress line. words: a sentence for a person. grave: there is no use in going on as
    before."""

    name: str
    words: str
    grave: bool = False


Findings = Sequence[Finding]


def series(findings: Findings, name: str) -> np.ndarray:
    """One field over time, (n,) float64."""
    return np.array([getattr(f, name) for f in findings], np.float64)


def recent(findings: Findings, name: str, count: int = SMOOTH) -> float:
    """Mean of the last `count` values that were measured; nan if none was."""
    values = series(findings[-count:], name)
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else math.nan


def asked_unseen(findings: Findings, count: int = SMOOTH) -> bool:
    """Whether D has judged sounds that it never learned from: otherwise learning cannot be told from memorising."""
    return bool(np.isfinite(series(findings[-count:], "logit_held_out")).any())


def overfitting(findings: Findings, count: int = SMOOTH) -> float:
    """How much of what D knows is known by heart, from about 0 to 1.

    With held-out sounds, r_v = (E D(train) - E D(held out)) / (E D(train) - E D(generated)) (Karras 2020, equation 1):
    0 when D takes a real sound it has never seen for as real as those it has, 1 when it takes it for generated. Only
    where both differences exceed twice their standard errors, else 0: a D that can tell nothing apart has memorised
    nothing. Without held-out sounds, r_t: how sure D is of the training sounds, 2 E real - 1, which also rises with
    overfitting.
    """
    kept = findings[-count:]
    train, unseen, fake = (series(kept, f"logit_{name}") for name in ("real", "held_out", "generated"))
    if not asked_unseen(findings, count):
        return max(2 * recent(findings, "real", count) - 1, 0.0) if len(kept) == count else 0.0
    known, learned = train - unseen, train - fake
    whole = np.isfinite(known) & np.isfinite(learned)
    known, learned = known[whole], learned[whole]
    if len(known) < max(count, 2) or not (_clear(known) and _clear(learned)):
        return 0.0
    return float(np.clip(known.mean() / learned.mean(), 0.0, 1.0))


def _clear(values: np.ndarray) -> bool:
    """Whether a mean is above 0 by more than two standard errors."""
    return bool(values.mean() > 2 * values.std(ddof=1) / math.sqrt(len(values)))


# ---- the signs -------------------------------------------------------------------------------------------------------


def _not_finite(f: Findings) -> Sign | None:
    if f[-1].broken <= BROKEN:
        return None
    share = f"{f[-1].broken:.0%}"
    return Sign("diverging", f"training diverged: {share} of the last steps gave numbers that are not finite", True)


def _exploding(f: Findings) -> Sign | None:
    scale = _scale(f[-YOUNG - 1 :])
    for side, who in (("generator_norm", "the generator"), ("critic_norm", "the critic")):
        *before, now = (series(f[-YOUNG - 1 :], side) / scale).tolist()
        before = [norm for norm in before if math.isfinite(norm)]
        if len(before) >= SMOOTH and now > EXPLODED * np.median(before):
            times = now / max(float(np.median(before)), 1e-12)
            return Sign("diverging", f"the gradients of {who} are {times:.0f} times their usual size", True)
    return None


def _scale(f: Findings) -> np.ndarray:
    """(n,) what norms of gradients are divided by: where D's outputs have no unit (WGAN), how far apart they are."""
    apart = np.abs(series(f, "logit_real") - series(f, "logit_generated"))
    return np.where(np.isfinite(series(f, "certainty")), 1.0, np.maximum(apart, 1e-9))


def is_healthy(finding: Finding) -> bool:
    """Whether a state looks worth going back to, judging by one finding."""
    return not (finding.spread < ALIKE or finding.loudness < SILENT_DB or finding.loudness > LOUD_DB)


def _far(f: Findings) -> Sign | None:
    """All generated sounds have moved away from the real ones, having been nearer, and stay away."""
    values = series(f, "distance")
    values = values[np.isfinite(values)]
    if len(values) < 2 * SMOOTH:
        return None
    nearest, now = np.convolve(values, np.full(3, 1 / 3), "valid").min(), values[-3:].min()
    if now > FAR * nearest and now > nearest + 0.5:
        return Sign("diverging", "the generated sounds have moved away from your sounds; they were nearer before", True)
    return None


def _collapsed(f: Findings) -> Sign | None:
    now = recent(f, "spread", 3)
    if not now < ALIKE:
        return None
    best = max((recent(f[: i + 1], "spread") for i in range(SMOOTH - 1, len(f))), default=0.0)
    words = f"all generated sounds are nearly alike ({now:.0%} of the variety of your sounds)"
    if best > VARIED:
        return Sign("collapsed", words + ", which they were not before", True)
    return Sign("alike", words) if len(f) >= YOUNG else None


def _silent_or_loud(f: Findings) -> Sign | None:
    levels = series(f, "loudness")
    was_well = bool(((levels > SILENT_DB) & (levels < LOUD_DB)).any())
    if len(f) < 3 or not (was_well or len(f) >= YOUNG):
        return None
    if (levels[-3:] < SILENT_DB).all():
        return Sign("silent", "the generated sounds are silent", was_well)
    if (levels[-3:] > LOUD_DB).all():
        return Sign("loud", f"the generated sounds are {levels[-1]:.0f} dB louder than your sounds", was_well)
    if len(f) >= YOUNG and recent(f, "offset", 3) > OFFSET:
        return Sign("offset", "the generated sounds have a constant offset (DC), which is not sound")
    return None


def _swinging(f: Findings) -> Sign | None:
    """The players chase each other and neither gets anywhere (rates or momentum too high). Swings from before the run
    went back say nothing about its new pace.

    Measured by half the mean square of successive differences (von Neumann 1941): the variance if findings are
    independent of each other, and small if a level climbs once, as a young run's does."""
    levels = series([one for one in f[-SWINGS:] if one.attempt == f[-1].attempt], "loudness")
    swing = math.sqrt(np.square(np.diff(levels)).mean() / 2) if len(levels) == SWINGS else math.nan
    if not swing > SWINGING:  # nan is not
        return None
    return Sign("swinging", f"the generated sounds swing between loud and almost silent (by {swing:.0f} dB)", True)


def _beaten(f: Findings) -> Sign | None:
    """D's loss is at 0 and G's does not fall: D has won, and G learns nothing."""
    if not recent(f, "certainty") > WON:
        return None
    long = len(f) >= WON_LONG and bool((series(f[-WON_LONG:], "certainty") > WON).all())
    rising = recent(f, "adversarial") >= recent(f[:-SMOOTH], "adversarial") if len(f) > SMOOTH else False
    words = "the critic is never wrong, so the generator learns nothing from it"
    return Sign("beaten", words, long and rising)


def _memorising(f: Findings) -> Sign | None:
    if not asked_unseen(f) or (share := overfitting(f)) < OVERFIT:
        return None
    return Sign(
        "memorising", f"the critic knows your sounds by heart ({share:.2f}, where 0 is not at all and 1 completely)"
    )


def _copying(f: Findings) -> Sign | None:
    if not recent(f, "copies") > COPIED:
        return None
    return Sign("copying", f"{recent(f, 'copies'):.0%} of the generated sounds are near copies of training sounds")


def _sure(f: Findings) -> Sign | None:
    certainty = recent(f, "certainty", 3)
    return Sign("sure", f"the critic is very sure of itself ({certainty:.2f})") if certainty > SURE else None


def _settled(f: Findings) -> Sign | None:
    """Over the last quarter the sounds have come no nearer to the real ones as a distribution, nor, where sounds are
    imitated, one by one; the last few findings agree on that."""
    if not all(_no_better(f[: len(f) - i]) for i in range(STAYED)):
        return None
    steps = f[-1].step - f[-_span(f)].step
    return Sign("settled", f"no improvement for {steps} steps: more time is unlikely to help with these settings")


def _span(f: Findings) -> int:
    return max(SETTLED, len(f) // 4)


def _no_better(f: Findings) -> bool:
    """Whether nothing has fallen by more than a standard error from one stretch to the next, and at least one figure is
    precise enough to have shown it: noise is no reason to stop a run."""
    span, exact = _span(f), False
    if len(f) < 2 * span + EARLY:
        return False
    for name in ("distance", "log"):
        before, after = series(f[-2 * span : -span], name), series(f[-span:], name)
        error = math.sqrt((before.var(ddof=1) + after.var(ddof=1)) / span)
        if before.mean() - after.mean() > error:
            return False
        exact = exact or error <= PRECISE * max(before.mean(), LEVEL)  # nan is not
    return exact


SIGNS: tuple[Callable[[Findings], Sign | None], ...] = (
    _not_finite,
    _exploding,
    _far,
    _collapsed,
    _silent_or_loud,
    _swinging,
    _beaten,
    _memorising,
    _copying,
    _sure,
    _settled,
)


def signs(findings: Findings) -> list[Sign]:
    """Every sign there is, the grave ones first; none if all is well, or nothing is known yet."""
    found = [sign for check in SIGNS if (sign := check(findings))] if findings else []
    return sorted(found, key=lambda sign: not sign.grave)
