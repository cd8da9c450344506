"""The page that `antiphon export --format web` writes, in Chromium.

    npm install playwright-core; NODE_PATH=$PWD/node_modules python benchmarks/web.py [--out out/web]

Opens it from disk and over http: how soon it is ready, a chord beside Python's with the same phases (dB from the chord
to what differs), what 16 held notes cost (processor time as a share of real time, network and sound), a tour by keys
only, MIDI, a recording, errors, pictures.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import numpy as np
import torch

import antiphon
from antiphon.core.note import Note
from antiphon.core.units import SAMPLE_RATE
from antiphon.networks.physics import DRIFTS, random_phases
from antiphon.voices import synthesis
from antiphon.voices.streams import NoteStream

LOUDNESS = 0.3  # of worklet.js
CHORD = [("violin", 55, 1.0), ("acoustic grand piano", 60, 0.4), ("flute", 76, 0.7)]
SECONDS = 1.5


def given(voice: Any, name: str, key: int, seconds: float) -> tuple[dict[str, Any], np.ndarray]:
    """A note as the page takes it, and its partials as Python plays them."""
    note, w = Note(key, seconds, 90, name), voice.imagine(name).half().float()
    known = NoteStream(voice.model.generator, note, w)._known
    phase, copies = random_phases(int(known.take), known.bank.ratios.shape[1])
    order = known.bank.slots[0]
    waves = np.random.default_rng((int(known.take), 2)).random((2, DRIFTS, 4)).astype(np.float32)
    random = {
        "phase": phase[order].tolist(),
        "copies": copies[0][:, order].flatten().tolist(),
        "apart": copies[1, :, 0].tolist(),
        "waves": {"rate": waves[0].ravel().tolist(), "angle": waves[1].ravel().tolist()},
    }
    about = {"ratios": known.bank.ratios[0].tolist(), "detune": float(known.detune)}
    hold = round(seconds * SAMPLE_RATE)
    told = {"w": w.tolist(), "pitch": key, "velocity": 90, "hold": hold, "random": random, "about": about}
    return told, voice.notes([note], w=w.unsqueeze(0), parts=True)[0][:, 0]


def serve(folder: Path) -> str:
    """The address of a folder."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/web"))
    out = parser.parse_args().out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    synthesis.HALF = False
    torch.set_num_threads(1)
    voice = antiphon.load("gm")
    page = antiphon.export(voice, out / "gm.html", format="web", force=True, quiet=True)
    print(f"size {page.stat().st_size / 1e6:.2f} MB")
    notes, expected = [], np.zeros(round(SECONDS * SAMPLE_RATE))
    for name, key, seconds in CHORD:
        told, sound = given(voice, name, key, seconds)
        notes.append(told)
        expected[: len(sound)] += LOUDNESS * sound[: len(expected)]
    (out / "notes.json").write_text(json.dumps({"chord": notes, "seconds": SECONDS}))
    for address in (page.as_uri(), f"{serve(out)}/gm.html"):
        line = ["node", str(Path(__file__).with_name("web.mjs")), address, str(out / "notes.json"), str(out)]
        said = json.loads(subprocess.run(line, capture_output=True, text=True, check=True).stdout)
        heard = np.fromfile(out / "chord.f32", np.float32)
        error = float(np.square(heard - expected).sum())
        said["chord_db"] = round(10 * np.log10(float(np.square(expected).sum()) / error), 1)
        print(address.split(":")[0], json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
