"""Where players sit: a seat for each part, the keys of an instrument side by side, every drum in its place, and a
little air around each, since nobody hears an instrument as a point.

All of it is a part's own: other parts may come and go. The air is a difference of the sides: it is not there in mono.
"""

from functools import lru_cache

import numpy as np

WIDTH = 0.5  # by default; 1 is as wide as a stage from the first row
KEYS = 96.0  # semitones over which an instrument's keys lie from one side to the other
STEPS = 16  # places to each side: notes in one place are mixed together
AIR = (0.004, 0.023)  # seconds after which a sound comes back from the left and the right of the player
ECHOES, AIR_LEVEL = 4, 0.14

# A part sits where an audience sees such an instrument, -1 left to 1 right; one that the song places stays there.
_FAMILY_SEATS = (-0.3, 0.4, 0.2, -0.4, 0.1, -0.5, -0.35, 0.45, 0.3, -0.15, 0.0, -0.2, 0.2, 0.45, 0.4, 0.0)
_SEATS = {41: 0.1, 42: 0.3, 43: 0.5, 44: -0.2, 45: -0.2, 46: -0.55, 47: 0.3, 52: 0.0, 53: 0.0, 54: 0.0, 58: 0.6,
          60: -0.3, 70: 0.25, 71: -0.1}  # fmt: skip

# As an audience sees a right-handed drummer.
_DRUMS = {
    0.45: "closed hat, pedal hat, open hat, cowbell, shaker, cabasa, maracas",
    0.6: "crash, high timbale, high agogo, high bongo, short whistle, open triangle, muted triangle, high woodblock",
    0.3: "high tom, low timbale, low agogo, low bongo, tambourine, splash, sticks, click",
    0.1: "snare, rim, clap, slap, long whistle",
    0.0: "kick, mid tom",
    -0.3: "low tom, high conga, muted conga, low woodblock, claves, castanets",
    -0.45: "ride, ride bell, low conga, short guiro, long guiro, vibraslap",
    -0.6: "china, bell tree, jingle bell, muted surdo, open surdo, muted cuica, open cuica",
}
_DRUM_PLACES = {drum: place for place, drums in _DRUMS.items() for drum in drums.split(", ")}


def seat(program: int) -> float:
    """-1 left .. 1 right: where a General MIDI program (0..127) sits."""
    return _SEATS.get(program, _FAMILY_SEATS[program // 8])


def key_place(pitch: float) -> float:
    """-1 left .. 1 right: a key's place beside the middle of its instrument."""
    return float(np.clip((pitch - 60) / KEYS * 2, -1, 1)) / 2


def drum_place(drum: str) -> float:
    """-1 left .. 1 right: a drum's place in the kit."""
    return _DRUM_PLACES.get(drum, 0.0)


def stepped(place: float) -> float:
    """A place between -1 and 1, on one of STEPS to each side."""
    return round(min(max(place, -1.0), 1.0) * STEPS) / STEPS


@lru_cache(maxsize=512)
def echoes(seed: int, rate: int) -> tuple[tuple[int, float], ...]:
    """(samples of delay, gain) of what is added on the left and taken away on the right around a player."""
    draw = np.random.default_rng((seed, 83))
    delays = np.sort(draw.uniform(*AIR, ECHOES))
    gains = AIR_LEVEL * draw.permutation([1.0, -1.0] * (ECHOES // 2))
    return tuple((round(delay * rate), float(gain)) for delay, gain in zip(delays, gains, strict=True))


def aired(sound: np.ndarray, width: float, seed: int, rate: int) -> np.ndarray:
    """(samples, kinds) float32 of one player -> (samples and 23 ms, kinds): the difference of its sides."""
    around = echoes(seed, rate)
    side = np.zeros((len(sound) + max(delay for delay, _ in around), *sound.shape[1:]), np.float32)
    for delay, gain in around:
        side[delay : delay + len(sound)] += np.float32(gain * width) * sound
    return side
