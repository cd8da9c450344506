"""The ear: which pitch a recorded note has, and whether one that is claimed for it can be true.

Folders, clones and sessions hear with it. swift-f0 hears 47 to 2,094 Hz; below and above, and where it is not sure, the
spectrum's partials decide. What is outside its range is never denied because of it. Audio is (samples,) float32 at
44.1 kHz."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from antiphon.core.errors import AntiphonError
from antiphon.core.units import SAMPLE_RATE, hz_to_midi, midi_to_hz
from antiphon.data.analysis import descriptors as analysis
from antiphon.data.analysis.partials import excerpt, find_peaks
from antiphon.data.analysis.tracker import open_tracker, track_pitch
from antiphon.data.labelling.row import note_name

CONVINCING = 0.8  # share of the energy that a pitch of which the tracker is not sure must explain
UNCONVINCING = 0.3  # share below which a claim is nothing beside a convincing pitch
OVERTONES = 6  # of a second note that are looked for
STANDS_OUT = 20.0  # dB by which a partial that bears the pitch rises over the floor, and may lie below the loudest
LOWEST_HZ = 26.0  # where pitches begin
NEAR = 0.8  # semitones: closer, two pitches are one
CLEAR = (45.0, 84.0)  # MIDI, where the tracker hardly mistakes an octave
EMPTY_DB, PRESENT_DB = 30.0, 25.0  # odd harmonics that far below the even ones are none; those above are there


@dataclass(frozen=True)
class Verdict:
    """What the ear makes of a claim. pitch: MIDI, to be used. heard: what is heard, None if that is nothing to be sure
    of. agrees: whether that is the claim, or one octave of it as well as another."""

    pitch: float
    heard: float | None = None
    agrees: bool = True

    @property
    def moved(self) -> bool:
        """Whether another pitch than the claimed one is to be used."""
        return not self.agrees and self.heard is not None and abs(self.pitch - self.heard) < NEAR


def weigh(sound: np.ndarray, claim: float, heard: float | None) -> Verdict:
    """A claimed pitch beside the one that the tracker hears. The claim stands unless only what is heard explains the
    sound: another note altogether, or an octave that the partials settle."""
    if heard is None or abs(heard - claim) < NEAR:
        return Verdict(claim, heard)
    if abs((heard - claim + 6) % 12 - 6) < NEAR:
        settled = CLEAR[0] <= heard <= CLEAR[1] and octave_told(sound, claim) == 12 * round((heard - claim) / 12)
        return Verdict(heard if settled else claim, heard, not settled)
    shares = harmonic_share(sound, heard), harmonic_share(sound, claim)
    clear = shares[0] > CONVINCING and shares[1] < UNCONVINCING
    if (explains(sound, claim) and not clear) or not explains(sound, heard):
        return Verdict(claim, heard, False)
    return Verdict(heard, heard, False)


def octave_told(sound: np.ndarray, claim: float) -> int:
    """12 or -12 where the partials say that a tone is an octave above or below its claim, 0 where they do not: it has
    none of the claim's odd harmonics, or the odd ones of the octave below."""
    part, base = excerpt(sound, midi_to_hz(claim - 12))
    peaks = find_peaks(part, base)
    order = np.round(peaks.hz / base)
    on = (np.abs(peaks.hz - order * base) < np.maximum(0.02 * order * base, 3)) & (peaks.above > 10)
    level = np.array([peaks.level[on & (order == k)].max(initial=-120.0) for k in range(1, 25)])
    top = level.max()
    below, own, above = level[[0, 2, 4, 6]], level[[1, 5, 9, 13]], level[[3, 7, 11, 15]]
    if (below > top - PRESENT_DB).sum() >= 2:
        return -12
    if above.max() == top and own.max() < top - EMPTY_DB and (above > top - 40).sum() >= 2:
        return 12
    return 0


