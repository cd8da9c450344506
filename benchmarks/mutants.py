"""Plant faults in the method, one at a time: do the tests see them?

    python benchmarks/mutants.py [--only N ...] [--list] [--trust] [--out out/mutants.json]

Each fault is one line that could have been written so by mistake, and would be heard by nobody for a long time. It is
planted in a copy of the tree, in whichever file its line stands (exactly one must have it), and the tests that should
see it are run there: they must pass without the fault and fail with it. Prints a table, and how many were caught; exits
with 1 if one was missed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 600  # seconds for the tests of one fault
PASSED, FAILED = 0, 1  # pytest's exit status; any other means that it could not run them


@dataclass(frozen=True)
class Mutant:
    """old becomes new, both one line or a part of one; tests: what pytest is asked for, words of -k behind `-k`."""

    area: str
    fault: str
    old: str
    new: str
    tests: str


MUTANTS = (
    Mutant(
        "data",
        "style is mostly heard in the very note that is copied",
        "if rng.random() < self.same_note else",
        "if rng.random() > self.same_note else",
        "tests/test_method.py -k references",
    ),
    Mutant(
        "training",
        "the average forgets nearly all at every step",
        "mine.lerp_(theirs, 1 - keep)",
        "mine.lerp_(theirs, keep)",
        "tests/test_method.py -k average",
    ),
    Mutant(
        "training",
        "processes add their gradients in place of averaging them",
        "flat /= dist.get_world_size()",
        "flat /= 1",
        "tests/test_method.py -k halves",
    ),
    Mutant(
        "voice",
        "the mapping is not conditioned on style words",
        "hot[row] = torch.tensor([float(word in words) for word in self.styles])",
        "hot[row] = torch.tensor([0.0 for word in self.styles])",
        "tests/test_method.py -k style",
    ),
    Mutant(
        "generator",
        "the trunk does not know how hard a note is played",
        "self.conditioner(torch.cat([w, pitch_features(pitch), v, v * v], -1))",
        "self.conditioner(torch.cat([w, pitch_features(pitch), 0 * v, 0 * v], -1))",
        "tests/test_networks.py",
    ),
    Mutant(
        "generator",
        "the trunk knows when a note will be released while it is held",
        "length = torch.log1p(torch.where(released > 0, held, t) / 0.05).unsqueeze(-1) / 3",
        "length = torch.log1p(held.clamp(max=1e3) / 0.05).unsqueeze(-1) / 3",
        "tests/test_networks.py",
    ),
    Mutant(
        "partials",
        "a stiff string's partials are stretched by k, not by its square",
        "return k * torch.sqrt((1 + stretch * k * k) / (1 + stretch))",
        "return k * torch.sqrt((1 + stretch * k) / (1 + stretch))",
        "tests/test_networks.py -k physics",
    ),
    Mutant(
        "partials",
        "the louder an ensemble's copies, the louder the partial",
        "return (1 - share.square()).clamp_min(1e-4).sqrt() + share * unison",
        "return 1 + share * unison",
        "tests/test_oscillators.py -k ensemble",
    ),
    Mutant(
        "oscillators",
        "a glide's phase is off by what a block leaves out",
        "TURN = GLIDE / HOP - HOP / 12",
        "TURN = -HOP / 12",
        "tests/test_oscillators.py",
    ),
    Mutant(
        "noise",
        "noise is 3 dB too loud",
        "generator=generator)) * math.sqrt(window / 2)",
        "generator=generator)) * math.sqrt(window)",
        "tests/test_oscillators.py -k noise",
    ),
    Mutant(
        "encoder",
        "the encoder is given every note as held for ever",
        "gate = (frames < release.unsqueeze(-1)).float().unsqueeze(1)",
        "gate = (frames < torch.inf * release.unsqueeze(-1)).float().unsqueeze(1)",
        "tests/test_networks.py",
    ),
    Mutant(
        "data",
        "a flat in a file's name is read as a sharp",
        "shift = -1 if alter else 0",
        "shift = 1 if alter else 0",
        "tests/test_labels.py",
    ),
    Mutant(
        "data",
        "an excerpt that was moved up says it was moved down",
        "pitch = d.pitch[note] + semitones",
        "pitch = d.pitch[note] - semitones",
        "tests/test_transpose.py",
    ),
    Mutant(
        "data",
        "vibrato is measured half as deep as it is",
        'depth = 2 * np.abs(np.convolve(carrier, np.full(span, 1 / span), "same"))',
        'depth = np.abs(np.convolve(carrier, np.full(span, 1 / span), "same"))',
        "tests/test_analysis.py -k vibrato",
    ),
    Mutant(
        "data",
        "a transposed note is released as late as the recorded one",
        "torch.where(hold < 0, torch.inf, torch.floor(hold / playback_rate(semitones)))",
        "torch.where(hold < 0, torch.inf, torch.floor(hold / playback_rate(0 * semitones)))",
        "tests/test_transpose.py",
    ),
    Mutant(
        "losses",
        "the relativistic generator wants to be found out",
        "return F.softplus(real - fake).mean()",
        "return F.softplus(fake - real).mean()",
        "tests/test_losses.py -k 'closed_forms or own_way'",
    ),
    Mutant(
        "losses",
        "a loud sound of a batch outweighs the soft ones",
        "linears.append(((f - r).abs().sum((1, 2)) / (r.sum((1, 2)) + 1.0)).mean())",
        "linears.append((f - r).abs().sum() / (r.sum() + 1.0))",
        "tests/test_losses.py",
    ),
    Mutant(
        "losses",
        "features of the real sound are moved towards the imitation's",
        "(f.float() - r.detach().float()).abs().mean()",
        "(f.float() - r.float()).abs().mean()",
        "tests/test_losses.py",
    ),
    Mutant(
        "losses",
        "drift is taught with the recording's mistuning in it",
        "measured = (batch.cents - batch.tuning.cents.unsqueeze(-1)).clamp(-100, 100)",
        "measured = batch.cents.clamp(-100, 100)",
        "tests/test_losses.py",
    ),
    Mutant(
        "losses",
        "partials are compared before the window has reached the note",
        "weight = (target + FLOOR).sqrt() * heard",
        "weight = (target + FLOOR).sqrt()",
        "tests/test_losses.py",
    ),
    Mutant(
        "games",
        "the critics' update never happens",
        'return real, log | {"critic_norm": self.update("critics", loss + penalty)}',
        'return real, log | {"critic_norm": loss + penalty}',
        "tests/test_games.py",
    ),
    Mutant(
        "games",
        "the mapping never learns how its sounds are judged",
        "batch, real, show(fake), show(imagined), some)",
        "batch, real, show(fake), show(imagined.detach()), some)",
        "tests/test_games.py",
    ),
    Mutant(
        "games",
        "the adversary has its full weight from the first step",
        "(ramp if k in self.RISING else 1.0)",
        "1.0",
        "tests/test_games.py",
    ),
    Mutant(
        "games",
        "R1 is taken at generated sounds",
        "slope(s.score, s.real) for s in seen",
        "slope(s.score, s.generated) for s in seen",
        "tests/test_adversary.py -k r1_looks",
    ),
    Mutant(
        "games",
        "the mapping follows its critic the wrong way",
        "loss = RULE.generator(self.critic(real, instrument, style), self.critic(fake, instrument, style))",
        "loss = RULE.generator(self.critic(fake, instrument, style), self.critic(real, instrument, style))",
        "tests/test_games.py",
    ),
    Mutant(
        "games",
        "the bank of styles overwrites what it has just remembered",
        "at = (step * count + torch.arange(count, device=w.device)) % self.size",
        "at = (step + torch.arange(count, device=w.device)) % self.size",
        "tests/test_games.py",
    ),
    Mutant(
        "training",
        "the learning rate never falls",
        "return up * min(max(left, 0.02), 1.0)",
        "return up",
        "tests/test_games.py",
    ),
    Mutant(
        "training",
        "all processes draw the same random numbers",
        "seed = (self.recipe.seed * 1_000_003 + self.step) * 64 + self.rank",
        "seed = (self.recipe.seed * 1_000_003 + self.step) * 64",
        "tests/test_games.py",
    ),
    Mutant(
        "resume",
        "a run that goes on has forgotten the styles it had heard",
        'self.register_buffer("bank_w", torch.zeros(size, style))',
        'self.register_buffer("bank_w", torch.zeros(size, style), persistent=False)',
        "tests/test_games.py -k 'goes_on and instrument'",
    ),
    Mutant(
        "resume",
        "a step's random numbers depend on when the run was started",
        "rng = torch.Generator().manual_seed(seed)",
        "rng = torch.Generator().manual_seed(seed + int(time.monotonic() * 1e6))",
        "tests/test_training.py -k same_seed",
    ),
    Mutant(
        "health",
        "an explosion is measured from the usual norm up, not in multiples of it",
        "now > EXPLODED * np.median(before)",
        "now > EXPLODED + np.median(before)",
        "tests/test_health.py -k 'sign or explosion'",
    ),
    Mutant(
        "metrics",
        "the Frechet distance of few rows divides by n, not by n - 1",
        "np.sqrt(len(rows) - 1)",
        "np.sqrt(len(rows))",
        "tests/test_measures.py -k frechet",
    ),
    Mutant(
        "metrics",
        "the kernel distance counts each row's likeness to itself",
        "a = (within_a.sum() - np.trace(within_a)) / (n * (n - 1))",
        "a = within_a.mean()",
        "tests/test_measures.py -k kernel",
    ),
    Mutant(
        "metrics",
        "balls reach to the neighbour after the k-th",
        "return np.partition(squared, k - 1, axis=1)[:, k - 1]",
        "return np.partition(squared, k, axis=1)[:, k]",
        "tests/test_measures.py -k prdc",
    ),
    Mutant(
        "music",
        "a faster tempo makes a song slower",
        "step = file.tick * first / 500_000",
        "step = file.tick * 500_000 / first",
        "tests/test_midi.py -k tempo",
    ),
    Mutant(
        "music",
        "a pedal that is half down does not hold",
        "self._pedals(now, value >= 64, self.sostenuto)",
        "self._pedals(now, value > 64, self.sostenuto)",
        "tests/test_midi.py tests/test_songs_features.py -k 'pedal or sustain'",
    ),
    Mutant(
        "music",
        "hard right is not quite there",
        "(value - 64) / 63",
        "(value - 64) / 64",
        "tests/test_midi.py tests/test_songs_features.py -k pan",
    ),
    Mutant(
        "music",
        "drums are looked for on channel 11",
        "DRUM_CHANNEL = 9",
        "DRUM_CHANNEL = 10",
        "tests/test_midi.py tests/test_songs_features.py -k 'drum or channel'",
    ),
    Mutant(
        "voice",
        "every seed imagines the same",
        "rng = np.random.default_rng((zlib.crc32(instrument.encode()), seed & 0xFFFFFFFF))",
        "rng = np.random.default_rng((zlib.crc32(instrument.encode()), 0 & seed))",
        "tests/test_voices.py -k 'instrument and (seed or imagines)'",
    ),
    Mutant(
        "voice",
        "variation changes nothing",
        "return slerp(self.typical(instrument, style), self._styles[key], variation)",
        "return self._styles[key]",
        "tests/test_voices.py -k 'instrument and variation'",
    ),
    Mutant(
        "voice",
        "a batch's notes are handed back in the order in which they were played",
        "for i, sound in zip(batch, made, strict=True):",
        "for i, sound in zip(sorted(batch), made, strict=True):",
        "tests/test_voices.py -k 'instrument and alone'",
    ),
    Mutant(
        "checkpoint",
        "what is no weight is halved too",
        "tensors = {k: v.half() if k in weights else v for k, v in model.state_dict().items()}",
        "tensors = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}",
        "tests/test_voices.py -k written",
    ),
    Mutant(
        "soundfont",
        "a zone answers to all keys of its preset or of its sample",
        "low=max(low for low, _ in keys)",
        "low=min(low for low, _ in keys)",
        "tests/test_soundfont.py -k tables",
    ),
    Mutant(
        "png",
        "red and blue are exchanged",
        "np.array([1 << 16, 1 << 8, 1], np.uint32)",
        "np.array([1, 1 << 8, 1 << 16], np.uint32)",
        "tests/test_measures.py -k png",
    ),
)


# ---- planting --------------------------------------------------------------------------------------------------------


def home(mutant: Mutant, tree: Path) -> Path:
    """The one file of the package that has the fault's line. Raises SystemExit if there is none or several."""
    found = [path for path in sorted((tree / "antiphon").rglob("*.py")) if mutant.old in path.read_text()]
    hits = sum(path.read_text().count(mutant.old) for path in found)
    if hits != 1 or "\n" in mutant.old + mutant.new:
        raise SystemExit(f"'{mutant.fault}': {hits} places have the line, there must be one: {mutant.old}")
    return found[0]


