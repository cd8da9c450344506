"use strict";
// Evaluates the network beside the sound: keys come from the page, knots go to the worklet, which asks for more.
let trunk, out;
const notes = new Map(); // by id: what never changes, the next knot, what is random
const FIRST = 8, MORE = 8; // knots: of the first answer, so that it comes soon, and of each later one
const tasks = [[], [], []]; // beginnings first, then releases, then the rest
let pumping = false;

function later(urgency, task) {
  tasks[urgency].push(task);
  if (!pumping) {
    pumping = true;
    setTimeout(pump, 0);
  }
}

function pump() {
  const queue = tasks.find((some) => some.length);
  if (!queue) {
    pumping = false;
    return;
  }
  queue.shift()();
  setTimeout(pump, 0); // what was told in between may be more urgent
}

function begin({ id, w, shaping, pitch, velocity, take, bend, start, hold, about, random: given }) {
  const begun = Object.assign(trunk.begin(w, pitch, velocity, shaping), about);
  const random = given || Antiphon.chance(take, begun.ratios.length);
  const note = { begun, random, asked: 0, bend: bend || 0, white: Antiphon.ownWhite(take), first: [] };
  notes.set(id, note);
  if (hold !== undefined) {
    whole(id, note, start, hold, take);
    return;
  }
  note.first = held(note, FIRST);
  out.postMessage({
    kind: "begin", id, about: Antiphon.sent(begun), random, take, knots: note.first,
    strike: Antiphon.strikeNoise(note.first, note.white),
  });
  later(0, () => {
    if (!notes.has(id)) return;
    const knots = held(note, Antiphon.AHEAD - FIRST);
    const strike = Antiphon.strikeNoise([...note.first, ...knots], note.white);
    delete note.first;
    out.postMessage({ kind: "more", id, knots, strike });
  });
}

// A note whose release is known, at sample `start` of the worklet's time: for sound that is made faster than it sounds.
function whole(id, note, start, hold, take) {
  const knots = held(note, Antiphon.AHEAD);
  while (knots[knots.length - 2].time < hold + 4096) knots.push(...held(note, MORE));
  const after = released(note, hold), strike = Antiphon.strikeNoise(knots, note.white);
  const { random } = note, about = Antiphon.sent(note.begun);
  out.postMessage({ kind: "begin", id, about, random, take, knots, strike, start, hold, after });
  notes.delete(id);
}

function held(note, count) {
  const times = Array.from({ length: count }, (_, i) => Antiphon.heldKnot(note.asked + i));
  note.asked += count;
  return trunk.curves(note.begun, times, Infinity, note.random.waves, () => note.bend);
}

function released(note, time) {
  return trunk.curves(note.begun, Antiphon.RELEASED.map((t) => time + t), time, note.random.waves, () => note.bend);
}

const ASKED = { // by the worklet
  more({ id, bend }) {
    const note = notes.get(id);
    if (!note) return;
    note.bend = bend;
    out.postMessage({ kind: "more", id, knots: held(note, MORE) });
  },
  after({ id, time }) {
    const note = notes.get(id);
    if (note) out.postMessage({ kind: "after", id, time, knots: released(note, time) });
    notes.delete(id);
  },
  gone({ id }) {
    notes.delete(id);
  },
};

onmessage = ({ data }) => {
  if (data.kind === "load") {
    trunk = new Antiphon.Trunk(data.config, data.tensors); // and warmed up: its first answers would take long
    for (let i = 0; i < 4; i++) held({ begun: trunk.begin(data.w, 60, 90), random: Antiphon.chance(0, 0), asked: 0 }, 24);
    postMessage({ kind: "ready" });
  } else if (data.kind === "port") {
    out = data.port;
    out.onmessage = ({ data: asked }) => later(asked.kind === "after" ? 1 : 2, () => ASKED[asked.kind](asked));
  } else if (data.kind === "begin") {
    later(0, () => {
      begin(data);
      if (data.hold !== undefined) postMessage({ kind: "sent", id: data.id });
    });
  }
};
