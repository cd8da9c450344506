"""How a run monitors itself: every sign on a series where it is known, and the interventions."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import TINY

import antiphon
from antiphon.core.errors import AntiphonError
from antiphon.training.augment import MOST
from antiphon.training.games.sounds import Summary
from antiphon.training.health import monitor as watch
from antiphon.training.health.diagnostics import OVERFIT, SURE, WON_LONG, YOUNG, Finding, is_healthy, overfitting, signs
from antiphon.training.health.findings import beliefs, energy_distance, nearest, spread
from antiphon.training.health.interventions import (
    DOUBT,
    HEART,
    R1_FIRST,
    R1_MOST,
    RELAXED,
    RETURNS,
    SLOWER,
    Dials,
    Interventions,
    chosen,
)
from antiphon.training.loop import Run
from antiphon.training.losses.adversarial import rule_called, rules
from antiphon.training.reports import progress
from antiphon.training.reports.page import Outlook, write_page
from antiphon.voices.checkpoint import read_metadata, read_tensors

WELL = Finding(
    0, real=0.7, held_out=0.68, generated=0.35, certainty=0.35, logit_real=0.8, logit_held_out=0.75,
    logit_generated=-0.6, spread=0.9, distance=0.3, copies=0.05, loudness=0.0, offset=0.01, critic=1.0,
    adversarial=1.0, critic_norm=2.0, generator_norm=3.0,
)  # fmt: skip


def findings(count: int = 30, noise: float = 0.02, **of) -> list[Finding]:
    """A healthy run that improves, except for what `of` overrides: numbers, or functions of the finding's index."""
    rng = np.random.default_rng(0)
    found, of = [], {"distance": lambda i: 3 / (i + 2)} | of
    for i in range(count):
        changes = {name: value(i) if callable(value) else value for name, value in of.items()}
        one = replace(WELL, step=50 * (i + 1), **changes)
        found.append(replace(one, logit_real=one.logit_real + noise * rng.standard_normal()))
    return found


def names(found: list[Finding]) -> set[str]:
    return {sign.name for sign in signs(found)}


def after(when: int, then: float, before: float):
    return lambda i: then if i >= when else before


# ---- signs ---------------------------------------------------------------------------------------


def test_a_run_that_is_well_has_none():
    improving = findings(60, distance=lambda i: 2 / (i + 1) ** 0.5)
    assert not any(signs(improving[: i + 1]) for i in range(60))
    assert signs([]) == []


@pytest.mark.parametrize(
    ("name", "grave", "of"),
    [
        ("diverging", True, {"broken": after(29, 0.4, 0.0)}),
        ("diverging", True, {"generator_norm": after(29, 400.0, 3.0)}),
        ("diverging", True, {"critic_norm": after(29, 1e6, 2.0)}),
        ("diverging", True, {"distance": after(25, 2.5, 0.3)}),
        ("collapsed", True, {"spread": after(25, 0.1, 0.9)}),
        ("alike", False, {"spread": 0.1}),
        ("silent", True, {"loudness": after(26, -80.0, 0.0)}),
        ("loud", True, {"loudness": after(26, 40.0, 0.0)}),
        ("swinging", True, {"loudness": lambda i: 30.0 * (-1) ** i}),
        ("offset", False, {"offset": after(26, 0.9, 0.0)}),
        ("memorising", False, {"logit_held_out": -0.4}),
        ("copying", False, {"copies": after(20, 0.9, 0.0)}),
        ("sure", False, {"certainty": 0.95}),
        ("beaten", True, {"certainty": 0.995, "adversarial": lambda i: 0.1 * i}),
        ("beaten", False, {"certainty": 0.995, "adversarial": lambda i: 9 - 0.1 * i}),
    ],
)
def test_each_sign_is_seen(name, grave, of):
    found = {sign.name: sign for sign in signs(findings(30, **of))}
    assert name in found
    assert found[name].grave is grave
    assert len(found[name].words) > 20


@pytest.mark.parametrize("usual", [0.02, 3.0, 500.0])
def test_an_explosion_is_told_by_multiples_of_what_is_usual(usual):
    """Whatever the scale of a run's gradients is."""
    assert "diverging" in names(findings(30, generator_norm=after(29, 40 * usual, usual)))
    assert "diverging" not in names(findings(30, generator_norm=after(29, 20 * usual, usual)))


