// The worker and the worklet of an exported page, joined without a browser: node page.js PAGE.html
// -> what a note and a chord that is too large do, as numbers.
const fs = require("fs"), vm = require("vm");
const html = fs.readFileSync(process.argv[2], "utf8");
const part = (id) => html.match(new RegExp(`<script id="${id}"[^>]*>([^]*?)</script>`))[1];
const voice = JSON.parse(part("voice"));

function floats(id) {
  const raw = Buffer.from(part(id), "base64");
  return Float32Array.from({ length: raw.length / 2 }, (_, i) => {
    const h = raw.readUInt16LE(2 * i), e = (h >> 10) & 31, f = h & 1023;
    return (h >> 15 ? -1 : 1) * (e ? 2 ** (e - 15) * (1 + f / 1024) : 2 ** -14 * (f / 1024));
  });
}

const all = floats("weights"), tensors = {};
let at = 0;
for (const [name, shape] of voice.tensors) {
  tensors[name] = { shape, data: all.slice(at, (at += shape.reduce((a, b) => a * b, 1))) };
}

const toPage = [], tasks = []; // what the worklet tells the page; what waits for its turn
const ports = [{ postMessage: (data) => ports[1].onmessage({ data: structuredClone(data) }) },
  { postMessage: (data) => ports[0].onmessage({ data: structuredClone(data) }) }];
const scope = (more) => vm.createContext({ ...more, structuredClone, Math, console });
const worker = scope({ setTimeout: (task) => tasks.push(task), postMessage: () => {} });
vm.runInContext(`${part("engine")}\n${part("worker")}`, worker);
let Made;
const worklet = scope({
  sampleRate: 44100, currentFrame: 0, registerProcessor: (_, kind) => { Made = kind; },
  AudioWorkletProcessor: class { constructor() { this.port = { postMessage: (data) => toPage.push(data) }; } },
});
vm.runInContext(`${part("engine")}\n${part("worklet")}`, worklet);
const player = new Made(), tell = (data) => player.port.onmessage({ data });
worker.onmessage({ data: { kind: "load", config: voice.config, tensors, w: floats("styles").slice(0, voice.config.style) } });
tell({ kind: "trunk", port: ports[0] });
worker.onmessage({ data: { kind: "port", port: ports[1] } });

function play(seconds) { // the worker gets its turn after each block
  let loudest = 0, finite = true;
  for (let frame = 0; frame < seconds * 44100; frame += 128) {
    const left = new Float32Array(128), right = new Float32Array(128);
    player.process([], [[left, right]]);
    worklet.currentFrame += 128;
    for (const x of left) {
      loudest = Math.max(loudest, Math.abs(x));
      finite &&= Number.isFinite(x);
    }
    for (const task of tasks.splice(0)) task();
  }
  return finite ? loudest : NaN;
}

const w = Array.from(floats("styles").slice(0, voice.config.style));
const press = (id, pitch, shaping) =>
  worker.onmessage({ data: { kind: "begin", id, w, shaping, pitch, velocity: 100, take: id, bend: 0 } });
const said = { before: play(0.1) };
press(1, 60);
said.held = play(1.2);
tell({ kind: "wheel", semitones: 2 });
tell({ kind: "modulate", depth: 1 });
play(0.2);
tell({ kind: "modulate", depth: 0 });
tell({ kind: "release", id: 1 });
play(4.2);
said.after = play(0.1);
press(6, 60, [0, 0, 20]); // 20 dB a second louder
said.risen = play(1.2);
tell({ kind: "cut", id: 6 });
play(0.1);
for (let id = 2; id < 6; id++) press(id, 50 + id);
tell({ kind: "release", id: 2 }); // before it has begun
play(0.5);
said.sounding = player.notes.size;
tell({ kind: "panic" });
play(4.2);
said.left = player.notes.size;
said.ended = toPage.filter((data) => data.kind === "ended").length;
console.log(JSON.stringify(said));
