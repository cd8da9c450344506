"""A composed piece as one HTML file: its roll with a line that follows the sound, its sections, and how it was made."""

from __future__ import annotations

from html import escape

import numpy as np

from antiphon.core.html import document, image, inside, player
from antiphon.metrics.plots.png import encode_png
from antiphon.metrics.plots.roll import Roll, marked
from antiphon.music.notation import Score
from antiphon.verbs.page import mp3

STYLE = """
.roll { position: relative; } .roll i { position: absolute; width: 2px; background: #fff; pointer-events: none; }
button { font: inherit; padding: 0.2rem 0.7rem; margin: 0 0.3rem 0.3rem 0; cursor: pointer; }
pre { padding: 0.4rem 0.6rem; border: 1px solid var(--line); border-radius: 4px; white-space: pre-wrap; }
"""
SCRIPT = """
const sound = document.querySelector('audio'), line = document.querySelector('.roll i'), times = %s;
const go = at => { sound.currentTime = at; sound.play(); };
for (const one of document.querySelectorAll('button')) one.onclick = () => go(+one.dataset.at);
document.querySelector('.roll').onclick = at => {
  const size = document.querySelector('.roll img').clientWidth / %d, x = at.offsetX / size, y = at.offsetY / size;
  const bar = times.find(b => b[1] <= x && x < b[3] && b[2] <= y && y < b[2] + b[4]);
  if (bar) go(bar[0]);
};
const follow = () => {
  const now = sound.currentTime, size = document.querySelector('.roll img').clientWidth / %d;
  let k = times.findLastIndex(bar => bar[0] <= now); k = Math.max(0, Math.min(k, times.length - 2));
  const [start, left, top, right, height] = times[k], share = (now - start) / (times[k + 1][0] - start);
  line.style.left = (left + (right - left) * Math.min(share, 1)) * size + 'px';
  line.style.top = top * size + 'px'; line.style.height = height * size + 'px';
  requestAnimationFrame(follow);
};
follow();
"""


def score_page(score: Score, roll: Roll, sound: np.ndarray, text: str, command: str, seed: int) -> str:
    """The page, one HTML document. sound: (samples, 2) float32 at 44.1 kHz; text: the score in a line; command: what
    makes it again."""
    height, width = roll.pixels.shape[:2]
    picture = image(encode_png(roll.pixels, roll.words), roll.words, (width, height))
    starts = [score.seconds(int(step)) for step in score.starts]
    buttons = "".join(
        f'<button data-at="{starts[bar]:.2f}">{escape(name)} <small>bar {bar + 1}</small></button>'
        for bar, name in marked(score)
    )
    midi = inside("audio/midi", score.encode())
    body = f"""<p>{escape(text)}</p>
{player(inside("audio/mpeg", mp3(sound)))}
<p>{buttons}</p>
<div class="roll">{picture}<i></i></div>
<p>Time runs to the right, in lines of a few bars; every colour is a part, drums lie below; a click plays from there.
<a download="song.mid" href="{midi}">Save the MIDI file</a>.</p>
<h2>How it was made</h2>
<pre>{escape(command)}</pre>
<p class="small">Seed {seed}. The same command makes the same music; another seed makes another piece.</p>
<script>{SCRIPT % (_places(roll, starts), width, width)}</script>"""
    return document("Composed with Antiphon", body, style=STYLE)


def _places(roll: Roll, starts: list[float]) -> str:
    """JavaScript: for each bar, when it begins, and where it is in the picture; the end last."""
    rows = []
    for line in roll.lines:
        for k in range(line.stop - line.first):
            left, right = line.edges[k], line.edges[k + 1]
            rows.append(f"[{starts[line.first + k]:.3f},{left},{line.top},{right},{line.height}]")
    return f"[{','.join(rows)},[{starts[-1]:.3f},0,0,0,0]]"