def copied(to: Path) -> Path:
    """A copy of what the tests need."""
    for name in ("antiphon", "tests", "benchmarks", "examples", "docs"):
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, to / name)
    return to


def run(tests: str, tree: Path) -> int:
    """pytest's exit status."""
    words, _, chosen = tests.partition(" -k ")
    line = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *words.split()]
    line += ["-k", chosen.strip("'")] if chosen else []
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    with open(tree / "said.txt", "w") as said:  # for whoever wonders, as long as the copy is there
        return subprocess.run(line, cwd=tree, env=environment, stdout=said, stderr=said, timeout=PATIENCE).returncode


def verdict(mutant: Mutant, tree: Path, trust: bool) -> str:
    """caught, missed, or what was wrong with the tests themselves. trust: that they pass without the fault."""
    path = home(mutant, tree)
    whole = path.read_text()
    path.write_text(whole.replace(mutant.old, mutant.new))
    try:
        with_fault = run(mutant.tests, tree)
    finally:
        path.write_text(whole)
    if with_fault == PASSED:
        return "missed"
    if with_fault != FAILED:
        return f"not run (pytest says {with_fault})"
    return "caught" if trust or run(mutant.tests, tree) == PASSED else "fails without it too"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", type=int, nargs="+", metavar="N", help="numbers of faults, from 1")
    parser.add_argument("--list", action="store_true", help="show them and plant none")
    parser.add_argument("--trust", action="store_true", help="do not see whether the tests pass without the fault")
    parser.add_argument("--out", type=Path, help="a JSON file for the verdicts")
    options = parser.parse_args()
    chosen = [(n, m) for n, m in enumerate(MUTANTS, 1) if not options.only or n in options.only]
    if options.list:
        for n, mutant in chosen:
            print(f"{n:3}  {mutant.area:12}{mutant.fault}  [{home(mutant, ROOT).relative_to(ROOT)}]")
        return
    with tempfile.TemporaryDirectory(prefix="antiphon-mutants-") as folder:
        verdicts = _all(chosen, copied(Path(folder)), options.trust)
    caught = sum(word == "caught" for word in verdicts.values())
    print(f"{caught} of {len(verdicts)} caught")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(verdicts, indent=2) + "\n")
    sys.exit(caught < len(verdicts))


def _all(chosen: list[tuple[int, Mutant]], tree: Path, trust: bool) -> dict[str, str]:
    """Verdicts by fault, each printed when it is known."""
    for _, mutant in chosen:  # before minutes are spent
        home(mutant, tree)
    verdicts = {}
    for n, mutant in chosen:
        began = time.monotonic()
        verdicts[mutant.fault] = verdict(mutant, tree, trust)
        print(f"{n:3}  {verdicts[mutant.fault]:8}{time.monotonic() - began:6.1f} s  {mutant.area}: {mutant.fault}")
        sys.stdout.flush()
    return verdicts


if __name__ == "__main__":
    main()
