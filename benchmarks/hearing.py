"""Does a voice's encoder hear what plays, whatever it was recorded with? And the teaching that makes it.

    python benchmarks/hearing.py gm [--prepared work-data/gm.safetensors --split block] [--real "FOLDER=alto sax" ...]
    python benchmarks/hearing.py gm --prepared work-data/gm.safetensors --teach out/gm.safetensors --minutes 30

The share of notes whose w lies nearest to an imagined w of their own label (of 64 imagined for each label), as they are
and through each thing that recordings have. Notes: eight of each example instrument, or those of a split; and those of
folders of real recordings, each of one instrument that the voice has under the label given.

Taught, the encoder says of a note heard through training/batches/hearing.py what it used to say of the clean note, and
the note's label by the imagined w; one note in eight is clean. All else of the voice stays as it is, byte for byte.
"""

from __future__ import annotations

import argparse
import copy
import csv
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import antiphon
from antiphon.audio.files import read_audio
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.labelling.manifest import scan
from antiphon.data.prepare import prepare
from antiphon.data.prepared import Prepared
from antiphon.networks.encoders.note import LISTEN, NoteEncoder
from antiphon.training.batches.hearing import Hearing, hearing
from antiphon.voices.checkpoint import save_voice
from antiphon.voices.styled import STYLE_SAMPLES, StyledVoice

EXAMPLES, EACH = Path(__file__).parent.parent / "examples" / "notes", 8
LONGER = LISTEN + SAMPLE_RATE // 10  # samples read of a note, so that some may be cut off
WAYS = {
    "clean": Hearing(),
    "noise -50": Hearing(noise=-50.0),
    "noise -40": Hearing(noise=-40.0),
    "tilted": Hearing(tilt=2.0),
    "cut 30 ms": Hearing(trimmed=round(0.03 * SAMPLE_RATE)),
    "late 10 ms": Hearing(trimmed=-round(0.01 * SAMPLE_RATE)),
    "room 0.5 s": Hearing(room=0.5, wet=-3.0, echo=0.01),
    "low cut 200": Hearing(low_cut=200.0),
    "half as loud": Hearing(level=-6.0),
}
FRESH = 8  # notes heard anew at each step
WARMTH = 0.05  # of likeness, from which the share of each label is told


@dataclass(frozen=True)
class Heard:
    """A note to hear: (LONGER,) from its onset, MIDI, samples to its release (inf if none), and its label."""

    audio: np.ndarray
    pitch: float
    release: float
    label: int


