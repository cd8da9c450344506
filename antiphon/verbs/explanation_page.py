"""An explanation as one page: tables a person can read, and sounds to hear and see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from antiphon.audio.mel import cut_tail
from antiphon.core.units import SAMPLE_RATE
from antiphon.data.labelling.row import note_name
from antiphon.metrics.critics_map import SAMPLES, CriticsMap
from antiphon.metrics.plots.critics import critics_panels
from antiphon.metrics.plots.sheet import spectrogram_panels
from antiphon.verbs.explained import Explained, Sounds
from antiphon.verbs.page import Chapter, Figure, Group, html_page

LONGEST = 4.0  # seconds of a sound on the page
STYLE = """
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 0.4rem 0; }
th, td { text-align: right; padding: 0.15rem 0.6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, .text { text-align: left; } .scroll { overflow-x: auto; margin: 1.5rem 0; }
"""
TEXT = ' class="text"'
CRITICS = (
    "While the voice was trained, critics told real sounds from made ones. Red is what makes this sound real to them, "
    "blue what gives it away, grey what they do not mind: how much their verdict would lose if that part were blurred. "
    "Of two sounds of a note the one with the higher verdict is realer to them. The first 0.74 s, as in training."
)
WORDS = {  # of a place above the label's typical sound, and below it
    "brightness": ("bright", "dark"),
    "attack": ("slow to begin", "quick to begin"),
    "decay": ("steady", "fading"),
    "release": ("ringing on", "cut short"),
    "noisiness": ("noisy", "pure"),
    "hollowness": ("hollow", "full"),
    "vibrato": ("with much vibrato", "with little vibrato"),
    "width": ("wide", "narrow"),
    "bite": ("biting at its beginning", "soft at its beginning"),
    "tuning": ("tuned high", "tuned low"),
    "click": ("hard", "soft"),
    "tail": ("with a long tail", "with a short tail"),
    "fall": ("falling in pitch", "steady in pitch"),
}


def explanation_page(made: Explained) -> str:
    """The page as one self-contained HTML document."""
    facts = made.facts
    title, text, body = {"voice": _voice, "note": _one_note, "recording": _recording}[facts["of"]](facts)
    chapters = [Chapter("To hear and see", "Pictures in a row share their scales.", _groups(made.sounds))]
    if made.maps:
        chapters.append(_critics(made))
    elif facts["of"] != "voice":
        body += f"<p>No critics lie beside {escape(facts['voice'])}: what they hear cannot be shown.</p>"
    return html_page(title, text, chapters if made.sounds else [], body, STYLE)


def _critics(made: Explained) -> Chapter:
    """What the critics heard, drawn over the spectrograms."""
    pictures = critics_panels(*zip(*made.maps.values(), strict=True))
    figures = [
        Figure(f"{name}: {found.verdict:.2f}", cut_tail(sound[:SAMPLES]), picture)
        for (name, (sound, found)), picture in zip(made.maps.items(), pictures, strict=True)
    ]
    said = " ".join(f"{name}: {in_words(found)}" for name, (_, found) in made.maps.items())
    return Chapter("What the critics hear", CRITICS, [Group(figures, remark=said)])


def in_words(found: CriticsMap) -> str:
    """The parts of a sound that speak most for and against it, as a sentence."""

    def cell(place: int) -> str:
        band, stretch = divmod(place, found.values.shape[1])
        hertz, seconds = found.hertz[band : band + 2], found.seconds[stretch : stretch + 2]
        return f"{_in_hertz(hertz[0])} to {_in_hertz(hertz[1])} from {seconds[0]:.2f} to {seconds[1]:.2f} s"

    best, worst = int(found.values.argmax()), int(found.values.argmin())
    against = f"; most against it, {cell(worst)} ({found.values.min():+.2f})" if found.values.min() < -0.005 else ""
    whole = f"the critics' verdict is {found.verdict:.2f}, and {found.blurred:.2f} once all of it is blurred"
    return f"{whole}; most for it speaks {cell(best)} ({found.values.max():+.2f}){against}."


def _in_hertz(x: float) -> str:
    return f"{x / 1000:.1f} kHz" if x >= 1000 else f"{round(x, -1):.0f} Hz"


def _groups(sounds: Mapping[str, Sounds]) -> list[Group]:
    groups = []
    for heading, some in sounds.items():
        heard = {name: cut_tail(np.nan_to_num(sound)[: round(LONGEST * SAMPLE_RATE)]) for name, sound in some.items()}
        pictures = spectrogram_panels(list(heard.values()))
        figures = [Figure(name, sound, picture) for (name, sound), picture in zip(heard.items(), pictures, strict=True)]
        groups.append(Group(figures, remark=heading))
    return groups


# ---- three kinds -----------------------------------------------------------------------------------------------------


def _voice(facts: Mapping[str, Any]) -> tuple[str, str, str]:
    text = "What can be turned, what it moves, what each instrument's typical sound is like, and what was never heard."
    controls = facts.get("controls", [])
    body = ""
    if controls:
        names = [c["name"] for c in controls]
        rows = [[c["name"], c["meaning"], c["instruments"], "yes" if c["clean"] else "no"] for c in controls]
        body += _table("Controls", ("name", "+1 means", "instruments", "own effect 3 times any other"), rows)
        moves = [[c["name"], *(c["moves"][name] for name in names)] for c in controls]
        note = "What +1 of a control (row) moves (column): 1 is its whole way from the typical to the extreme sound"
        body += _table(note, ("", *names), moves, shade=1.0)
    lines = "".join(f"<li>{escape(line)}</li>" for line in facts["never_heard"])
    body += f"<h2>What it never heard</h2><ul>{lines}</ul>" if lines else ""
    body += _instruments(facts["instruments"], facts.get("at_one_note"))
    return f"Why {facts['voice']} sounds as it does", text, body


def _ends(title: str, values: Mapping[str, Mapping[str, float]]) -> str:
    """The labels with the highest and the lowest five values of each trait; values: by label and trait."""
    rows = []
    for name in next(iter(values.values())):
        order = sorted(values, key=lambda label, name=name: -values[label][name])  # type: ignore[misc]
        rows.append([name, *(", ".join(some) for some in (order[:5], order[:-6:-1]))])
    return _table(title, ("", "most", "least"), rows)


def _instruments(rows: Sequence[Mapping[str, Any]], beside: Mapping[str, Any] | None) -> str:
    """The instruments' typical sounds; the highest and the lowest of each trait come first, in words, and so do those
    of all that play one note."""
    traits = list(rows[0].get("traits", {}))
    most = ""
    if traits and len(rows) > 1:
        typical = {row["label"]: {name: t["typical"] for name, t in row["traits"].items()} for row in rows}
        most = _ends("Which instrument has most and least of it, each at its usual note", typical)
    cells = []
    for row in rows:
        key = [note_name(round(row[k])) if row.get(k) is not None else "" for k in ("lowest", "highest", "usual_note")]
        middle = [row["traits"][name]["typical"] for name in traits]
        cells.append([row["label"], " to ".join(x for x in key[:2] if x), key[2], row["sounds"] or "", *middle])
    if beside and len(beside["instruments"]) > 1:
        title = f"The same, all at {beside['name']} (the {len(beside['instruments'])} that were heard there)"
        most += _ends(title, beside["instruments"])
    return most + _table("Typical sounds", ("", "heard from, to", "usual note", "sounds heard", *traits), cells)


def _one_note(facts: Mapping[str, Any]) -> tuple[str, str, str]:
    note = facts["note"]
    title = " ".join(str(x) for x in (note["instrument"], note["name"], "seed", note["seed"]) if x != "")
    body = _traits_table(facts["traits"]) + _parts_table(facts["parts"]) + _conditions_table(facts["conditions"])
    return f"Why {title} of {facts['voice']} sounds as it does", _in_words(facts), body + _near_table(facts)


def _recording(facts: Mapping[str, Any]) -> tuple[str, str, str]:
    made, note = facts["made_of_it"], facts["note"]
    text = f"{facts['voice']} hears it as {note['instrument']} {note['name']}. {_in_words(facts)}"
    if facts["cannot_say"]:
        text += f" What it cannot say: {'; '.join(facts['cannot_say'])}."
    rows = [["voice - recording, dB", *made["voice_minus_recording_db"]]]
    apart = f"What the voice makes of it (distance {made['log_mel_distance_db']:g} dB log-mel)"
    body = _traits_table(facts["traits"]) + _table(apart, ("", *made["places"]), rows, shade=12.0)
    return f"What {facts['voice']} makes of {facts['recording']}", text, body + _near_table(facts)


def _in_words(facts: Mapping[str, Any]) -> str:
    """The traits that stand out, as a sentence."""
    far = sorted(
        ((abs(t["place"]), WORDS.get(name, (f"high in {name}", f"low in {name}"))[t["place"] < 0])
         for name, t in facts["traits"].items() if abs(t.get("place", 0.0)) >= 0.7),
        reverse=True,
    )  # fmt: skip
    label = facts["note"]["instrument"]
    if not any("place" in t for t in facts["traits"].values()):
        return ""
    return f"For {label} it is {', '.join(word for _, word in far[:4])}." if far else f"It is a typical {label}."


# ---- tables ----------------------------------------------------------------------------------------------------------


def _traits_table(traits: Mapping[str, Any]) -> str:
    keys = [k for k in ("measured", "unit", "place", "low", "typical", "high") if k in next(iter(traits.values()), {})]
    heads = {
        "unit": "in",
        "place": "place (-1..1 is usual)",
        "low": "label's 10 %",
        "typical": "median",
        "high": "90 %",
    }
    rows = [[name, *(row[k] for k in keys)] for name, row in traits.items()]
    return _table("Traits, at the label's usual note", ("", *(heads.get(k, k) for k in keys)), rows)


def _parts_table(parts: Mapping[str, float]) -> str:
    if not parts:
        return ""
    words = {"partials_db": "partials", "noise_db": "noise", "strike_db": "noise of the first 80 ms (the strike)"}
    return _table("Parts, dB of the whole", ("", "dB"), [[words[k], x] for k, x in parts.items()])


def _conditions_table(found: Mapping[str, Any]) -> str:
    typical = found["typical"]
    rows = [[cause, *row] for cause, row in found["contributions_db"].items()]
    change = [b - a for a, b in zip(found["typical_db"], found["sound_db"], strict=True)]
    rows.append(["together", *change])
    usual = f"{typical['instrument']} {typical['name']}".strip()
    title = f"What each condition contributes, dB beside the voice's typical sound ({usual}); Shapley values"
    return _table(title, ("", *found["places"]), rows, shade=12.0)


def _near_table(facts: Mapping[str, Any]) -> str:
    if "nearest" not in facts:
        return ""
    real = facts["between_real"]
    rows = [[one["sound"], one["distance"]] for one in facts["nearest"]]
    title = f"Nearest training sounds (from one real sound to the next, 1 is usual: {real['p10']:g} to {real['p90']:g})"
    copied = "It is nearer to a training sound than 99 % of real sounds are to each other: it may be a copy."
    fine = "It is no nearer to a training sound than real sounds are to each other: no copy."
    return _table(title, ("", "distance"), rows) + f"<p>{copied if facts['may_be_a_copy'] else fine}</p>"


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[Any]], shade: float = 0.0) -> str:
    """shade: the value at which a cell is fully coloured, red above 0 and blue below; 0 for none."""
    words = [isinstance(x, str) for x in rows[0]] if rows else [False] * len(heads)
    head = "".join(f"<th{TEXT * left}>{escape(text)}</th>" for text, left in zip(heads, words, strict=True))
    body = "".join(
        f"<tr><th>{escape(str(row[0]))}</th>{''.join(_cell(x, shade) for x in row[1:])}</tr>\n" for row in rows
    )
    caption = f"<caption>{escape(title)}</caption>"
    return f'<div class="scroll"><table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(x: Any, shade: float) -> str:
    if isinstance(x, str):
        return f"<td{TEXT}>{escape(x)}</td>"
    text = f"{x:.2f}" if isinstance(x, float) else str(x)
    if not shade:
        return f"<td>{text}</td>"
    strength = round(min(abs(x) / shade, 1) * 60)
    colour = "#d0503c" if x > 0 else "#3c78d0"
    return f'<td style="background: color-mix(in srgb, {colour} {strength}%, transparent)">{text}</td>'