def test_a_young_run_may_be_alike_and_the_critic_may_win_for_a_while():
    assert names(findings(YOUNG - 1, spread=0.1)) == set()
    short = signs(findings(WON_LONG - 1, certainty=0.995, adversarial=lambda i: i))
    assert not any(sign.grave for sign in short)


def test_what_swung_before_the_run_went_back_is_not_held_against_it():
    swinging = findings(30, loudness=lambda i: 30.0 * (-1) ** i)
    again = [replace(one, attempt=1) if i >= 26 else one for i, one in enumerate(swinging)]
    assert "swinging" not in names(again)
    assert "swinging" in names([replace(one, attempt=1) for one in swinging])


def test_a_climb_is_no_swing_and_an_outlier_no_departure():
    """Young runs do both: each sent healthy ones back to the beginning, before the signs distinguished them."""
    climb = [-14, -16, -10, -14, 10, 29, 31, 24]  # dB of standard deviation: 21
    assert names(findings(8, loudness=lambda i: climb[i])) == set()
    outlier = {"distance": lambda i: 1.5 if i == 19 else 3 / (i + 10)}
    assert not any(names(findings(count, **outlier)) for count in range(15, 26))


def test_a_critic_whose_outputs_have_no_unit_may_always_win_and_grow():
    growing = {"generator_norm": lambda i: 3.0 * 1.5**i, "critic_norm": lambda i: 1.5**i}
    scores = {"logit_real": lambda i: 1.5**i, "logit_held_out": lambda i: 1.5**i, "logit_generated": 0.0}
    scores["certainty"] = math.nan
    assert names(findings(30, adversarial=lambda i: i, **growing, **scores)) == set()
    assert "diverging" in names(findings(30, generator_norm=after(29, 400.0, 3.0), certainty=math.nan))


def test_a_run_has_settled_when_it_is_no_nearer():
    rng = np.random.default_rng(1)

    def noisy(level):
        return lambda i: level(i) + 0.03 * rng.standard_normal()

    assert "settled" in names(findings(120, distance=noisy(lambda i: 0.3 + math.exp(-i / 8))))
    assert "settled" not in names(findings(120, distance=noisy(lambda i: 2 - i / 80)))
    assert "settled" not in names(findings(10, distance=0.3))
    imitating = {"distance": noisy(lambda i: 0.3), "log": noisy(lambda i: 2 - i / 80)}
    assert "settled" not in names(findings(120, **imitating))


def test_a_run_of_ten_minutes_can_say_that_it_has_settled():
    """1,000 steps, a look every 50: imitations that do not improve, or a distribution that comes no nearer."""
    said = {"of imitations": 0, "of a crowd": 0}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        crowd = {"distance": lambda i, d=rng: (0.3 + math.exp(-i)) * math.exp(0.15 * d.standard_normal())}
        rough = {"distance": lambda i, d=rng: 0.2 * math.exp(0.5 * d.standard_normal())}
        rough |= {"log": lambda i, d=rng: (0.3 + math.exp(-i)) * (1 + 0.03 * d.standard_normal())}
        said["of a crowd"] += any("settled" in names(findings(n, **crowd)) for n in (18, 19, 20))
        said["of imitations"] += any("settled" in names(findings(n, **rough)) for n in (18, 19, 20))
    assert min(said.values()) >= 5


@pytest.mark.parametrize("fall", [0.5, 0.7])
def test_noise_does_not_tell_an_improving_run_to_stop(fall):
    """Findings from few sounds vary by half; a run that still halves its distance must not be warned."""
    false = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        found = findings(40, distance=lambda i, d=rng: 2 * (i + 1) ** -fall * math.exp(0.5 * d.standard_normal()))
        false += any("settled" in names(found[:n]) for n in range(15, 41))
    assert false <= 2


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_overfitting_is_the_share_of_what_is_known_by_heart(share):
    """r_v = (E train - E held out) / (E train - E generated)"""
    found = findings(10, logit_held_out=0.8 - share * (0.8 + 0.6))
    assert overfitting(found) == pytest.approx(share, abs=0.03)


