"""Where the bars of a song begin, by its time signatures and its tempo."""

from bisect import bisect_right

from antiphon.music.smf import TEMPO, Smf

MOST_BARS = 20_000
USUAL = 4.0  # crotchets in a bar, unless a time signature says otherwise


def bar_starts(file: Smf, stop: float) -> list[float]:
    """Seconds at which bars 1, 2, ... begin, up to `stop`; none if the file counts in frames of film, or has separate
    patterns."""
    if not file.elastic or file.kind == 2:
        return []
    meters = _changes((tick, beats) for track in file.tracks for tick, beats in track.meters)
    clock, crotchet = _Clock(file), 0.5 / file.tick
    starts: list[float] = []
    tick, now, index = 0.0, 0.0, 0
    beats = USUAL
    while now <= stop and len(starts) < MOST_BARS:
        starts.append(now)
        while index < len(meters) and meters[index][0] <= tick:
            beats = meters[index][1]
            index += 1
        tick += beats * crotchet
        if index < len(meters):
            tick = min(tick, meters[index][0])  # a change within a bar ends it
        now = clock.seconds(tick)
    return starts


def _changes(pairs) -> list[tuple[int, float]]:  # type: ignore[no-untyped-def]
    """(tick, value) in order; of several at one tick the last counts."""
    return sorted(dict(sorted(pairs, key=lambda pair: pair[0])).items())


class _Clock:
    """From ticks to seconds, by the tempo changes of all tracks."""

    def __init__(self, file: Smf):
        found = ((event.tick, event.first) for track in file.tracks for event in track.events if event.status == TEMPO)
        changes = [(0, 500_000), *_changes(found)]
        self.ticks, self.steps = [tick for tick, _ in changes], [file.tick * us / 500_000 for _, us in changes]
        self.times = [0.0]
        for i in range(1, len(changes)):
            self.times.append(self.times[-1] + (self.ticks[i] - self.ticks[i - 1]) * self.steps[i - 1])

    def seconds(self, tick: float) -> float:
        at = bisect_right(self.ticks, tick) - 1
        return self.times[at] + (tick - self.ticks[at]) * self.steps[at]
