// The script of an exported page beside stand-ins for a browser's elements: node sliders.js PAGE.html INSTRUMENT OTHER MORPH
// PLACES, a number for each control -> what a key that is pressed then tells the worker; and which sliders
// of the first instrument cannot be moved.
const fs = require("fs"), vm = require("vm");
const [file, instrument, other, morph, ...places] = process.argv.slice(2);
const html = fs.readFileSync(file, "utf8"), told = [], elements = new Map();
const part = (id) => html.match(new RegExp(`<script id="${id}"[^>]*>([^]*?)</script>`))?.[1];
const ignored = () => {};

class Element {
  constructor(id) {
    Object.assign(this, { id, value: "0", textContent: part(id) || "", dataset: {}, style: {}, children: [] });
    this.classList = { toggle: ignored };
  }
}
for (const name of ["addEventListener", "setAttribute", "replaceChildren", "dispatchEvent", "querySelector", "focus"]) {
  Element.prototype[name] = ignored;
}
const find = (id) => {
  if (!elements.has(id)) elements.set(id, new Element(id));
  return elements.get(id);
};
const ended = { threshold: 0, connect: () => ended, port: { postMessage: ignored }, gain: {} };
const page = vm.createContext({
  console, atob, btoa, unescape, innerWidth: 900, addEventListener: ignored, navigator: {}, Blob, URL, MessageChannel,
  document: { getElementById: find, createElement: () => new Element(), addEventListener: ignored },
  AudioContext: class { state = "running"; audioWorklet = { addModule: async () => {} }; },
  AudioWorkletNode: function () { return ended; },
  GainNode: function () { return ended; },
  DynamicsCompressorNode: function () { return ended; },
  Worker: class {
    postMessage(data) {
      told.push(data);
      if (data.kind === "load") setTimeout(() => this.onmessage({ data: { kind: "ready" } }));
    }
  },
});
page.window = page;
vm.runInContext(`${part("engine")}\n${part("page")}`, page);
page.antiphonPage.ready.then(() => {
  const disabled = places.map((_, i) => find(`control-${i}`).disabled);
  Object.assign(find("instrument"), { value: instrument });
  Object.assign(find("other"), { value: other });
  Object.assign(find("morph"), { value: morph });
  places.forEach((place, i) => Object.assign(find(`control-${i}`), { value: place }));
  page.antiphonPage.press(60, 100);
  const { w, shaping } = told.find(({ kind }) => kind === "begin");
  console.log(JSON.stringify({ w: Array.from(w), shaping, disabled }));
  process.exit();
});
