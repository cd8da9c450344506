"""Work in separate processes: in order, a little ahead, the same on one processor and on several."""

import os
import signal
import sys
import time

import numpy as np
import pytest
from tunes import SineVoice, band

from antiphon.core import parallel as workers
from antiphon.core.errors import AntiphonError
from antiphon.music.player import render
from antiphon.music.song import Part, Song, SongNote

forks = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_results_come_in_order(processes):
    assert list(workers.in_order(lambda i: i * i, 10, processes)) == [i * i for i in range(10)]
    assert list(workers.in_order(lambda i: i, 0, processes)) == []


@forks
def test_the_work_is_done_elsewhere_and_by_one_thread_each():
    found = list(workers.in_order(lambda _: (os.getpid(), workers.processors()), 4, 2))
    assert {threads for _, threads in found} == {1}
    assert os.getpid() not in {pid for pid, _ in found}


@pytest.mark.parametrize("processes", [1, 2])
def test_what_fails_there_is_raised_here(processes):
    def work(i):
        if i == 3:
            raise AntiphonError("no such note")
        return i

    results = workers.in_order(work, 9, processes)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(AntiphonError, match="no such note"):
        next(results)


@forks
def test_failures_wait_for_their_turn_and_say_where():
    def work(i):
        if i == 3:
            raise ValueError("broken")
        time.sleep(0.3 * (i == 2))
        return i

    results = workers.in_order(work, 9, 2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="broken") as caught:
        next(results)
    assert "in work" in caught.value.__notes__[0]


@forks
def test_what_no_pipe_carries_is_told_in_words():
    class Odd(Exception):
        def __init__(self, one, two):
            super().__init__(f"{one} and {two}")

    def work(i):
        raise Odd(i, i)

    with pytest.raises(RuntimeError, match="0 and 0"):
        list(workers.in_order(work, 4, 2))


@forks
def test_where_no_process_may_be_added_one_works(monkeypatch):
    def refuse():
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(os, "fork", refuse)
    assert list(workers.in_order(lambda i: i * i, 5, 2)) == [0, 1, 4, 9, 16]


@forks
def test_a_lost_process_is_said_in_a_line():
    with pytest.raises(AntiphonError, match="out of memory"):
        list(workers.in_order(lambda i: os.kill(os.getpid(), signal.SIGKILL), 4, 2))


@forks
def test_nobody_is_left_behind():
    results = workers.in_order(lambda _: os.getpid(), 100, 2)
    pids = [next(results), next(results)]
    results.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_song_is_the_same_on_one_processor_and_on_two(monkeypatch):
    draw = np.random.default_rng(1)
    notes = (
        SongNote(on, draw.uniform(0.05, 4), int(draw.integers(30, 90)), 80) for on in sorted(draw.uniform(0, 45, 60))
    )
    players = band(Song((Part(0, 0, 0, "", tuple(notes)),)))
    made = []
    for processors in (1, 2):
        monkeypatch.setattr(workers, "processors", lambda count=processors: count)
        made.append(render(players, SineVoice(0.2)))
    assert np.array_equal(*made)