def test_memorising_is_said_only_of_sounds_held_out():
    sure = {"real": 0.95, "certainty": 0.95}
    unseen = {"logit_held_out": math.nan, "held_out": math.nan}
    assert "memorising" in names(findings(logit_held_out=-0.4, **sure))
    assert names(findings(**sure, **unseen)) == {"sure"}
    words = [a.words for a in decide(answers("augment"), findings(**sure, **unseen))]
    assert "the critic is very sure of your 12 minutes; augmenting at 0.05" in words
    assert not any("memorised" in said or "by heart" in said for said in words)


def test_overfitting_needs_evidence():
    unsure = findings(10, noise=2.0, logit_held_out=0.2)
    assert overfitting(unsure) == 0.0
    assert overfitting(findings(3, logit_held_out=-0.6)) == 0.0
    alone = findings(10, logit_held_out=math.nan, held_out=math.nan, real=0.95)
    assert overfitting(alone) == pytest.approx(0.9)  # r_t, without held-out sounds


def test_a_state_worth_going_back_to():
    assert is_healthy(WELL)
    assert is_healthy(Finding(0))  # what could not be measured is not a sign
    assert not any(is_healthy(replace(WELL, **of)) for of in ({"spread": 0.1}, {"loudness": -60.0}, {"loudness": 40.0}))


# ---- measures ------------------------------------------------------------------------------------


def believed(name, *logits):
    return beliefs(rule_called(name), *logits)


def test_what_the_critic_believes():
    real, fake, unseen = torch.full((8,), 9.0), torch.full((8,), -9.0), torch.zeros(8)
    found = believed("non-saturating", real, fake, unseen)
    assert found["certainty"] == pytest.approx(1, abs=1e-3)
    assert found["held_out"] == pytest.approx(0.5)
    assert believed("lsgan", torch.full((4,), 0.55), torch.full((4,), 0.45))["certainty"] == pytest.approx(0.1)
    assert believed("hinge", torch.full((4,), 0.8), torch.full((4,), -0.8))["certainty"] == pytest.approx(0.8)
    place = 100 * torch.arange(8)
    for rule in ("relativistic", "wasserstein"):  # only differences count, of sounds in the same place
        assert believed(rule, real + place, fake + place)["real"] == pytest.approx(1, abs=1e-3)
        assert believed(rule, real, real)["real"] == pytest.approx(0.5)
    assert believed("relativistic", real + place, fake + place)["certainty"] == pytest.approx(1, abs=1e-3)
    assert math.isnan(believed("wasserstein", real, fake)["certainty"])
    assert believed("minimax", fake, real)["certainty"] == 0


@pytest.mark.parametrize("name", rules())
def test_every_rule_says_how_its_critic_is_read(name):
    """0..1, larger for a larger logit, and not certain if both look alike."""
    rule, low, high = rules()[name], torch.full((4,), -3.0), torch.full((4,), 3.0)
    for logits in (low, high):
        assert bool(((rule.belief(logits) >= 0) & (rule.belief(logits) <= 1)).all())
    assert rule.belief(high).mean() > rule.belief(low).mean()
    assert beliefs(rule, high, low)["real"] > beliefs(rule, low, high)["real"]
    assert rule.in_doubt == math.isfinite(beliefs(rule, high, low)["certainty"])
    if rule.in_doubt:
        assert beliefs(rule, high, high)["certainty"] == 0


def test_distributions_that_agree_differ_shrink_and_copy():
    rng = torch.Generator().manual_seed(0)
    real, other = (torch.randn(400, 8, generator=rng) for _ in range(2))
    assert abs(energy_distance(other, real)) < 0.03
    shifts = [energy_distance(other + by, real) for by in (0.5, 1.0, 2.0)]
    assert shifts == sorted(shifts)
    assert shifts[0] > 0.05
    assert float(spread(0.1 * other) / spread(real)) == pytest.approx(0.1, rel=0.05)
    close = float(nearest(other, real).quantile(0.05))
    assert float((nearest(real[:50] + 1e-3, real) < close).float().mean()) == 1


