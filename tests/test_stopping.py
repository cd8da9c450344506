"""Stopping at the worst moments: in a callback of a C library, while a file is made, renamed or removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from antiphon.audio import files
from antiphon.audio.files import read_audio, write_audio
from antiphon.core import atomic
from antiphon.core.stopping import check, held, listening
from antiphon.core.units import SAMPLE_RATE
from antiphon.music import bounce

SECOND = 0.1 * np.sin(np.arange(SAMPLE_RATE, dtype=np.float32) / 10)


def stop(name: str = "SIGINT") -> None:
    os.kill(os.getpid(), getattr(signal, name))


pytestmark = pytest.mark.usefixtures("usual_handlers")


@pytest.fixture
def stop_once(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has the process receive a signal when a function is called for the first time, before or after its work."""

    def arm(place: object, name: str, *, kind: str = "SIGINT", after: bool = False) -> None:
        real, sent = getattr(place, name), []

        def called(*args: Any, **how: Any) -> Any:
            first = not sent
            sent.append(1)
            if first and not after:
                stop(kind)
            result = real(*args, **how)
            if first and after:
                stop(kind)
            return result

        monkeypatch.setattr(place, name, called)

    return arm


def test_a_stop_while_the_folder_for_temporary_files_is_tried_leaves_nothing(tmp_path, monkeypatch):
    def tried() -> str:  # as tempfile does it
        probe = tmp_path / "probe"
        probe.write_bytes(b"blat")
        stop("SIGTERM")
        probe.unlink()
        return str(tmp_path)

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_get_default_tempdir", tried)
    with pytest.raises(KeyboardInterrupt), listening(), atomic.scratch():
        pass
    assert not list(tmp_path.iterdir())


# ---- signals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_waits_until_the_block_ends(name):
    done = []

    def work() -> None:
        with listening(), held() as asked:
            with held():
                assert not asked()
                stop(name)
            assert asked()
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done


def test_one_that_is_late_is_raised_by_the_next_piece_of_work():
    with listening():
        with held(late=True):
            stop()
        with pytest.raises(KeyboardInterrupt):
            check()
    check()  # of another time


def test_a_terminal_that_closes_sends_two():
    cleaned = []

    def work() -> None:
        with listening():
            try:
                stop("SIGHUP")
            finally:
                stop("SIGTERM")
                cleaned.append(1)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert cleaned


def test_what_a_finaliser_swallows_is_neither_printed_nor_lost(capfd):
    class Finalised:
        def __del__(self) -> None:
            stop()

    with listening():
        thing = Finalised()
        del thing
        with pytest.raises(KeyboardInterrupt):
            check()
    assert capfd.readouterr().err == ""


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg"])
@pytest.mark.parametrize("where", ["__init__", "write", "close"])
def test_a_stop_while_libsndfile_writes_is_no_error_of_the_disk(stop_once, tmp_path, suffix, where):
    stop_once(files._Disk, where)
    with pytest.raises(KeyboardInterrupt):
        write_audio(tmp_path / "new" / f"a.{suffix}", SECOND)
    assert list(tmp_path.iterdir()) == []


def test_several_files_appear_together_whatever_comes(stop_once, tmp_path):
    paths = [tmp_path / "a", tmp_path / "b"]
    stop_once(os, "replace", after=True)
    with pytest.raises(KeyboardInterrupt), atomic.all_atomic(paths) as drafts:
        assert all(draft.write_text("whole") for draft in drafts)
    assert sorted(tmp_path.iterdir()) == paths


@pytest.mark.parametrize("after", [False, True])
def test_a_scratch_folder_is_gone_although_a_stop_meets_its_making(stop_once, tmp_path, after):
    stop_once(Path, "mkdir", after=after)
    with pytest.raises(KeyboardInterrupt), atomic.scratch(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_folder_is_gone_although_a_stop_meets_its_removal(stop_once, tmp_path):
    stop_once(os, "unlink")
    with pytest.raises(KeyboardInterrupt), atomic.scratch(tmp_path) as folder:
        assert all((folder / name).write_text(name) for name in "abc")
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_an_interrupt_left_outlives_the_program(tmp_path):
    generator = atomic.scratch(tmp_path)
    (generator.__enter__() / "a").write_text("its block was never entered")
    atomic.sweep_up()
    assert list(tmp_path.iterdir()) == []


# ---- commands --------------------------------------------------------------------------------------------------------

MOMENTS = [(files._Disk, "write"), (files._Disk, "close"), (bounce, "nameless"), (atomic, "_flush")]
MOMENTS += [(os, "replace")]


@pytest.mark.parametrize("kind", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize(("place", "name"), MOMENTS, ids=lambda x: x if isinstance(x, str) else "")
def test_a_song_stopped_at_the_worst_moments(antiphon_line, run_folder, tmp_path, stop_once, place, name, kind):
    stop_once(place, name, kind=kind)
    said = antiphon_line("play", "--voice", run_folder, "-o", tmp_path / "song.mp3", "--stems", song(tmp_path))
    if name == "replace":  # it is there: the stop comes too late
        assert said.status == 0
        assert len(read_audio(tmp_path / "song.mp3"))
    else:
        assert (said.status, said.err[-1]) == (130, "antiphon: stopped")
        assert [path.name for path in tmp_path.iterdir()] == ["song.mid"]


def song(folder: Path) -> Path:
    from tunes import note, save

    return save(folder / "song.mid", note(60, 240))


def test_of_many_notes_those_that_are_there_are_whole(antiphon_line, run_folder, tmp_path, stop_once):
    stop_once(os, "replace", after=True)
    said = antiphon_line("generate", run_folder, "-o", tmp_path / "notes", "-n", "40", "--seconds", "0.1")
    assert (said.status, said.err[-1]) == (130, "antiphon: stopped")
    found = list((tmp_path / "notes").iterdir())
    assert 0 < len(found) < 40
    assert all(len(read_audio(path)) for path in found)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
def test_the_processes_of_a_pool_end_with_one_that_is_killed():
    code = """
import os, signal
from antiphon.core.parallel import started_pool
with started_pool(2) as pool:
    print(*{pool.submit(os.getpid).result() for _ in range(20)}, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    first = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    left = {int(number) for number in first.stdout.readline().split()}
    first.wait()
    assert left
    until = time.monotonic() + 10
    while (left := {number for number in left if Path(f"/proc/{number}").exists()}) and time.monotonic() < until:
        time.sleep(0.05)
    assert not left


@pytest.mark.skipif(sys.platform != "linux", reason="only there it is known how Python starts it")
def test_a_terminal_that_closes_leaves_the_process_that_clears_up():
    """It would be missed, in five lines, when shared memory is given back."""
    code = (
        "import os, signal, time; from multiprocessing import resource_tracker as r, shared_memory as s\n"
        "from antiphon.core.parallel import start_resource_tracker\n"
        "start_resource_tracker(); memory = s.SharedMemory(create=True, size=8)\n"
        "os.kill(r._resource_tracker._pid, signal.SIGHUP); time.sleep(0.3); memory.close(); memory.unlink()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
