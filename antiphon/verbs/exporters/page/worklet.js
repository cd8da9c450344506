"use strict";
// The sound: notes that sound, from knots that the worker sends; pedals and wheels are the page's.
const LOUDNESS = 0.3, FADE = 256, AHEAD = 4096; // samples for which knots are asked in advance

class Instrument extends AudioWorkletProcessor {
  constructor() {
    super();
    this.notes = new Map();
    this.waiting = new Set(); // ids that were released before they began
    this.bend = 0;
    this.wobble = 0;
    this.noisiness = 1;
    this.recording = false;
    this.port.onmessage = ({ data }) => this[data.kind](data);
  }

  // ---- from the page

  trunk({ port }) {
    this.worker = port;
    port.onmessage = ({ data }) => this[data.kind](data);
  }

  release({ id }) {
    const playing = this.notes.get(id);
    if (!playing) this.waiting.add(id);
    else if (!playing.asked) {
      playing.asked = true;
      this.worker.postMessage({ kind: "after", id, time: Math.max(playing.note.at, 1) });
    }
  }

  cut({ id }) {
    const playing = this.notes.get(id);
    if (playing) playing.left = Math.min(playing.left, FADE);
    else this.waiting.add(id);
  }

  panic() {
    for (const id of this.notes.keys()) this.cut({ id });
  }

  wheel({ semitones }) {
    this.bend = semitones;
    for (const { note } of this.notes.values()) note.bend(semitones);
  }

  modulate({ depth }) {
    this.wobble = depth;
    if (!depth) this.wheel({ semitones: this.bend });
  }

  noise({ amount }) {
    this.noisiness = amount;
    for (const { note } of this.notes.values()) note.noisiness = amount;
  }

  record({ on }) {
    this.recording = on;
  }

  // ---- from the worker

  begin({ id, about, random, take, knots, strike, start, hold, after }) {
    const note = new Antiphon.Note(about, random, Antiphon.ownWhite(take));
    note.add(knots);
    note.strike = strike;
    note.noisiness = this.noisiness;
    if (this.bend) note.points = [[0, this.bend]];
    const playing = { note, left: Infinity, asked: hold !== undefined, wanted: false, start, hold, after };
    this.notes.set(id, playing);
    this.port.postMessage({ kind: "began", id });
    if (this.waiting.delete(id)) this.release({ id });
  }

  more({ id, knots, strike }) {
    const playing = this.notes.get(id);
    if (!playing) return;
    playing.note.add(knots);
    if (strike) playing.note.strike = strike;
    playing.wanted = false;
  }

  after({ id, time, knots }) {
    const playing = this.notes.get(id);
    if (!playing) return;
    const late = Math.max(playing.note.at, 1) - time; // samples that went by while the worker was at it
    for (const knot of knots) knot.time += late;
    playing.note.release(time + late, knots);
  }

  // ---- sound

  process(_, [[left, right]]) {
    if (this.wobble) this.sway();
    for (const [id, playing] of this.notes) {
      if (!this.add(id, playing, left)) continue;
      this.notes.delete(id);
      this.worker.postMessage({ kind: "gone", id });
      this.port.postMessage({ kind: "ended", id });
    }
    if (right) right.set(left);
    if (this.recording) this.port.postMessage({ kind: "recorded", sound: left.slice() });
    return true;
  }

  // -> whether the note is over
  add(id, playing, out) {
    const { note } = playing, skip = Math.max((playing.start || 0) - currentFrame, 0);
    if (skip >= out.length) return false;
    if (playing.hold !== undefined && !note.released) {
      const first = Math.min(playing.hold - note.at, out.length - skip);
      note.render(out, skip, first, LOUDNESS);
      if (note.at === playing.hold) {
        note.release(playing.hold, playing.after);
        note.render(out, skip + first, out.length - skip - first, LOUDNESS);
      }
      return note.done;
    }
    if (!playing.wanted && note.needs(note.at + AHEAD)) {
      playing.wanted = true;
      this.worker.postMessage({ kind: "more", id, bend: this.bend });
    }
    if (playing.left < Infinity) return this.fade(playing, out);
    note.render(out, 0, out.length, LOUDNESS);
    return note.done;
  }

  fade(playing, out) {
    const own = new Float32Array(out.length);
    playing.note.render(own, 0, own.length, LOUDNESS);
    for (let i = 0; i < own.length; i++) out[i] += own[i] * Math.max(playing.left - i, 0) / FADE;
    playing.left -= out.length;
    return playing.left <= 0 || playing.note.done;
  }

  sway() { // the modulation's vibrato, in steps of 512 samples
    if (currentFrame % 512) return;
    const sway = 0.5 * this.wobble * Math.sin((2 * Math.PI * 5.5 * currentFrame) / sampleRate);
    for (const { note } of this.notes.values()) note.bend(this.bend + sway);
  }
}

registerProcessor("antiphon", Instrument);