def test_the_summary_hears_waveforms_and_sees_images():
    audio = torch.randn(3, 8192, generator=torch.Generator().manual_seed(0))
    summary = Summary()
    assert summary(audio).shape == summary(torch.rand(3, 2, 64, 50)).shape == (3, 320)
    assert torch.allclose(summary(audio), summary(audio.unsqueeze(1)))
    assert torch.allclose(summary(audio)[:1], summary(audio[:1]), atol=1e-5)


# ---- answers -------------------------------------------------------------------------------------


def answers(*kinds: str, in_doubt: bool = True) -> Interventions:
    return Interventions(kinds or chosen("all"), in_doubt, "12 minutes")


def decide(given: Interventions, found: list[Finding]):
    return given.decide(found, signs(found))


def test_the_dials_of_a_healthy_run_stay_at_rest():
    given = answers()
    assert [decide(given, findings(i)) for i in range(1, 40)] == [[]] * 39
    assert given.dials == Dials()


def test_r1_is_looked_for_until_the_critic_is_in_doubt():
    given = answers("r1")
    said = decide(given, findings(certainty=0.95))
    assert given.dials.r1 == R1_FIRST
    assert "too sure" in said[0].words
    for _ in range(30):
        decide(given, findings(certainty=0.95))
    assert given.dials.r1 == R1_MOST
    decide(given, findings(certainty=(DOUBT + SURE) / 2))
    assert given.dials.r1 == R1_MOST
    for _ in range(30):
        decide(given, findings(certainty=0.6))
    assert given.dials == Dials()
    wasserstein = answers("r1", in_doubt=rule_called("wasserstein").in_doubt)
    decide(wasserstein, findings(certainty=0.95))
    assert wasserstein.dials == Dials()


def test_augmentation_follows_the_overfitting_and_stays_below_what_leaks():
    given = answers("augment")
    overfitted = findings(logit_held_out=0.8 - 1.4 * (OVERFIT + 0.2))
    words = [a.words for _ in range(30) for a in decide(given, overfitted) if a.kind == "augment" and a.words]
    assert given.dials.augment == MOST
    assert "the critic has memorised your 12 minutes; augmenting at 0.4" in words
    assert len(words) <= 6
    decide(given, findings(logit_held_out=0.8 - 1.4 * (RELAXED + HEART) / 2))
    assert given.dials.augment == MOST
    for _ in range(30):
        decide(given, findings())
    assert given.dials.augment == 0


def test_a_grave_sign_asks_to_go_back_slower_and_not_for_ever():
    given, gone = answers("return"), findings(broken=after(29, 0.5, 0.0))
    for times in range(1, RETURNS + 1):
        (answer,) = decide(given, gone)
        assert answer.kind == "return"
        assert given.dials.rate == pytest.approx(SLOWER**times)
    assert [a.kind for a in decide(given, gone)] == ["told"]
    assert decide(given, gone) == []


def test_other_signs_are_told_once():
    given = answers()
    assert [a.kind for a in decide(given, findings(copies=0.9))] == ["told"]
    assert decide(given, findings(copies=0.9)) == []


def test_what_answers_may_be_asked_for():
    assert chosen("none") == ()
    assert chosen("r1, augment") == ("r1", "augment")
    with pytest.raises(AntiphonError, match="use all, none, or some of"):
        chosen("more")


def test_answers_go_on_where_they_were():
    given, other = answers(), answers()
    decide(given, findings(certainty=0.95, copies=0.9))
    other.load(json.loads(json.dumps(given.state())))
    assert (other.dials, other.told, other.returns) == (given.dials, given.told, given.returns)
    with pytest.raises(AntiphonError, match="damaged"):
        other.load({"dials": 3})


# ---- in a run ------------------------------------------------------------------------------------

OFTEN = TINY | {"health": 2, "rehearsal": 0.0}


def train(source, out, **how):
    options = {"size": "tiny", "settings": OFTEN, "from_scratch": True, "threads": 1, "quiet": True, "steps": 8}
    return antiphon.train(source, out, **(options | how))


def rows(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def looked(prepared, tmp_path_factory):
    """A run that looked at itself, with two lines in its log."""
    folder = tmp_path_factory.mktemp("looked")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "EVERY", 4)
        train(prepared, folder, settings=OFTEN | {"health": 4})
    return folder


