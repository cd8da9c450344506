"""What moves while work goes on: one bar, for verbs and for training."""

from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console

from antiphon.core import bar
from antiphon.training.reports.progress import Progress
from antiphon.verbs.report import Report


@pytest.fixture
def screen(monkeypatch):
    """What a terminal is sent."""
    sent = io.StringIO()
    monkeypatch.setattr("rich.console.Console", lambda **_: Console(file=sent, force_terminal=True, width=120))
    return sent


def test_a_verb_shows_how_far_it_has_come(screen):
    with Report().bar("measuring") as advance:
        advance(3, 7)
    seen = screen.getvalue()
    assert all(word in seen for word in ("measuring", "3/7"))


def test_training_shows_steps_and_losses(screen):
    with Progress(5, 20, shown={"sound": "log"}) as progress:
        progress.update(6, 20, {"log": 0.25}, skipped=2, health="[healthy]")
        progress.say("[step 6] all is well")
    seen = screen.getvalue()
    assert all(word in seen for word in ("training", "6/20", "sound 0.250", "skipped 2", "[healthy]", "[step 6] all"))


def test_what_is_not_a_terminal_gets_no_bar(capsys):
    assert bar.open_bar("measuring") is None
    with Report().bar("measuring") as advance:
        advance(3, 7)
    with Progress(99, 200, shown={"sound": "log"}) as progress:
        progress.update(100, 200, {"log": 0.25}, skipped=0)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("quiet", [True, False])
def test_without_rich_or_if_quiet_nothing_is_drawn(screen, monkeypatch, quiet):
    if not quiet:
        monkeypatch.setitem(sys.modules, "rich.console", None)
    with Report(quiet).bar("measuring") as advance, Progress(0, 1, quiet) as progress:
        advance(1, 1)
        progress.update(1, 1, {}, 0)
    assert screen.getvalue() == ""