def chord_tone(audio: np.ndarray, pitch: float) -> float | None:
    """The MIDI pitch of a second harmonic series besides that of `pitch`; None if there is none.

    Bells and organs have strong partials off the grid too, but not most of another tone's first overtones."""
    part, base = excerpt(audio, midi_to_hz(pitch))
    peaks = find_peaks(part, base)
    strong = (peaks.above > 15) & (peaks.level > -35)
    hz, level = peaks.hz[strong], peaks.level[strong]
    order = hz / base
    off = np.abs(order - np.round(order)) > np.maximum(0.03 * order, 0.06)
    for f0 in hz[off & (level > -15)]:
        if f0 < 0.45 * base or abs(base / f0 - round(base / f0)) < 0.03:
            continue  # a sub-octave
        series = f0 * np.arange(1, OVERTONES + 1)
        foreign = np.abs(series / base - np.round(series / base)) > 0.06
        near = np.abs(hz[:, None] / series - 1).min(0, initial=1.0) < 0.012
        if foreign.sum() >= 3 and near[foreign].mean() >= 0.8:
            return float(hz_to_midi(f0))
    return None


def explains(sound: np.ndarray, pitch: float) -> bool:
    """Whether the pitch is there, and no other beside it."""
    return analysis.plausible_pitch(sound, pitch) and chord_tone(sound, pitch) is None


def heard_pitch(sound: np.ndarray, name: str, claim: float | None, firm: bool) -> float | None:
    """The key nearest to the pitch heard, None if that is uncertain. firm: whether the user made the claim; otherwise
    two notes in succession are refused."""
    tracker = open_tracker(demand=claim is None)
    if tracker is None:
        return None
    held = analysis.cut_and_fade_tail(sound, -40.0)[: 3 * SAMPLE_RATE]
    heard, lowest = tracker.pitch(held, SAMPLE_RATE), next(iter(partials_that_stand_out(held).tolist()), None)
    if heard is None:
        parts = [tracker.pitch(part, SAMPLE_RATE) for part in np.array_split(held, 2)]
        if not firm and None not in parts and abs(parts[0] - parts[1]) > 0.8:  # type: ignore[operator]
            both = " and then ".join(note_name(round(part)) for part in parts)  # type: ignore[arg-type]
            raise AntiphonError(f"{name} contains {both}: cut it to one note")
        faint = [pitch for pitch in (track_pitch(held), lowest) if pitch is not None and np.isfinite(pitch)]
        heard = next((pitch for pitch in faint if harmonic_share(held, pitch) > CONVINCING), None)
    if heard is None:
        return None
    heard = octave_of(held, heard)
    if lowest is not None and lowest < heard - 2.5:  # a bell's loudest partial, or an organ's octave, is not its pitch
        heard = lowest
    return float(round(heard))


def partials_that_stand_out(audio: np.ndarray) -> np.ndarray:
    """MIDI pitches of the strong partials, in ascending order."""
    peaks = find_peaks(excerpt(audio, LOWEST_HZ)[0], LOWEST_HZ)
    strong = (peaks.above > STANDS_OUT) & (peaks.level > -STANDS_OUT) & (peaks.hz > LOWEST_HZ)
    return hz_to_midi(peaks.hz[strong])


def octave_of(audio: np.ndarray, pitch: float) -> float:
    """The pitch, or octaves above it while those explain the sound as well: above C7 the tracker's pitch is too low."""
    while 83.5 < pitch < 108 and harmonic_share(audio, pitch + 12) > 0.98 * harmonic_share(audio, pitch):
        pitch += 12
    return pitch


def harmonic_share(audio: np.ndarray, pitch: float) -> float:
    """How much of the energy of the spectrum's peaks lies at the first 16 harmonics of a pitch, 0..1."""
    part, base = excerpt(audio, midi_to_hz(pitch))
    peaks = find_peaks(part, base)
    order = np.round(peaks.hz / base)
    near = (order >= 1) & (order <= 16) & (np.abs(peaks.hz - order * base) < np.maximum(0.03 * order * base, 3))
    energy = 10 ** (peaks.level / 10)
    return float(energy[near].sum() / max(energy.sum(), 1e-20))
