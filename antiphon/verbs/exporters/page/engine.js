"use strict";
// One note of an instrument while it is played, after docs/streaming.md: a network's curves at knots become samples.
// Plain JavaScript without a page: it runs in a Worker (Trunk), in an AudioWorklet (Note) and in node (the tests).
const Antiphon = (() => {
  const RATE = 44100, HOP = 128, LONG = 2048, LONG_HOP = 1024, SHORT = 256, SHORT_HOP = 64, STRIKE = 3584, FADE = 32;
  const FREE = 24, MEASURED = 64, MOST = 256, TOP = 18000, COPIES = 4, WAVES = 6;
  const SPARSEST = 2048, AHEAD = 24, RING = 4 * RATE, TOLD = 30;
  const QUIET = -6.9, AGAIN = 2.0, LEAVE = 512, DIED = 11025, INAUDIBLE = -8.5, NOISE_AS_TONE = -1.5, SILENT = -40;
  const LETTING_GO = 256, STEADY = 1.5, FAINT = 3.0, SWELL = 0.3, UNEVEN = 0.8, LOOSE = 0.5;
  const TURN = (256 * 256 * (1 / 12 - 1 / (2 * Math.PI ** 2))) / 2 / HOP - HOP / 12;
  const DECAYS = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0];

  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  const bounded = (x, low, high) => (high + low) / 2 + ((high - low) / 2) * Math.tanh(x / ((high - low) / 2));
  const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
  const mel = (hz) => 2595 * Math.log10(1 + hz / 700);
  const toHz = (pitch) => 440 * 2 ** ((pitch - 69) / 12);
  const upTo = (x, step) => Math.ceil(x / step) * step; // Infinity stays

  // ---- style vectors, on the sphere of unit mean square ---------------------------------------------------------------

  function dot(a, b) {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
    return sum;
  }

  // The arc from one to another.
  function slerp(a, b, share) {
    const angle = Math.acos(clamp(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)), -1, 1));
    if (angle < 1e-6) return Float32Array.from(a);
    const p = Math.sin((1 - share) * angle) / Math.sin(angle), q = Math.sin(share * angle) / Math.sin(angle);
    return Float32Array.from(a, (x, i) => p * x + q * b[i]);
  }

  // Moved along the sphere by a step: one as long as w itself is one radian.
  function stepped(w, step) {
    const square = dot(w, w), along = dot(step, w) / square, flat = Float64Array.from(step, (x, i) => x - along * w[i]);
    const angle = Math.sqrt((dot(flat, flat) + 1e-24) / square);
    const moved = Float64Array.from(w, (x, i) => Math.cos(angle) * x + (Math.sin(angle) / angle) * flat[i]);
    const scale = 1 / Math.sqrt(dot(moved, moved) / w.length + 1e-8);
    return Float32Array.from(moved, (x) => x * scale);
  }

  // ---- knots ---------------------------------------------------------------------------------------------------------

  function knotsAfter(limit, sparsest, share) {
    const times = [0];
    for (let t = 0; t < limit; times.push(t)) {
      t += clamp(Math.floor(Math.floor(t / share) / 64) * 64, 128, sparsest);
    }
    return times;
  }

  const DENSE = knotsAfter(1 << 18, SPARSEST, 6);
  const heldKnot = (i) => DENSE[Math.min(i, DENSE.length - 1)] + SPARSEST * Math.max(i - DENSE.length + 1, 0);
  const RELEASED = (() => {
    const grid = knotsAfter(1 << 18, 1 << 18, 2);
    return grid.slice(0, grid.findIndex((t) => t >= RING) + 1);
  })();

  // Where `x` lies among ascending `knots`: [left index, share of the right one], constant beyond the ends.
  function between(x, knots, from = 0) {
    const last = knots.length - 1;
    let i = from;
    while (i < last - 1 && knots[i + 1] <= x) i++;
    if (last < 1) return [0, 0];
    return [i, clamp((x - knots[i]) / Math.max(knots[i + 1] - knots[i], 1e-9), 0, 1)];
  }

  // ---- knobs: what a note's are turned to changes the moments that the trunk is asked for, and what it says -------------

  const NEPERS = 0.115129, BEGINNING = 0.25 * RATE, BITE = 0.07, RAMP = 0.004, RISES = 3, SOON = 0.15;
  const KNOBS = {
    tilt: [-24, 24], rise: [-4, 4], slope: [-80, 80], ring: [-4, 3], noise: [-40, 40], odd: [-40, 40], vibrato: [-60, 60],
    unison: [-4, 4], bite: [-24, 24],
  };

  // shaping: a number for each knob, missing ones 0 -> {tilt, ...}; null if none is turned
  function knobsOf(shaping) {
    if (!shaping || !shaping.some((x) => x)) return null;
    const turned = Object.entries(KNOBS).map(([name, [low, high]], i) => [name, clamp(shaping[i] || 0, low, high)]);
    return Object.fromEntries(turned);
  }

  // The shaping that controls make. turns: for each control, and each side of its middle, a number for each knob.
  function shapingOf(turns, places, knobs) {
    const sum = new Float64Array(knobs);
    places.forEach((place, i) => {
      const at = (2 * i + (place > 0 ? 1 : 0)) * knobs;
      for (let k = 0; k < knobs; k++) sum[k] += Math.abs(place) * (turns[at + k] || 0);
    });
    return Array.from(sum);
  }

  const warped = (time, speed) => time + (speed - 1) * BEGINNING * (1 - Math.exp(-time / BEGINNING)); // Infinity stays

  function bentTime(knobs, time, release) {
    if (!knobs) return [time, release];
    const begin = 2 ** -knobs.rise, after = Math.max(time - release, 0) * 2 ** -knobs.ring;
    return [warped(Math.min(time, release), begin) + after, warped(release, begin)];
  }

  function swayed([rate, depth, delay], added) {
    const deep = depth > FAINT || added <= 0 ? Math.max(depth + added, 0) : FAINT + added;
    return [rate, deep, added > 0 ? Math.min(delay, SOON) : delay];
  }

  const octavesAbove = (ratio) => clamp(Math.log2(Math.max(ratio, 1e-6)), -3, 8);

  // Of what a slope changes: octaves above the note's f0; how much each weighs in the power; what is added to each.
  function slantOfPartials(ratios, odd) {
    const octaves = Float64Array.from(ratios, octavesAbove);
    const added = octaves.map((_, k) => (k < FREE ? 0 : NEPERS * odd * ((k - FREE) % 2 ? -0.5 : 0.5)));
    return { octaves, weight: octaves.map(() => 1), added };
  }

  function slantOfBands(count, f0) {
    const low = mel(30), high = mel(20000), last = count - 1;
    const hz = Float64Array.from({ length: count }, (_, i) => 700 * (10 ** ((low + ((high - low) * i) / last) / 2595) - 1));
    const weight = hz.map((_, i) => {
      const a = Math.max(i - 1, 0), b = Math.min(i + 1, last);
      return (hz[b] - hz[a]) / (b - a);
    });
    return { octaves: hz.map((x) => octavesAbove(x / f0)), weight, added: new Float64Array(count) };
  }

  // In place: levels in nepers at a slope of so many an octave, their power as it was, and then all louder.
  function sloped(level, { octaves, weight, added }, slope, louder) {
    let before = 0, after = 0;
    for (let k = 0; k < level.length; k++) {
      before += weight[k] * Math.exp(2 * level[k]);
      after += weight[k] * Math.exp(2 * (level[k] + slope * octaves[k] + added[k]));
    }
    const even = Math.log(before / after) / 2 + louder;
    for (let k = 0; k < level.length; k++) level[k] += slope * octaves[k] + added[k] + even;
  }

  // In place: a knot of a note whose knobs are turned.
  function shape(knot, { knobs, slants }, release) {
    const seconds = knot.time / RATE, held = Math.min(seconds, release / RATE), longer = RAMP * (2 ** knobs.rise - 1);
    const slope = NEPERS * (knobs.tilt + knobs.bite * Math.exp(-seconds / BITE)), louder = NEPERS * knobs.noise;
    const ramp = longer > 1e-6 ? Math.max(Math.log(-Math.expm1(-seconds / longer)), -6) : 0;
    const gain = NEPERS * knobs.slope * (knobs.slope > 0 ? Math.min(held, RISES) : held) + ramp;
    sloped(knot.level, slants.partials, slope, gain);
    sloped(knot.noise, slants.noise, slope, louder + gain);
    sloped(knot.strike, slants.strike, slope, louder + ramp);
    const share = clamp(knot.ensemble, 1e-5, 1 - 1e-5);
    knot.ensemble = sigmoid(Math.log(share / (1 - share)) + 2 * knobs.unison);
  }

  // ---- the network ---------------------------------------------------------------------------------------------------

  function pitchFeatures(pitch) {
    const x = (pitch - 60) / 48, waves = [x, x * x];
    for (const period of [2, 1, 0.5]) {
      waves.push(Math.sin((2 * Math.PI * x) / period), Math.cos((2 * Math.PI * x) / period));
    }
    return waves;
  }

  function timeFeatures(sample, release) {
    let t = sample / RATE, held = release / RATE;
    const beyond = Math.max(Math.min(t, held) - TOLD, 0);
    t -= beyond;
    held -= beyond;
    const after = Math.max(t - held, 0), released = t >= held ? 1 : 0, out = [];
    const at = (x, count, on) => {
      const y = Math.log1p(x / 0.003), width = 8 / (count - 1);
      for (let i = 0; i < count; i++) out.push(on * Math.exp(-0.5 * ((y - i * width) / width) ** 2));
      for (const seconds of DECAYS) out.push(on * Math.exp(-x / seconds));
      out.push((on * x) / 4);
    };
    at(t, 20, 1);
    at(after, 16, released);
    const length = Math.log1p((released ? held : t) / 0.05) / 3;
    out.push(released, length * released, length);
    return out;
  }

  // waves: {rate, angle}, 6 x 4 numbers in 0..1 each -> 6 values of smooth noise
  function slowWaves(waves, sample) {
    const out = [];
    for (let d = 0; d < WAVES; d++) {
      let sum = 0;
      for (let i = 4 * d; i < 4 * d + 4; i++) {
        const rate = 0.3 * Math.exp(waves.rate[i] * Math.log(7 / 0.3));
        sum += Math.sin(2 * Math.PI * ((sample / RATE) * rate + waves.angle[i]));
      }
      out.push(sum * Math.sqrt(0.5));
    }
    return out;
  }

  // Code of a product of matrices for WebAssembly, `rows` rows at a time, eight outputs side by side: 4-lane arithmetic is
  // what JavaScript itself lacks. (weights, biases, x, y, bytes of a row of x, bytes of a row of y), all addresses.
  function productCode(rows) {
    const get = (i) => [0x20, i], set = (i) => [0x21, i], add = [0x6a], constant = (n) => [0x41, n];
    const load = (offset) => [0xfd, 0x00, 2, offset], splat = [0xfd, 0x09, 2, 0], store = (offset) => [0xfd, 0x0b, 2, offset];
    const plus = [0xfd, 0xe4, 0x01], times = [0xfd, 0xe6, 0x01], loop = [0x03, 0x40], end = [0x0b];
    const [weights, biases, x, y, wide, high, at, out] = [0, 1, 2, 3, 4, 5, 6, 7];
    const base = (r) => 8 + r, [left, right, one] = [8, 9, 10].map((i) => i + rows), sum = (r, half) => one + 1 + 2 * r + half;
    const row = (from, stride, r) => [...get(from), ...Array(r).fill([...get(stride), ...add]).flat()], body = [];
    const again = (i, step, most) => [...get(i), ...constant(step), ...add, 0x22, i, ...get(most), 0x49, 0x0d, 0];
    body.push(2, 2 + rows, 0x7f, 3 + 2 * rows, 0x7b); // integers, then vectors
    for (let r = 0; r < rows; r++) body.push(...row(x, wide, r), ...set(base(r)));
    body.push(...loop);
    for (let r = 0; r < rows; r++) {
      for (const half of [0, 1]) body.push(...get(biases), ...get(out), ...add, ...load(16 * half), ...set(sum(r, half)));
    }
    body.push(...constant(0), ...set(at), ...loop);
    body.push(...get(weights), ...load(0), ...set(left), ...get(weights), ...load(16), ...set(right));
    for (let r = 0; r < rows; r++) {
      body.push(...get(base(r)), ...get(at), ...add, ...splat, ...set(one));
      for (const [half, weight] of [[0, left], [1, right]]) {
        body.push(...get(sum(r, half)), ...get(weight), ...get(one), ...times, ...plus, ...set(sum(r, half)));
      }
    }
    body.push(...get(weights), ...constant(32), ...add, ...set(weights), ...again(at, 4, wide), ...end);
    for (let r = 0; r < rows; r++) {
      for (const half of [0, 1]) body.push(...row(y, high, r), ...get(out), ...add, ...get(sum(r, half)), ...store(16 * half));
    }
    return [...body, ...again(out, 32, high), ...end, ...end];
  }

  const PRODUCTS = (() => { // the module: imports a memory, exports a product of one row and of four
    const number = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...number(n >> 7)]);
    const section = (id, ...bytes) => [id, ...number(bytes.length), ...bytes], name = (c) => [1, c.charCodeAt(0)];
    const codes = [productCode(1), productCode(4)].map((code) => [...number(code.length), ...code]).flat();
    return Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
      ...section(1, 1, 0x60, 6, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0),
      ...section(2, 1, ...name("e"), ...name("m"), 2, 0, 1),
      ...section(3, 2, 0, 0),
      ...section(7, 2, ...name("1"), 0, 0, ...name("4"), 0, 1),
      ...section(10, 2, ...codes)]);
  })();

  // Layers in one memory, eight outputs side by side. -> (layer, x, rows) -> rows x out; null where the browser has no
  // such arithmetic, or a page of its own forbids it.
  function products(layers, mostRows) {
    const eights = (n) => 8 * Math.ceil(n / 8), widest = Math.max(...layers.map((l) => Math.max(l.in, eights(l.out))));
    const room = layers.reduce((sum, l) => sum + eights(l.out) * (l.in + 1), 2 * mostRows * widest);
    let memory, code;
    try {
      memory = new WebAssembly.Memory({ initial: Math.ceil(room / (1 << 14)) });
      code = new WebAssembly.Instance(new WebAssembly.Module(PRODUCTS), { e: { m: memory } }).exports;
    } catch {
      return null;
    }
    const all = new Float32Array(memory.buffer), xs = 0, ys = mostRows * widest, places = new Map();
    let end = 2 * mostRows * widest;
    for (const layer of layers) {
      const { weight, bias, in: n, out: m } = layer, biases = end + eights(m) * n;
      for (let o = 0; o < m; o++) {
        for (let i = 0; i < n; i++) all[end + (o - (o % 8)) * n + 8 * i + (o % 8)] = weight[o * n + i];
      }
      all.set(bias, biases);
      places.set(layer, [4 * end, 4 * biases]);
      end = biases + eights(m);
      layer.weight = null; // its only copy is that in the memory
    }
    return (layer, x, rows) => {
      const { in: n, out: m } = layer, high = eights(m), y = new Float32Array(rows * m), [weights, biases] = places.get(layer);
      all.set(x, xs);
      for (let r = 0; r < rows; r += rows - r < 4 ? 1 : 4) {
        code[rows - r < 4 ? 1 : 4](weights, biases, 4 * (xs + r * n), 4 * (ys + r * high), 4 * n, 4 * high);
      }
      for (let r = 0; r < rows; r++) y.set(all.subarray(ys + r * high, ys + r * high + m), r * m);
      return y;
    };
  }

  // The same without WebAssembly: four rows at a time, side by side in float64, so that each weight is read once for them.
  function linear(layer, x, rows) {
    const { weight, bias } = layer, n = layer.in, m = layer.out, y = new Float32Array(rows * m);
    let r = 0;
    for (const four = new Float64Array(rows < 4 ? 0 : 4 * n); r + 4 <= rows; r += 4) {
      for (let i = 0; i < n; i++) for (let q = 0; q < 4; q++) four[4 * i + q] = x[(r + q) * n + i];
      for (let o = 0; o < m; o++) {
        let a = bias[o], b = a, c = a, d = a;
        for (let i = 0, k = o * n; i < 4 * n; i += 4, k++) {
          const w = weight[k];
          a += w * four[i];
          b += w * four[i + 1];
          c += w * four[i + 2];
          d += w * four[i + 3];
        }
        const at = r * m + o;
        y[at] = a;
        y[at + m] = b;
        y[at + 2 * m] = c;
        y[at + 3 * m] = d;
      }
    }
    for (; r < rows; r++) {
      for (let o = 0; o < m; o++) {
        let sum = bias[o];
        for (let i = r * n, k = o * n; k < (o + 1) * n; i++, k++) sum += weight[k] * x[i];
        y[r * m + o] = sum;
      }
    }
    return y;
  }

  const silu = (x) => {
    for (let i = 0; i < x.length; i++) x[i] *= sigmoid(x[i]);
    return x;
  };

  function rmsNorm(x, rows, width) {
    const y = new Float32Array(x.length);
    for (let r = 0, i = 0; r < rows; r++) {
      let sum = 0;
      for (let j = 0; j < width; j++) sum += x[i + j] * x[i + j];
      const scale = 1 / Math.sqrt(sum / width + 1e-6);
      for (let j = 0; j < width; j++, i++) y[i] = x[i] * scale;
    }
    return y;
  }

  // tensors: {name: {shape, data}}, those of the generator; config: its widths.
  class Trunk {
    constructor(config, tensors) {
      const layers = [], layer = (name) => {
        const weight = tensors[`${name}.weight`], bias = tensors[`${name}.bias`];
        layers.push({ weight: weight.data, bias: bias.data, out: weight.shape[0], in: weight.shape[1] });
        return layers.at(-1);
      };
      this.config = config;
      this.conditioner = [layer("conditioner.0"), layer("conditioner.2")];
      this.tuner = [layer("tuner.0"), layer("tuner.2")];
      [this.enter, this.greet, this.heads, this.unison] = ["enter", "greet", "heads", "unison"].map(layer);
      this.blocks = Array.from({ length: config.blocks }, (_, i) =>
        Object.fromEntries(["film", "up", "down"].map((part) => [part, layer(`trunk.${i}.${part}`)])));
      const low = mel(30), high = mel(20000);
      const centres = (n) => Float64Array.from({ length: n }, (_, i) => low + ((high - low) * i) / (n - 1));
      this.centres = centres(config.bands);
      this.linear = products(layers, AHEAD) || linear;
    }

    // What never changes in a note: where its partials lie, and what the trunk is told at each knot.
    // shaping: how far its knobs are turned.
    begin(w, pitch, velocity, shaping = null) {
      const v = velocity / 127, features = pitchFeatures(pitch);
      const told = this.linear(this.conditioner[1],
        silu(this.linear(this.conditioner[0], Float32Array.from([...w, ...features, v, v * v]), 1)), 1);
      const condition = silu(told);
      const tuning = this.tuning(w, features, v);
      const note = { pitch, velocity, ...this.partials(pitch, tuning) };
      note.detune = 8 * Math.exp(bounded(this.linear(this.unison, condition, 1)[0], -2, 2));
      note.greeting = this.linear(this.greet, condition, 1);
      note.films = this.blocks.map((block) => this.linear(block.film, condition, 1));
      return this.turn(note, knobsOf(shaping));
    }

    turn(note, knobs) {
      if (!knobs) return note;
      const { noise_bands: noise, strike_bands: strike } = this.config, f0 = toHz(note.pitch);
      const partials = slantOfPartials(note.ratios, knobs.odd);
      note.detune *= 2 ** Math.min(knobs.unison, 0);
      note.vibrato = swayed(note.vibrato, knobs.vibrato);
      return Object.assign(note, { knobs, slants: { partials, noise: slantOfBands(noise, f0), strike: slantOfBands(strike, f0) } });
    }

    tuning(w, features, v) {
      const x = this.linear(this.tuner[1], silu(this.linear(this.tuner[0], Float32Array.from([...w, ...features, v]), 1)), 1);
      let at = 0;
      const take = (n) => x.subarray(at, (at += n));
      const [bend, b, place, active, cents, vibrato] = [MEASURED, 1, FREE, FREE, 1, 3].map(take);
      const stretch = Math.exp(bounded(b[0] * 4 - 10, -18, -4)), step = Math.log(24 / 0.2) / FREE;
      return {
        stretch,
        ratios: Array.from(bend, (y, i) => stretched(i + 1, stretch) * (1 + 0.03 * Math.tanh(y))),
        free: Array.from(place, (y, i) => 0.2 * Math.exp(step * (i + sigmoid(4 * y)))),
        gains: Array.from(active, (y) => clamp((sigmoid(8 * y) - 0.4) / 0.2, 0, 1)),
        cents: 60 * Math.tanh(cents[0]),
        vibrato: [5.5 + 2.5 * Math.tanh(vibrato[0]), 40 * sigmoid(4 * vibrato[1] - 4), sigmoid(vibrato[2])],
      };
    }

    // The free partials, then the harmonics: ratios to f0, what is added to their levels, where the envelope is read.
    partials(pitch, tuning) {
      const f0 = toHz(pitch), harmonics = Math.floor(clamp(TOP / f0, 1, MOST)), count = FREE + harmonics;
      const ratios = new Float64Array(count), gains = new Float32Array(count), left = new Uint16Array(count);
      const share = new Float32Array(count);
      for (let k = 0; k < count; k++) {
        const h = k - FREE;
        ratios[k] = h < 0 ? tuning.free[k] : h < MEASURED ? tuning.ratios[h] : stretched(h + 1, tuning.stretch);
        const hz = f0 * ratios[k], heard = hz > 18 && hz < TOP + 500 ? 1 : 0;
        gains[k] = Math.log((h < 0 ? tuning.gains[k] : 1) * heard + 1e-7);
        [left[k], share[k]] = between(mel(hz), this.centres);
      }
      return { harmonics, ratios, gains, left, share, cents: tuning.cents, vibrato: tuning.vibrato };
    }

    // Curves at knots `times` (samples): an array of knots. release: samples, Infinity while held; waves: of slowWaves;
    // bend: (sample) -> semitones.
    curves(note, times, release, waves, bend = () => 0) {
      const rows = times.length, { width } = this.config;
      const given = Float32Array.from(times.flatMap((t) =>
        [...timeFeatures(...bentTime(note.knobs, t, release)), ...slowWaves(waves, t), bend(t) / 12]));
      let x = this.linear(this.enter, given, rows);
      for (let i = 0; i < x.length; i++) x[i] += note.greeting[i % width];
      this.blocks.forEach((block, b) => this.step(block, note.films[b], x, rows));
      const y = this.linear(this.heads, rmsNorm(x, rows, width), rows);
      return times.map((time, r) => this.read(note, time, release, y.subarray(r * this.heads.out, (r + 1) * this.heads.out)));
    }

    step(block, film, x, rows) {
      const { width, hidden } = this.config, h = rmsNorm(x, rows, width), gated = new Float32Array(rows * hidden);
      for (let r = 0, i = 0; r < rows; r++) {
        for (let j = 0; j < width; j++, i++) h[i] = h[i] * (1 + film[j]) + film[width + j];
      }
      const up = this.linear(block.up, h, rows);
      for (let r = 0; r < rows; r++) {
        for (let j = 0, i = 2 * r * hidden; j < hidden; j++, i++) {
          gated[r * hidden + j] = up[i] * sigmoid(up[i]) * up[i + hidden];
        }
      }
      const down = this.linear(block.down, gated, rows);
      for (let r = 0, i = 0; r < rows; r++) {
        for (let j = 0; j < width; j++, i++) x[i] += (1 + film[2 * width + j]) * down[i];
      }
    }

    read(note, time, release, y) {
      const c = this.config;
      let at = 0;
      const take = (n) => y.subarray(at, (at += n));
      const envelope = take(c.bands), low = take(c.free_harmonics), free = take(FREE);
      const noise = Float32Array.from(take(c.noise_bands), (z) => bounded(4 * z - 10, -16, 0));
      const strike = Float32Array.from(take(c.strike_bands), (z) => bounded(4 * z - 10, -16, 0));
      const ensemble = sigmoid(4 * take(1)[0] - 3), drift = 60 * Math.tanh((4 * take(1)[0]) / 60);
      const level = new Float32Array(note.ratios.length);
      for (let k = 0; k < level.length; k++) {
        const i = note.left[k], share = note.share[k], h = k - FREE;
        const common = 4 * (envelope[i] * (1 - share) + envelope[i + 1] * share) - 4;
        const own = h < 0 ? 4 * free[k] - 4 : h < c.free_harmonics ? 4 * low[h] : 0;
        level[k] = bounded(common + own, -14, 2) + note.gains[k];
      }
      const knot = { time, level, noise, strike, ensemble, drift };
      if (note.knobs) shape(knot, note, release);
      let power = 0;
      for (let k = 0; k < level.length; k++) power += Math.exp(2 * level[k]);
      knot.loud = Math.max(Math.log(power) / 2, Math.max(...noise) + NOISE_AS_TONE);
      return knot;
    }
  }

  const stretched = (k, b) => k * Math.sqrt((1 + b * k * k) / (1 + b));

  // ---- noise ---------------------------------------------------------------------------------------------------------

  // Inverse FFT of a real signal of `size` samples, by a complex one of half the size; spectra are two arrays of
  // size / 2 + 1.
  class RealInverse {
    constructor(size) {
      this.size = size;
      this.re = new Float64Array(size / 2);
      this.im = new Float64Array(size / 2);
      this.out = new Float64Array(size);
      this.cos = Float64Array.from({ length: size / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / size));
      this.sin = Float64Array.from({ length: size / 2 }, (_, i) => Math.sin((2 * Math.PI * i) / size));
      const bits = Math.log2(size / 2);
      this.order = Uint16Array.from({ length: size / 2 }, (_, i) => {
        let r = 0;
        for (let b = 0; b < bits; b++) r |= ((i >> b) & 1) << (bits - 1 - b);
        return r;
      });
    }

    fours() { // the first two rounds, which need no products
      const { re, im } = this;
      for (let i = 0; i < re.length; i += 4) {
        const a = re[i] + re[i + 1], b = re[i] - re[i + 1], c = re[i + 2] + re[i + 3], d = re[i + 2] - re[i + 3];
        const p = im[i] + im[i + 1], q = im[i] - im[i + 1], r = im[i + 2] + im[i + 3], s = im[i + 2] - im[i + 3];
        re[i] = a + c;
        re[i + 1] = b - s;
        re[i + 2] = a - c;
        re[i + 3] = b + s;
        im[i] = p + r;
        im[i + 1] = q + d;
        im[i + 2] = p - r;
        im[i + 3] = q - d;
      }
    }

    rounds(length) { // two at once: pairs `length` / 4 apart, then `length` / 2
      const { size, re, im, cos, sin } = this, half = size / 2, wide = length / 4, step = size / length;
      for (let start = 0; start < half; start += length) {
        for (let i = start, t = 0; i < start + wide; i++, t += step) {
          const j = i + wide, k = j + wide, l = k + wide, c = cos[t], d = sin[t], c2 = cos[2 * t], d2 = sin[2 * t];
          const a = re[j] * c2 - im[j] * d2, p = re[j] * d2 + im[j] * c2, b = re[l] * c2 - im[l] * d2, q = re[l] * d2 + im[l] * c2;
          const e = re[k] + b, f = im[k] + q, g = re[k] - b, h = im[k] - q;
          const u = e * c - f * d, v = e * d + f * c, x = g * c - h * d, y = g * d + h * c, m = re[i], n = im[i];
          re[i] = m + a + u;
          im[i] = n + p + v;
          re[k] = m + a - u;
          im[k] = n + p - v;
          re[j] = m - a - y;
          im[j] = n - p + x;
          re[l] = m - a + y;
          im[l] = n - p - x;
        }
      }
    }

    lastRound() {
      const { re, im, cos, sin } = this, wide = re.length / 2;
      for (let i = 0; i < wide; i++) {
        const j = i + wide, c = cos[2 * i], d = sin[2 * i], a = re[j] * c - im[j] * d, b = re[j] * d + im[j] * c;
        re[j] = re[i] - a;
        im[j] = im[i] - b;
        re[i] += a;
        im[i] += b;
      }
    }

    run(real, imag) {
      const { size, re, im, cos, sin, order, out } = this, half = size / 2;
      for (let i = 0; i < half; i++) {
        const k = order[i], o = half - k, p = k ? imag[k] : 0, q = k ? -imag[o] : 0;
        const a = real[k] - real[o], b = p - q;
        re[i] = (real[k] + real[o] - a * sin[k] - b * cos[k]) / size;
        im[i] = (p + q + a * cos[k] - b * sin[k]) / size;
      }
      this.fours();
      let length = 16;
      for (; length <= half; length *= 4) this.rounds(length);
      if (length === 2 * half) this.lastRound();
      for (let i = 0; i < half; i++) {
        out[2 * i] = re[i];
        out[2 * i + 1] = im[i];
      }
      return out;
    }
  }

  // White spectra become frames: band gains in nepers spread over bins, a sine window.
  class Frames {
    constructor(bands, window, hop) {
      const low = mel(30), high = mel(20000), bins = window / 2 + 1;
      const centres = Float64Array.from({ length: bands }, (_, i) => low + ((high - low) * i) / (bands - 1));
      this.left = new Uint16Array(bins);
      this.share = new Float64Array(bins);
      for (let b = 0; b < bins; b++) [this.left[b], this.share[b]] = between(mel((b * RATE) / window), centres);
      this.inverse = new RealInverse(window);
      this.shape = Float64Array.from({ length: window }, (_, i) =>
        Math.sin((Math.PI * (i + 0.5)) / window) * Math.sqrt((2 * hop) / window));
      this.re = new Float64Array(bins);
      this.im = new Float64Array(bins);
    }

    // bands: nepers; white: (re, im) of a frame -> (window,) samples
    make(bands, white, gain = 1) {
      const { left, share, re, im } = this;
      for (let b = 0; b < re.length; b++) {
        const i = left[b], s = share[b], g = gain * Math.exp(bands[i] * (1 - s) + bands[i + 1] * s);
        re[b] = g * white.re[b];
        im[b] = g * white.im[b];
      }
      const wave = this.inverse.run(re, im), made = new Float32Array(wave.length);
      for (let i = 0; i < made.length; i++) made[i] = this.shape[i] * wave[i];
      return made;
    }
  }

  const framesOf = (() => {
    const made = new Map();
    return (bands, window, hop) => {
      const key = `${bands} ${window}`;
      if (!made.has(key)) made.set(key, new Frames(bands, window, hop));
      return made.get(key);
    };
  })();

  // Noise spectra of this machine's own: normal numbers from one table, read at another place for each frame.
  const NORMAL = (() => {
    const next = dice(20260), table = new Float32Array(1 << 16);
    for (let i = 0; i < table.length; i += 2) {
      const size = Math.sqrt(-2 * Math.log(1 - next())), angle = 2 * Math.PI * next();
      table[i] = size * Math.cos(angle);
      table[i + 1] = size * Math.sin(angle);
    }
    return table;
  })();

  function ownWhite(take) {
    return (window, frame) => {
      const bins = window / 2 + 1, re = new Float64Array(bins), im = new Float64Array(bins), scale = Math.sqrt(window / 2);
      let at = (Math.imul(take ^ window, 2654435761) + Math.imul(frame, 40503)) >>> 0;
      for (let b = 0; b < bins; b++) {
        re[b] = scale * NORMAL[at++ & 0xffff];
        im[b] = scale * NORMAL[at++ & 0xffff];
      }
      return { re, im };
    };
  }

  // (3584,) the noise of the first 81 ms, from the first knots.
  function strikeNoise(knots, white) {
    const out = new Float32Array(STRIKE), times = knots.map((k) => k.time), bands = knots[0].strike.length;
    const frames = framesOf(bands, SHORT, SHORT_HOP), mixed = new Float32Array(bands);
    for (let f = 0; f < STRIKE / SHORT_HOP + 3; f++) {
      const centre = Math.max((f - 1) * SHORT_HOP, 0), [i, s] = between(centre, times);
      const gain = clamp((STRIKE - SHORT - centre) / (STRIKE / 3), 0, 1);
      if (gain === 0) continue;
      for (let b = 0; b < bands; b++) mixed[b] = knots[i].strike[b] * (1 - s) + knots[i + 1].strike[b] * s;
      const wave = frames.make(mixed, white(SHORT, f), gain);
      const begin = (f - 3) * SHORT_HOP;
      for (let n = Math.max(-begin, 0); n < SHORT && begin + n < STRIKE; n++) out[begin + n] += wave[n];
    }
    return out;
  }

  // ---- chance --------------------------------------------------------------------------------------------------------

  // Numbers in [0, 1) (mulberry32).
  function dice(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), state | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  // All that is random in a note: phases of its partials and of their copies, how far copies are apart, slow waves.
  function chance(take, count) {
    const next = dice(Math.imul(take + 1, 2654435761)), some = (n) => Float64Array.from({ length: n }, next);
    const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
    return {
      waves: { rate: some(4 * WAVES), angle: some(4 * WAVES) },
      phase: some(count),
      copies: some(COPIES * count),
      apart: Float64Array.from({ length: COPIES }, normal),
    };
  }

  // ---- a note --------------------------------------------------------------------------------------------------------

  // What is sent from the Trunk to a Note is plain data, so that it may pass between threads.
  const sent = ({ pitch, velocity, ratios, detune, cents, vibrato }) =>
    ({ pitch, velocity, ratios, detune, cents, vibrato });

  class Note {
    // about: of `sent`; random: of `chance`; white: (window, frame) -> spectrum; bend: [[seconds, semitones], ...]
    constructor(about, random, white, { inTune = true, bend = [] } = {}) {
      Object.assign(this, about);
      this.random = random;
      this.white = white;
      this.inTune = inTune;
      this.points = bend.map(([t, s]) => [t * RATE, s]);
      this.at = 0; // samples that were rendered
      this.held = [];
      this.after = [];
      this.sounded = -Infinity; // the peak of knots that were dropped
      this.last = 0; // when it last sounded
      this.releasedAt = this.died = this.end = Infinity;
      this.block = -1; // the last block that was computed
      this.summed = 0; // cycles up to it, by trapezoids
      this.cycles = [0, 0]; // per sample, at the block before and at it
      this.now = this.next = null;
      this.tone = new Float64Array(HOP);
      this.noise = { number: -1, held: null, after: null };
      this.strike = new Float32Array(0);
      this.noisiness = 1; // gain of all its noise
      const count = this.ratios.length, room = count + 3;
      [this.spare, this.other] = [0, 1].map(() => ({ re: new Float64Array(room), im: new Float64Array(room) }));
      this.stretch_ = null; // of partials between two knots
      this.hz = Float64Array.from(this.ratios, (r) => toHz(this.pitch) * r);
      this.spin = Float64Array.from({ length: COPIES * count }, (_, i) => {
        const apart = random.apart[Math.floor(i / count)];
        return ((this.hz[i % count] * (2 ** ((this.detune * apart) / 1200) - 1)) / RATE) * HOP;
      });
    }

    get done() {
      return this.at >= this.end;
    }

    get released() {
      return this.releasedAt < Infinity;
    }

    // Until when knots of the held note must be known for samples up to `time`.
    needs(time) {
      return !this.released && (this.held.length < 2 || this.held[this.held.length - 2].time < time);
    }

    // More knots of the held note, in order; the first time at least 24 of them (fewer only in haste).
    add(knots) {
      const begins = !this.held.length && this.sounded === -Infinity;
      let peak = begins ? Math.max(...knots.slice(0, AHEAD).map((k) => k.loud)) : this.peak;
      for (const knot of knots) {
        knot.peak = peak = Math.max(peak, knot.loud);
        if (knot.loud > peak + QUIET) this.last = knot.time;
        else if (knot.time - this.last >= DIED) this.died = Math.min(this.died, knot.time);
        this.held.push(this.listened(knot));
      }
      this.peak = peak;
      if (!this.released) this.end = upTo(this.died, 512);
      const past = this.held.findIndex((k) => k.time > this.at - LONG_HOP) - 3;
      for (const knot of past > 0 ? this.held.splice(0, past) : []) this.sounded = Math.max(this.sounded, knot.loud);
      this.settle(this.held);
    }

    listened(knot) {
      const heard = (knot.heard = new Uint8Array(knot.level.length)), least = knot.peak + INAUDIBLE;
      for (let k = 0; k < heard.length; k++) heard[k] = knot.level[k] > least ? 1 : 0;
      return knot;
    }

    // A partial is rendered from the knot before it is audible to the knot after.
    settle(knots) {
      knots.forEach((knot, i) => {
        const before = (knots[i - 1] || knot).heard, next = (knots[i + 1] || knot).heard;
        knot.kept = new Uint8Array(knot.heard.length);
        for (let k = 0; k < next.length; k++) knot.kept[k] = knot.heard[k] | before[k] | next[k];
      });
    }

    // Released at sample `time`; after: the knots from there on.
    release(time, after) {
      if (this.released || this.done) return;
      this.releasedAt = time;
      for (const knot of this.held) if (knot.time <= time) this.sounded = Math.max(this.sounded, knot.loud);
      const top = Math.max(this.sounded, ...after.map((k) => k.loud)), silent = top + QUIET;
      let lowest = Infinity;
      for (const knot of after) {
        if (knot.time > time) lowest = Math.min(lowest, knot.loud);
        const allowed = lowest + AGAIN * Math.max(lowest - silent, 0) - knot.loud;
        const hush = Math.min(allowed, 0);
        knot.loud += hush;
        for (let k = 0; k < knot.level.length; k++) knot.level[k] += hush;
        for (let b = 0; b < knot.noise.length; b++) knot.noise[b] += hush;
        knot.peak = top;
        this.listened(knot);
      }
      this.after = after;
      this.settle(after);
      const end = clamp(lastSounding(after, silent), time + LEAVE, time + RING), early = upTo(this.died, 512);
      this.end = early - LEAVE <= time ? early : upTo(end, 512);
    }

    // Moves the pitch to `semitones` off its key, over `glide` samples from the next block on.
    bend(semitones, glide = 512) {
      const begin = (this.block + 2) * HOP, now = this.bent(begin);
      this.points = this.points.filter(([t]) => t < begin);
      this.points.push([begin, now], [begin + glide, semitones]);
      if (this.points.length > 64) this.points.splice(0, this.points.length - 64);
    }

    bent(time) {
      const p = this.points;
      if (!p.length) return 0;
      if (time <= p[0][0]) return p[0][1];
      for (let i = p.length - 1; i >= 0; i--) {
        if (p[i][0] > time) continue;
        if (i === p.length - 1) return p[i][1];
        return p[i][1] + ((p[i + 1][1] - p[i][1]) * (time - p[i][0])) / Math.max(p[i + 1][0] - p[i][0], 1e-9);
      }
      return p[0][1];
    }

    // ---- pitch

    switch() {
      return upTo(this.releasedAt, HOP) / HOP + 1;
    }

    frequency(block) {
      const at = block * HOP, knots = this.after.length && block >= this.switch() ? this.after : this.held;
      const [rate, depth, delay] = this.vibrato;
      const heard = (y) => (depth > FAINT ? y : y * clamp(Math.abs(y) / STEADY - 1, 0, 1));
      const i = segment(knots, at), a = knots[i], b = knots[Math.min(i + 1, knots.length - 1)];
      const s = clamp((at - a.time) / Math.max(b.time - a.time, 1e-9), 0, 1);
      let cents = heard(a.drift) * (1 - s) + heard(b.drift) * s;
      if (!this.inTune) cents += this.cents;
      if (depth > FAINT) {
        const since = Math.max(at / RATE - delay, 0);
        cents += depth * Math.min(since / SWELL, 1) * Math.sin(2 * Math.PI * rate * since);
      }
      return (440 / RATE) * 2 ** ((this.pitch - 69 + this.bent(at)) / 12 + cents / 1200);
    }

    // ---- partials

    // The next block: amplitude, phase and frequency of each partial at its centre.
    advance() {
      const n = ++this.block, here = this.frequency(n), next = this.frequency(n + 1);
      const before = n ? this.cycles[1] : 2 * here - next;
      this.summed = n ? this.summed + (before + here) * (HOP / 2) : (next - here) * (HOP / 12);
      this.cycles = [before, here];
      if (!n) this.home = here;
      const gone = this.summed + ((next - before) / 2) * TURN;
      const band = Math.round((1200 * Math.log2(here / this.home)) / (2 * STEADY));
      return this.partialsAt(n, gone, this.home * 2 ** ((band * 2 * STEADY) / 1200));
    }

    partialsAt(n, gone, cycles) {
      const time = n * HOP, knots = this.after.length && n >= this.switch() ? this.after : this.held;
      const i = segment(knots, time), a = knots[i], b = knots[Math.min(i + 1, knots.length - 1)];
      const s = clamp((time - a.time) / Math.max(b.time - a.time, 1e-9), 0, 1);
      const share = a.ensemble * (1 - s) + b.ensemble * s, plainShare = Math.sqrt(Math.max(1 - share * share, 1e-4));
      const stretch = this.stretchOf(n, a, b, s), { list, levels, rise, copies, spin } = stretch, { phase } = this.random;
      const size = list.length, { re, im } = this.spare;
      let power = 0, moved = 0;
      for (let j = 0; j < size; j++) {
        let x = 0, y = 0;
        for (let u = 2 * COPIES * j; u < 2 * COPIES * (j + 1); u += 2) {
          const c = copies[u], d = copies[u + 1], p = spin[u], q = spin[u + 1];
          x += c;
          y += d;
          copies[u] = c * p - d * q; // of the next block
          copies[u + 1] = c * q + d * p;
        }
        x = plainShare + (share * x) / 2;
        y = (share * y) / 2;
        const g = levels[j], k = list[j];
        levels[j] *= rise[j];
        power += g * g;
        moved += g * g * (x * x + y * y);
        const turns = phase[k] + gone * this.ratios[k], angle = 2 * Math.PI * (turns - Math.floor(turns));
        const c = Math.cos(angle), d = Math.sin(angle);
        re[j] = g * (c * x - d * y);
        im[j] = g * (c * y + d * x);
      }
      const even = evened(power, moved, time / RATE), fours = 4 * Math.ceil(size / 4);
      for (let j = 0; j < fours; j++) {
        re[j] = j < size ? re[j] * even : 0;
        im[j] = j < size ? im[j] * even : 0;
      }
      const made = Object.assign(this.spare, { size, turn: this.turns(list, cycles) });
      this.spare = this.other;
      this.other = made;
      return made;
    }

    // The partials between two knots: their amplitudes and the turns of their copies at block `n`, and what these are
    // multiplied with from block to block. It is made anew where the blocks do not follow one another evenly.
    stretchOf(n, a, b, s) {
      const last = this.stretch_, step = HOP / Math.max(b.time - a.time, 1e-9), kept = [a.kept, b.kept];
      const same = last && last.a === a && last.b === b && last.kept[0] === kept[0] && last.kept[1] === kept[1];
      if (same && last.n + 1 === n && Math.abs(s - last.s - step) < 1e-9) return Object.assign(last, { n, s });
      const list = same ? last.list : activeIn(a, b), size = list.length, count = this.ratios.length;
      const levels = new Float64Array(size), rise = new Float64Array(size);
      const copies = new Float64Array(2 * COPIES * size), spin = new Float64Array(2 * COPIES * size);
      for (let j = 0; j < size; j++) {
        const k = list[j], from = a.kept[k] ? a.level[k] : SILENT, to = b.kept[k] ? b.level[k] : SILENT;
        levels[j] = Math.exp(from * (1 - s) + to * s);
        rise[j] = Math.exp((to - from) * step);
        for (let u = 0; u < COPIES; u++) {
          const at = 2 * (COPIES * j + u), turns = this.random.copies[u * count + k] + this.spin[u * count + k] * n;
          const angle = 2 * Math.PI * (turns - Math.floor(turns)), each = 2 * Math.PI * this.spin[u * count + k];
          copies[at] = Math.cos(angle);
          copies[at + 1] = Math.sin(angle);
          spin[at] = Math.cos(each);
          spin[at + 1] = Math.sin(each);
        }
      }
      return (this.stretch_ = { a, b, kept, n, s, list, levels, rise, copies, spin });
    }

    // e^{iw} and e^{i128w} of each partial; kept while the pitch is steady.
    turns(list, cycles) {
      if (this.kept && this.kept.list === list && this.kept.cycles === cycles) return this.kept.turn;
      const turn = new Float64Array(16 * Math.ceil(list.length / 4)); // of whole fours
      for (let j = 0; j < list.length; j++) {
        const w = 2 * Math.PI * Math.min(cycles * this.ratios[list[j]], 0.49);
        turn[4 * j] = Math.cos(w);
        turn[4 * j + 1] = Math.sin(w);
        turn[4 * j + 2] = Math.cos(HOP * w);
        turn[4 * j + 3] = Math.sin(HOP * w);
      }
      this.kept = { list, cycles, turn };
      return turn;
    }

    // ---- sound

    // Adds `count` samples to `out` from `offset` on, times `gain`.
    render(out, offset, count, gain = 1) {
      while (count > 0 && !this.done) {
        const within = this.at % HOP, part = Math.min(HOP - within, count, this.end - this.at);
        if (within === 0) this.hop();
        const plain = this.at >= STRIKE && this.at + part + LEAVE <= this.end;
        const noise = plain && this.steadyNoise(this.at, part);
        if (noise) this.plain(out, offset, part, within, noise, gain);
        else this.varied(out, offset, part, within, gain);
        this.at += part;
        offset += part;
        count -= part;
      }
      this.at += count;
    }

    plain(out, offset, part, within, noise, gain) {
      const { tone, noisiness } = this, from = this.at % LONG_HOP;
      for (let i = 0; i < part; i++) out[offset + i] += gain * (tone[within + i] + noisiness * noise[from + i]);
    }

    varied(out, offset, part, within, gain) {
      for (let i = 0; i < part; i++) {
        const t = this.at + i, noise = this.noiseAt(t) + (this.strike[t] || 0);
        out[offset + i] += gain * this.gainAt(t) * (this.tone[within + i] + this.noisiness * noise);
      }
    }

    // The noise around samples from `t` on, if it is one frame's all along, neither at its release nor beside its edge.
    steadyNoise(t, part) {
      if (Math.floor(t / LONG_HOP) !== Math.floor((t + part - 1) / LONG_HOP)) return null;
      this.noiseAt(t);
      if (t + part <= this.releasedAt) return this.noise.held;
      return t >= this.releasedAt + LETTING_GO ? this.noise.after : null;
    }

    gainAt(t) {
      const begin = t < FADE ? Math.sin((t / (FADE - 1)) * (Math.PI / 2)) ** 2 : 1;
      const left = this.end - t;
      return left <= LEAVE ? begin * clamp((left - 1) / (LEAVE - 1), 0, 1) : begin;
    }

    // The partials of the next 128 samples, into `tone`; what is released within them changes later blocks.
    hop() {
      if (!this.now) this.now = this.advance();
      this.next = this.advance();
      this.tone.fill(0);
      ring(this.tone, this.now, 0);
      ring(this.tone, this.next, HOP);
      this.now = this.next;
    }

    noiseAt(t) {
      const number = Math.floor(t / LONG_HOP), i = t - number * LONG_HOP;
      if (this.noise.number !== number) this.turnTo(number);
      const n = this.noise;
      if (t < this.releasedAt) return n.held[i];
      if (!n.after) n.after = this.lasting(this.after, number);
      const ramp = (t - this.releasedAt) / LETTING_GO;
      return ramp >= 1 || !n.held ? n.after[i] : n.held[i] + ramp * (n.after[i] - n.held[i]);
    }

    turnTo(number) {
      const begin = number * LONG_HOP;
      this.noise = {
        number,
        held: begin < this.releasedAt + LETTING_GO ? this.lasting(this.held, number) : null,
        after: null,
      };
    }

    // (1024,) noise between frames `number` and the next.
    lasting(knots, number) {
      const out = this.frame(knots, number).slice(LONG_HOP), next = this.frame(knots, number + 1);
      for (let i = 0; i < LONG_HOP; i++) out[i] += next[i];
      return out;
    }

    frame(knots, number) {
      const kept = (this.frames ||= new Map()), key = knots === this.after ? -1 - number : number;
      if (kept.has(key)) return kept.get(key);
      if (kept.size > 4) kept.delete(kept.keys().next().value);
      const time = number * LONG_HOP, i = segment(knots, time), a = knots[i], b = knots[Math.min(i + 1, knots.length - 1)];
      const s = clamp((time - a.time) / Math.max(b.time - a.time, 1e-9), 0, 1);
      const bands = Float32Array.from(a.noise, (y, j) => y * (1 - s) + b.noise[j] * s);
      const made = framesOf(bands.length, LONG, LONG_HOP).make(bands, this.white(LONG, number));
      kept.set(key, made);
      return made;
    }
  }

  // Which partials are heard between two knots.
  function activeIn(a, b) {
    const list = [];
    for (let k = 0; k < a.level.length; k++) if (a.kept[k] || b.kept[k]) list.push(k);
    return list;
  }

  // The index of the last knot at or before `time` that has another after it.
  function segment(knots, time) {
    let low = 0, high = knots.length - 2;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (knots[middle].time <= time) low = middle;
      else high = middle - 1;
    }
    return Math.max(low, 0);
  }

  // When the loudness of released knots last falls below `silent`.
  function lastSounding(knots, silent) {
    let i = 0;
    knots.forEach((knot, j) => {
      if (knot.loud > silent) i = j;
    });
    const a = knots[i], b = knots[Math.min(i + 1, knots.length - 1)];
    return a.time + (b.time - a.time) * clamp((a.loud - silent) / Math.max(a.loud - b.loud, 1e-6), 0, 1);
  }

  // Keeps the beats of copies from making one take louder than another while it begins.
  function evened(power, moved, seconds) {
    const decibels = 10 * Math.log10(Math.max(moved / Math.max(power, 1e-30), 1e-6));
    const most = UNEVEN * (1 + (seconds / LOOSE) ** 2);
    return 10 ** ((most * Math.tanh(decibels / most) - decibels) / 20);
  }

  const FALL = Float64Array.from({ length: HOP }, (_, i) => 0.5 + 0.5 * Math.cos((Math.PI * i) / HOP));
  const SCRATCH = new Float64Array(HOP), HERE = new Float64Array(12);

  // Adds half a block: its second half (ahead 0), which fades out, or its first (ahead 128), which fades in. Four partials
  // at a time, since each number of a partial waits for the one before.
  function ring(out, { size, re, im, turn }, ahead) {
    const sum = SCRATCH.fill(0);
    for (let j = 0; j < size; j += 4) { // beyond the last one re and im are 0
      for (let q = 0; q < 4; q++) {
        const k = j + q, c = turn[4 * k], d = turn[4 * k + 1], p = ahead ? turn[4 * k + 2] : 1, r = ahead ? turn[4 * k + 3] : 0;
        const x = re[k] * p + im[k] * r, y = im[k] * p - re[k] * r;
        HERE[q] = x;
        HERE[4 + q] = x * c + y * d; // one sample earlier
        HERE[8 + q] = 2 * c;
      }
      let x0 = HERE[0], x1 = HERE[1], x2 = HERE[2], x3 = HERE[3], y0 = HERE[4], y1 = HERE[5], y2 = HERE[6], y3 = HERE[7];
      const c0 = HERE[8], c1 = HERE[9], c2 = HERE[10], c3 = HERE[11];
      for (let i = 0; i < HOP; i += 2) {
        sum[i] += (x0 + x1) + (x2 + x3);
        y0 = c0 * x0 - y0;
        y1 = c1 * x1 - y1;
        y2 = c2 * x2 - y2;
        y3 = c3 * x3 - y3;
        sum[i + 1] += (y0 + y1) + (y2 + y3);
        x0 = c0 * y0 - x0;
        x1 = c1 * y1 - x1;
        x2 = c2 * y2 - x2;
        x3 = c3 * y3 - x3;
      }
    }
    for (let i = 0; i < HOP; i++) out[i] += sum[i] * (ahead ? 1 - FALL[i] : FALL[i]);
  }

  // ---- a whole note --------------------------------------------------------------------------------------------------

  // A note of known length, as offline players and the tests make it. hold: samples; about: what is known otherwise of
  // what `begin` makes -> Float32Array
  function whole(trunk, { w, pitch, velocity, hold, random, white, inTune, bend = [], take = 0, about = {}, shaping = null }) {
    const begun = Object.assign(trunk.begin(w, pitch, velocity, shaping), about), dice_ = random || chance(take, begun.ratios.length);
    const note = new Note(sent(begun), dice_, white || ownWhite(take), { inTune, bend });
    const off = (t) => note.bent(t);
    let asked = 0;
    const more = (count) => {
      const times = Array.from({ length: count }, (_, i) => heldKnot(asked + i));
      asked += count;
      note.add(trunk.curves(begun, times, Infinity, dice_.waves, off));
    };
    more(AHEAD);
    note.strike = strikeNoise(note.held, note.white);
    const out = [];
    const read = (until) => {
      while (note.at < until && !note.done) {
        while (note.needs(note.at + 2 * LONG_HOP)) more(4);
        const part = new Float32Array(Math.min(HOP, until - note.at));
        note.render(part, 0, part.length);
        out.push(part);
      }
    };
    read(hold);
    while (note.needs(hold + 2 * LONG_HOP)) more(4);
    note.release(hold, trunk.curves(begun, RELEASED.map((t) => hold + t), hold, dice_.waves, off));
    read(Infinity);
    const sound = new Float32Array(out.reduce((n, part) => n + part.length, 0));
    out.reduce((at, part) => (sound.set(part, at), at + part.length), 0);
    return sound.subarray(0, note.end).slice();
  }

  return {
    RATE, HOP, LONG_HOP, AHEAD, RELEASED, heldKnot, Trunk, Note, chance, dice, ownWhite, strikeNoise, sent, whole, segment,
    knotsAfter, timeFeatures, slerp, stepped, shapingOf, linear, products,
  };
})();
if (typeof module !== "undefined") module.exports = Antiphon;