def test_a_run_looks_at_itself_logs_it_and_draws_a_page(looked):
    seen = next(row for row in rows(looked)[::-1] if "said" not in row)
    assert {"health.real", "health.certainty", "health.spread", "health.loudness", "answer.rate"} <= seen.keys()
    assert 0 <= seen["health.certainty"] <= 1
    page = (looked / "page.html").read_text()
    assert "Is this normal?" in page
    assert page.count("<polyline") >= 8
    assert "data:image/png;base64," in page
    assert "http://" not in page.replace("http-equiv", "")


def test_looking_changes_nothing(prepared, tmp_path):
    """The same bytes with and without, as long as no sign calls for an intervention."""
    seen = train(prepared, tmp_path / "seen", settings=OFTEN | {"answers": "none"}, steps=4)
    unseen = train(prepared, tmp_path / "unseen", settings=OFTEN | {"health": 0}, steps=4)
    assert seen.read_bytes() == unseen.read_bytes()
    assert not (tmp_path / "unseen" / "healthy.safetensors").exists()


def test_stopped_and_gone_on_with_it_finds_the_same(prepared, tmp_path, monkeypatch):
    dials = Dials(1.0, 0.5, 0.4)
    monkeypatch.setattr(Interventions, "decide", lambda self, found, _: setattr(self, "dials", dials) or [])
    train(prepared, tmp_path / "whole", steps=6)
    one_step = Run._one_step

    def stopping(run):
        scalars = one_step(run)
        if run.step in (3, 4):
            raise KeyboardInterrupt(run.save())
        return scalars

    monkeypatch.setattr(Run, "_one_step", stopping)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train(prepared, tmp_path / "run", steps=6)
    monkeypatch.setattr(Run, "_one_step", one_step)
    train(prepared, tmp_path / "run", steps=6)
    (state, meta), (other, expected) = (read_tensors(tmp_path / n / "state.safetensors") for n in ("run", "whole"))
    assert all(torch.equal(state[k], other[k]) for k in other)
    assert meta["watch"] == expected["watch"]
    assert meta["watch"]["answers"]["dials"] == {"rate": 1.0, "r1": 0.5, "augment": 0.4}
    assert len(meta["watch"]["health"]["findings"]) == 3


@pytest.mark.parametrize("recipe", ["instrument", "dcgan", "wavegan"])
def test_the_dials_reach_the_game(prepared, tmp_path, monkeypatch, recipe):
    settings = (OFTEN if recipe == "instrument" else {}) | {"health": 1, "batch": 4}
    how = {"recipe": recipe, "settings": settings, "steps": 2}  # the second with the dials
    monkeypatch.setattr(Run, "_preview_if_due", lambda run, bar: None)
    weights = {}
    for name, dials in {"rest": Dials(), "r1": Dials(r1=1.0), "augment": Dials(augment=0.8)}.items():
        monkeypatch.setattr(Interventions, "decide", lambda self, found, _, d=dials: setattr(self, "dials", d) or [])
        train(prepared, tmp_path / name, **how)
        weights[name] = read_tensors(tmp_path / name / "state.safetensors")[0]
    critic = next(k for k in weights["rest"] if k.startswith("game.critics.") and k.endswith("weight"))
    for name in ("r1", "augment"):
        assert torch.isfinite(weights[name][critic]).all()
        assert not torch.equal(weights[name][critic], weights["rest"][critic])


def test_a_run_that_comes_apart_goes_back_and_on_slower(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "REMEMBER", 1)
    wild = {"game.learning_rate": 1.0, "game.critic_rate": 1.0, "health": 2, "cool_down": 0.0}
    train(prepared, tmp_path / "run", steps=24, settings=OFTEN | wild)
    words = [row["said"] for row in rows(tmp_path / "run") if "said" in row]
    assert any("going back to the last good state" in said for said in words)
    assert "going back" in (tmp_path / "run" / "page.html").read_text()
    kept = read_metadata(tmp_path / "run" / "state.safetensors")["watch"]
    assert kept["answers"]["dials"]["rate"] < 1
    assert kept["remembered"] % 2 == 0
    assert kept["health"]["attempt"] == kept["answers"]["returns"]  # each attempt is judged anew
    antiphon.load(tmp_path / "run")


