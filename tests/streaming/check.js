// Plays the fixtures with engine.js: node check.js ENGINE.js FIXTURES.json [FOLDER for the whole sounds, float32]
// -> for each note: how far its partials are off, relatively; its samples; dB from an excerpt to what differs, at worst.
const fs = require("fs");
const [engine, file, folder] = process.argv.slice(2);
const A = require(engine), fixtures = JSON.parse(fs.readFileSync(file));

function uniform(seed, count) {
  let state = Number(BigInt(seed) % 4294967296n);
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return state / 4294967296;
  });
}

const tensors = Object.fromEntries(fixtures.tensors.map(([name, shape], number) => {
  const size = shape.length === 2 ? 1.6 / Math.sqrt(shape[1]) : 0.3;
  const drawn = uniform(number + 1, shape.reduce((a, b) => a * b, 1));
  return [name, { shape, data: Float32Array.from(drawn, (x) => size * (2 * x - 1)) }];
}));

const { bands, free_harmonics } = fixtures.config, biases = tensors["heads.bias"].data;
for (let i = bands + free_harmonics + 24; i < biases.length - 2; i++) biases[i] += 1.5; // noise that can be heard

const table = new Map(); // rows of white noise
function white(window, row) {
  const key = `${window} ${row}`;
  if (!table.has(key)) {
    const turns = uniform(65537 * window + 2654435761 * (row + 1), window / 2 + 1), size = Math.sqrt(window);
    const wave = (f) => turns.map((x) => size * f(2 * Math.PI * x));
    table.set(key, { re: wave(Math.cos), im: wave(Math.sin) });
  }
  return table.get(key);
}

const trunk = new A.Trunk(fixtures.config, tensors), said = {};
for (const [name, note] of Object.entries(fixtures.notes)) {
  const { w, pitch, velocity, hold, bend, phase, copies, apart, rate, angle, ratios, detune, shaping } = note;
  const own = trunk.begin(w, pitch, velocity, shaping); // its ratios are right to float32, and would drift from others in seconds
  const far = Math.max(Math.abs(own.detune / detune[0] - 1), ...ratios.map((x, k) => Math.abs(own.ratios[k] / x - 1)));
  const sound = A.whole(trunk, {
    w, pitch, velocity, hold, bend, shaping, inTune: note.in_tune,
    about: { ratios, detune: detune[0] },
    random: { phase, copies, apart, waves: { rate, angle } },
    white: (window, frame) => white(window, (note.first_row + frame) % 1024),
  });
  const excerpts = Object.entries(note.sound).map(([at, samples]) => ({
    power: samples.reduce((sum, x) => sum + x * x, 0),
    error: samples.reduce((sum, x, i) => sum + (x - sound[+at + i]) ** 2, 0),
  }));
  const loudest = Math.max(...excerpts.map(({ power }) => power));
  const nearness = excerpts.map(({ power, error }) => Math.max(power, loudest / 100) / Math.max(error, 1e-30));
  said[name] = { far, samples: sound.length, decibels: 10 * Math.log10(Math.min(...nearness)) };
  if (folder) fs.writeFileSync(`${folder}/${name}.f32`, Buffer.from(sound.buffer));
}
const same = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);
said.knots = same(fixtures.held_knots, fixtures.held_knots.map((_, i) => A.heldKnot(i)))
  && same(fixtures.released_knots, A.RELEASED);
console.log(JSON.stringify(said));