def examples(voice: StyledVoice) -> list[Heard]:
    """EACH notes of each example instrument."""
    with (EXAMPLES / "notes.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = []
    for preset in dict.fromkeys(row["preset"] for row in rows):
        own = [row for row in rows if row["preset"] == preset]
        for i in np.linspace(0, len(own) - 1, EACH).round().astype(int):
            row = own[i]
            audio = _longer(read_audio(EXAMPLES / row["path"]))
            label = voice.instruments.index(row["instrument"])
            found.append(Heard(audio, float(row["pitch"]), float(row["seconds"]) * SAMPLE_RATE, label))
    return found


def held_out(voice: StyledVoice, data: Prepared, split: str, most: int = 400) -> list[Heard]:
    """Notes of a split, evenly spread over it."""
    chosen = data.where(split)
    chosen = chosen[torch.linspace(0, len(chosen) - 1, min(most, len(chosen))).round().long()]
    return [_note(voice, data, i) for i in chosen.tolist()]


def recordings(voice: StyledVoice, folder: Path, label: str) -> list[Heard]:
    """All notes of a folder, of an instrument that the voice calls `label`."""
    with tempfile.TemporaryDirectory() as scratch:
        data = Prepared(prepare(scan(folder).called(voice.resolve(label)), Path(scratch) / "real.safetensors").path)
        return [_note(voice, data, i) for i in range(len(data))]


def _note(voice: StyledVoice, data: Prepared, i: int) -> Heard:
    label = voice.instruments.index(data.labels.instruments[int(data.instrument[i])])
    hold = int(data.hold[i])
    return Heard(data.audio(i, 0, LONGER), float(data.pitch[i]), hold if hold > 0 else np.inf, label)


def _longer(audio: np.ndarray) -> np.ndarray:
    return np.pad(audio[:LONGER], (0, max(LONGER - len(audio), 0)))


Seen = tuple[Tensor, Tensor, Tensor, Tensor]  # log-mels, pitches, releases and labels of some notes


@torch.no_grad()
def seen(encoder: NoteEncoder, notes: list[Heard], ways: list[Hearing]) -> Seen:
    """What the encoder's layers are given of notes, each heard in its own way."""
    audio = torch.from_numpy(np.stack([way(n.audio)[:LISTEN] for n, way in zip(notes, ways, strict=True)]))
    release = torch.tensor([float(max(n.release - way.trimmed, 0)) for n, way in zip(notes, ways, strict=True)])
    pitch, label = torch.tensor([n.pitch for n in notes]), torch.tensor([n.label for n in notes])
    return encoder.mel(audio), pitch, release, label


def likeness(w: Tensor, known: Tensor) -> Tensor:
    """(batch, labels) the cosine between each w and the nearest of a label's. known: (labels, 64, style)"""
    return (w @ known.flatten(0, 1).T / w.shape[-1]).unflatten(-1, known.shape[:2]).amax(-1)


def imagined(voice: StyledVoice) -> Tensor:
    """(labels, 64, style)"""
    return torch.stack([voice.known(label) for label in voice.instruments]).detach().clone()


@torch.no_grad()
def encoded(encoder: NoteEncoder, notes: list[Heard], way: Hearing) -> Tensor:
    """(notes, style) of notes that are all heard in one way."""
    pieces = []
    for i in range(0, len(notes), 32):
        mel, pitch, release, _ = seen(encoder, notes[i : i + 32], [way] * len(notes[i : i + 32]))
        pieces.append(encoder.described(mel, pitch, release))
    return torch.cat(pieces)


def table(voice: StyledVoice, notes: list[Heard]) -> dict[str, float]:
    """The share of notes named right, heard in each of WAYS."""
    known, right = imagined(voice), torch.tensor([n.label for n in notes])
    return {
        name: float((likeness(encoded(voice.model.encoder, notes, way), known).argmax(-1) == right).float().mean())
        for name, way in WAYS.items()
    }


def teach(voice: StyledVoice, data: Prepared, out: Path, how: argparse.Namespace) -> None:
    """Until the minutes are over; the average of the weights is written every two minutes. A step hears FRESH notes,
    and learns from a batch of all heard so far: to hear a note costs more than to learn from it."""
    student, known = voice.model.encoder, imagined(voice)
    average, began, written, step = copy.deepcopy(student), time.monotonic(), 0.0, 0
    notes = [_note(voice, data, int(i)) for i in data.where("train")]
    meant = encoded(student, notes, Hearing())
    optimiser = torch.optim.Adam(student.requires_grad_(True).parameters(), how.rate, betas=(0.8, 0.99))
    heard: list[Seen] = []
    which: list[int] = []
    log = np.zeros(3)
    while (spent := time.monotonic() - began) < 60 * how.minutes:
        rng = np.random.default_rng((how.seed, step))
        fresh = rng.integers(len(notes), size=FRESH).tolist()
        ways = [hearing(how.hear * (i > 0), how.seed, step * FRESH + i) for i in range(FRESH)]  # the first is clean
        new = seen(student, [notes[i] for i in fresh], ways)
        heard += zip(*(x.split(1) for x in new), strict=True)
        which += fresh
        some = rng.integers(len(heard), size=how.batch).tolist()
        mel, pitch, release, label = (torch.cat(x) for x in zip(*(heard[i] for i in some), strict=True))
        w = student.described(mel, pitch, release)
        far = (w - meant[[which[i] for i in some]]).square().mean()
        named = F.cross_entropy(likeness(w, known) / WARMTH, label)
        optimiser.zero_grad(set_to_none=True)
        (far + how.naming * named).backward()
        optimiser.param_groups[0]["lr"] = how.rate * min(1.0, (step + 1) / 50, 3 * (1 - spent / (60 * how.minutes)))
        optimiser.step()
        step += 1
        with torch.no_grad():
            for mine, other in zip(average.parameters(), student.parameters(), strict=True):
                mine.lerp_(other, max(1 / step, 1 - how.average))
        log = 0.98 * log + 0.02 * np.array([far.item(), named.item(), 1.0])
        if spent - written > 120:
            written, (distance, doubt) = spent, log[:2] / log[2]
            print(f"{spent / 60:5.1f} min {step:6} steps: {distance:.3f} apart, doubt {doubt:.3f}", flush=True)
            _write(voice, average, out)
    _write(voice, average, out)


def _write(voice: StyledVoice, encoder: NoteEncoder, out: Path) -> None:
    model = copy.deepcopy(voice.model)
    model.encoder.load_state_dict(encoder.state_dict())
    save_voice(out, model, voice.info)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice", nargs="?", default="gm")
    parser.add_argument("--prepared", type=Path, help="the notes to learn from, or to be asked of")
    parser.add_argument("--split", help="the notes to be asked of (default: the examples)")
    parser.add_argument("--real", action="append", default=[], help="FOLDER=LABEL, recordings to be asked of as well")
    parser.add_argument("--teach", type=Path, help="write the taught voice here")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--average", type=float, default=0.995)
    parser.add_argument("--hear", type=float, default=0.35, help="how likely each thing that recordings have is heard")
    parser.add_argument("--naming", type=float, default=0.1, help="what the label counts beside w")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="the figures as JSON")
    args = parser.parse_args()
    torch.set_num_threads(1)
    voice = antiphon.load(args.voice).able(StyledVoice, "hear")
    data = Prepared(args.prepared) if args.prepared else None
    if args.teach:
        teach(voice, data, args.teach, args)
        voice = antiphon.load(args.teach)
    asked = {args.split or "examples": held_out(voice, data, args.split) if args.split else examples(voice)}
    for folder, _, label in (part.rpartition("=") for part in args.real):
        asked[folder] = recordings(voice, Path(folder), label)
    shares = {name: table(voice, notes) for name, notes in asked.items()}
    print(f"{STYLE_SAMPLES} imagined of each of {len(voice.instruments)} labels")
    for name, notes in asked.items():
        print(f"{len(notes)} notes of {name}: " + ", ".join(f"{way} {x:.2f}" for way, x in shares[name].items()))
    if args.out:
        args.out.write_text(json.dumps(shares, indent=1) + "\n")


if __name__ == "__main__":
    main()
