// What the two parts of an exported page cost in node:
//
//     node benchmarks/web_engine.mjs PAGE.html [OTHER/engine.js] [--rounds 5] [--seconds 6] [--instrument NAME]
//
// 16 held notes, network and sound apart, in processor time as a share of real time; with another
// engine.js both in turn. The least of all rounds counts, since other programs only add to it.
import fs from "fs";
import os from "os";
import path from "path";
import { createRequire } from "module";
import { parseArgs } from "util";

const FIVE = ["acoustic grand piano", "string ensemble 1", "violin", "flute", "drawbar organ"], VOICES = 16;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string" }, seconds: { type: "string" }, instrument: { type: "string", multiple: true } },
});
const ROUNDS = +(values.rounds || 5), SECONDS = +(values.seconds || 6), INSTRUMENTS = values.instrument || FIVE;
const [file, other] = positionals, require = createRequire(import.meta.url), html = fs.readFileSync(file, "utf8");
const part = (id) => html.match(new RegExp(`<script id="${id}"[^>]*>([^]*?)</script>`))[1];

function floats(id) {
  const raw = Buffer.from(part(id), "base64");
  return Float32Array.from({ length: raw.length / 2 }, (_, i) => {
    const h = raw.readUInt16LE(2 * i), e = (h >> 10) & 31, f = h & 1023;
    return (h >> 15 ? -1 : 1) * (e ? 2 ** (e - 15) * (1 + f / 1024) : 2 ** -14 * (f / 1024));
  });
}

function engine(text) { // a module of its own, so that each is optimised for itself
  const place = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "engine-")), "engine.js");
  fs.writeFileSync(place, text);
  const found = require(place);
  fs.rmSync(path.dirname(place), { recursive: true });
  return found;
}

const voice = JSON.parse(part("voice")), weights = floats("weights"), styles = floats("styles"), tensors = {};
let read = 0;
for (const [name, shape] of voice.tensors) {
  tensors[name] = { shape, data: weights.slice(read, (read += shape.reduce((a, b) => a * b, 1))) };
}

const spent = () => { // seconds of this process
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

function play(A, trunk, label) {
  const w = styles.slice(label * (voice.seeds + 1) * voice.config.style).slice(0, voice.config.style);
  const chord = Array.from({ length: VOICES }, (_, i) => ({ pitch: 48 + 2 * i, take: i }));
  let begin = spent();
  for (const note of chord) {
    note.begun = trunk.begin(w, note.pitch, 90);
    note.random = A.chance(note.take, note.begun.ratios.length);
    note.knots = [];
    for (let i = 0; !i || note.knots.at(-2).time < SECONDS * A.RATE + 4096; i += 8) {
      const times = Array.from({ length: 8 }, (_, k) => A.heldKnot(i + k));
      note.knots.push(...trunk.curves(note.begun, times, Infinity, note.random.waves));
    }
  }
  const network = (spent() - begin) / SECONDS, out = new Float32Array(128);
  const notes = chord.map(({ begun, random, take, knots }) => {
    const note = new A.Note(A.sent(begun), random, A.ownWhite(take));
    note.add(knots.slice(0, 24));
    note.strike = A.strikeNoise(note.held, note.white);
    return { note, knots: knots.slice(24) };
  });
  begin = spent();
  for (let i = 0; i < SECONDS * A.RATE; i += 128) {
    for (const { note, knots } of notes) {
      if (note.needs(note.at + 4096)) note.add(knots.splice(0, 8));
      note.render(out, 0, 128, 0.3);
    }
  }
  return { network, sound: (spent() - begin) / SECONDS };
}

const engines = Object.fromEntries([["page", part("engine")], ...(other ? [["other", fs.readFileSync(other, "utf8")]] : [])]
  .map(([name, text]) => {
    const A = engine(text);
    return [name, { A, trunk: new A.Trunk(voice.config, tensors) }];
  }));
const found = {};
for (let round = 0; round < ROUNDS; round++) {
  for (const name of INSTRUMENTS) {
    for (const [which, { A, trunk }] of Object.entries(engines)) {
      const label = Math.max(voice.labels.indexOf(name), 0), { network, sound } = play(A, trunk, label);
      const before = ((found[name] ||= {})[which] ||= { network: Infinity, sound: Infinity });
      before.network = Math.min(before.network, network);
      before.sound = Math.min(before.sound, sound);
    }
  }
}
for (const [name, by] of Object.entries(found)) {
  const text = Object.entries(by).map(([which, { network, sound }]) =>
    `${which}: network ${network.toFixed(3)}, sound ${sound.toFixed(3)}, together ${(network + sound).toFixed(3)}`);
  console.log(`${name.padEnd(22)} ${text.join("; ")}`);
}