def test_a_state_kept_as_healthy_gets_its_name_after_a_kill(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "is_healthy", lambda finding: True)
    monkeypatch.setattr(watch, "REMEMBER", 2)
    train(prepared, tmp_path / "run", steps=4)
    healthy, state = tmp_path / "run" / "healthy.safetensors", tmp_path / "run" / "state.safetensors"
    assert read_metadata(healthy)["step"] == read_metadata(state)["watch"]["remembered"] == 4
    healthy.unlink()
    train(prepared, tmp_path / "run", steps=5)
    assert read_metadata(healthy)["step"] == 4


def test_unknown_answers_are_refused_before_training(prepared, tmp_path):
    with pytest.raises(AntiphonError, match="answers=some cannot work"):
        train(prepared, tmp_path / "run", settings=OFTEN | {"answers": "some"})
    assert not (tmp_path / "run").exists()


# ---- the page ------------------------------------------------------------------------------------


def normal(folder):
    """The page's answer to "is this normal?", after three findings."""
    return write_page(folder, Outlook(3)).read_text(encoding="utf-8").split("Is this normal?</b>")[1].split("</p>")[0]


def test_a_page_without_a_log(tmp_path):
    page = write_page(tmp_path, Outlook(0, "It has not been checked yet.")).read_text()
    assert "0 steps" in page
    assert "Nothing unusual" not in page
    assert "It has not been checked yet." in page


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"settings": OFTEN | {"health": 50}, "steps": 1}, "health has not been checked yet: it is every 50 steps."),
        ({"settings": OFTEN | {"health": 0}, "steps": 1}, "health is not checked, because health=0."),
        ({"settings": OFTEN, "steps": 4}, "Nothing unusual in 2 checks."),
        ({"recipe": "vocoder", "settings": {"batch": 2}, "steps": 1}, "health is not checked: its recipe imitates"),
    ],
)
def test_the_page_says_what_has_been_looked_at(prepared, tmp_path, how, words):
    train(prepared, tmp_path / "run", **how)
    page = (tmp_path / "run" / "page.html").read_text()
    assert words in page
    assert ("Nothing unusual" in page) == ("Nothing unusual" in words)


def test_held_out_sounds_are_asked_about_whatever_their_split(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "EVERY", 2)
    train(prepared, tmp_path / "few", steps=2)  # two are held out, as a block
    assert not any("health.held_out" in row for row in rows(tmp_path / "few"))
    assert "cannot be told: fewer than 4 are held out" in (tmp_path / "few" / "page.html").read_text()
    monkeypatch.setattr(watch, "ENOUGH", 2)
    train(prepared, tmp_path / "block", steps=2)
    assert any("health.held_out" in row for row in rows(tmp_path / "block"))
    assert "cannot be told" not in (tmp_path / "block" / "page.html").read_text()


def test_the_constant_in_what_is_played_is_in_log_and_page(looked):
    assert any("health.offset" in row for row in rows(looked))
    assert "Constant offset of generated sounds (DC)" in (looked / "page.html").read_text()


def test_a_page_costs_no_run(tmp_path):
    nameless = tmp_path / os.fsdecode(b"caf\xe9 \xff")
    nameless.mkdir()
    assert "3 checks" in normal(nameless)
    assert [path.name for path in nameless.iterdir()] == ["page.html"]
    blocked = tmp_path / "blocked"
    (blocked / "page.html").mkdir(parents=True)
    write_page(blocked, Outlook(3))
    assert [path.name for path in blocked.iterdir()] == ["page.html"]
    write_page(tmp_path / "nowhere", Outlook(3))


def test_the_page_shows_the_newest_sheet(tmp_path):
    for part, end in (("sheets", "png"), ("sounds", "wav")):
        (tmp_path / part).mkdir()
        for step in (999_999, 1_000_000):
            (tmp_path / part / f"step-{step:06d}.{end}").write_bytes(b"x")
    page = write_page(tmp_path, Outlook(3)).read_text()
    assert 'alt="step-1000000"' in page
    assert 'src="sounds/step-1000000.wav"' in page
