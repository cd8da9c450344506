"use strict";
// The page: controls, keys, MIDI and recording. What sounds is made by the worklet and its worker.
(() => {
  const VOICES = 16, BEND_RANGE = 2, OCTAVES = innerWidth < 600 ? 1 : 3; // room for fingers
  const find = (id) => document.getElementById(id);
  const voice = JSON.parse(find("voice").textContent);
  const source = (...ids) => ids.map((id) => find(id).textContent).join("\n");
  const say = (text) => { find("status").textContent = text; };

  // ---- numbers that the page carries

  const bytes = (id) => Uint8Array.from(atob(find(id).textContent.trim()), (c) => c.charCodeAt(0)).buffer;

  function halves(id) { // float16 -> float32
    const table = new Float32Array(1 << 16);
    for (let h = 0; h < table.length; h++) {
      const sign = h >> 15 ? -1 : 1, exponent = (h >> 10) & 31, fraction = h & 1023;
      table[h] = sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
    }
    return Float32Array.from(new Uint16Array(bytes(id)), (h) => table[h]);
  }

  function tensors() {
    const all = halves("weights"), found = {};
    let at = 0;
    for (const [name, shape] of voice.tensors) {
      const size = shape.reduce((a, b) => a * b, 1);
      found[name] = { shape, data: all.slice(at, (at += size)) };
    }
    return found;
  }

  // ---- style vectors: for each instrument its typical one, and one for each seed

  const styles = halves("styles"), size = voice.config.style, seeds = voice.seeds;
  const styleAt = (label, row) => styles.subarray((label * (seeds + 1) + row) * size, (label * (seeds + 1) + row + 1) * size);

  // ---- named controls: of each instrument, the step of its style vector for +1 of each, and how far the knobs of its notes
  // are turned for -1 and for +1; zeros where it lacks one, no numbers at all where every instrument does

  const directions = halves("directions"), named = voice.controls.map((name, i) => find(`control-${i}`));
  const directionAt = (label, i) => directions.subarray((label * named.length + i) * size, (label * named.length + i + 1) * size);

  const turns = halves("turns"), knobs = voice.knobs, sides = 2 * knobs; // numbers of one control
  const turnsOf = (label) => turns.subarray(label * named.length * sides, (label + 1) * named.length * sides);
  const turnAt = (label, i) => turnsOf(label).subarray(i * sides, (i + 1) * sides);

  function turned(w, label) {
    const step = new Float32Array(size);
    named.forEach((input, i) => directionAt(label, i).forEach((x, j) => { step[j] += +input.value * x; }));
    return step.some((x) => x) ? Antiphon.stepped(w, step) : w;
  }

  function offer() { // the controls that the chosen instrument has
    named.forEach((input, i) => {
      input.disabled = ![directionAt, turnAt].some((numbers) => numbers(chosen(), i).some((x) => x));
    });
  }

  const { slerp } = Antiphon;
  const sound = (label, seed, variation) => turned(slerp(styleAt(label, 0), styleAt(label, 1 + seed), variation), label);

  function style() {
    const seed = Math.min(Math.max(Math.round(+find("seed").value) || 0, 0), seeds - 1);
    const variation = +find("variation").value, morph = +find("morph").value, first = sound(chosen(), seed, variation);
    const other = find("other").value;
    return other === "" || !morph ? first : slerp(first, sound(+other, seed, variation), morph);
  }

  function shaping() { // of the next note: the voice's own, and what its controls add
    const places = named.map((input) => +input.value), added = (label) => Antiphon.shapingOf(turnsOf(label), places, knobs);
    const other = find("other").value, morph = other === "" ? 0 : +find("morph").value;
    const first = added(chosen()), second = morph ? added(+other) : first;
    return first.map((x, k) => (1 - morph) * x + morph * second[k] + (voice.shaping[k] || 0));
  }

  // ---- sound

  let context, node, volume, worker, next = 1;
  const playing = []; // {id, key, down, held}, the oldest first

  const module = () => // a data: address, since from file:// a browser refuses other ones
    `data:text/javascript;base64,${btoa(unescape(encodeURIComponent(source("engine", "worklet"))))}`;

  function startWorker() {
    worker = new Worker(URL.createObjectURL(new Blob([source("engine", "worker")], { type: "text/javascript" })));
    return new Promise((resolve, reject) => {
      worker.onerror = (event) => reject(new Error(event.message));
      worker.onmessage = ({ data }) => data.kind === "ready" && resolve();
      worker.postMessage({ kind: "load", config: voice.config, tensors: tensors(), w: styleAt(0, 0) });
    });
  }

  async function connect(target) {
    await target.audioWorklet.addModule(module());
    const made = new AudioWorkletNode(target, "antiphon", { numberOfInputs: 0, outputChannelCount: [2] });
    const { port1, port2 } = new MessageChannel();
    made.port.postMessage({ kind: "trunk", port: port1 }, [port1]);
    worker.postMessage({ kind: "port", port: port2 }, [port2]);
    return made;
  }

  async function start() {
    await startWorker();
    context = new AudioContext({ sampleRate: Antiphon.RATE, latencyHint: "interactive" });
    node = await connect(context);
    volume = new GainNode(context, { gain: +find("volume").value });
    const limiter = new DynamicsCompressorNode(context, { threshold: -3, knee: 3, ratio: 20, attack: 0.002, release: 0.1 });
    node.connect(volume).connect(limiter).connect(context.destination);
    node.port.onmessage = ({ data }) => {
      if (data.kind === "ended") forget(data.id);
      else if (data.kind === "recorded") recorded.push(data.sound);
    };
    say(context.state === "running" ? "Ready." : "Ready: press a key to begin.");
  }

  const wake = () => context && context.state !== "running" && context.resume().then(() => say("Ready."));

  function forget(id) {
    const i = playing.findIndex((note) => note.id === id);
    if (i >= 0) playing.splice(i, 1);
  }

  // ---- playing

  let pedal = false, wheel = 0;

  function press(key, velocity = +find("velocity").value) {
    if (!node || key < 0 || key > 127) return;
    wake();
    for (const note of playing.filter((n) => n.key === key && n.held)) release(note);
    if (playing.length >= VOICES) {
      const rank = (n) => (n.down ? 2 : 0) + (n.held ? 1 : 0);
      const oldest = playing.reduce((a, b) => (rank(b) < rank(a) ? b : a));
      node.port.postMessage({ kind: "cut", id: oldest.id });
      forget(oldest.id);
    }
    const id = next++;
    playing.push({ id, key, down: true, held: false });
    worker.postMessage({
      kind: "begin", id, w: style(), shaping: shaping(), pitch: key, velocity, take: (id * 7919) & 0xffff, bend: wheel,
    });
    show(key, true);
  }

  function lift(key) {
    show(key, false);
    const note = playing.find((n) => n.key === key && n.down);
    if (!note) return;
    note.down = false;
    if (pedal) note.held = true;
    else release(note);
  }

  function release(note) {
    note.down = note.held = false;
    node.port.postMessage({ kind: "release", id: note.id });
  }

  function sustain(on) {
    pedal = on;
    find("sustain").setAttribute("aria-pressed", on);
    if (!on) playing.filter((n) => n.held).forEach(release);
  }

  function bend(semitones) {
    wheel = semitones;
    find("bend").value = semitones;
    told("bend");
    node?.port.postMessage({ kind: "wheel", semitones });
  }

  function modulate(depth) {
    find("modulation").value = depth;
    told("modulation");
    node?.port.postMessage({ kind: "modulate", depth });
  }

  function panic() {
    sustain(false);
    bend(0);
    modulate(0);
    for (const { key } of playing.splice(0)) show(key, false);
    node?.port.postMessage({ kind: "panic" });
  }

  function midi([status, first, second]) {
    const kind = status & 0xf0;
    if (kind === 0x90 && second) press(first, second);
    else if (kind === 0x80 || kind === 0x90) lift(first);
    else if (kind === 0xe0) bend((BEND_RANGE * (((second << 7) | first) - 8192)) / 8192);
    else if (kind === 0xb0 && first === 1) modulate(second / 127);
    else if (kind === 0xb0 && first === 7) set("volume", second / 127);
    else if (kind === 0xb0 && first === 64) sustain(second >= 64);
    else if (kind === 0xb0 && (first === 120 || first === 123)) panic();
    else if (kind === 0xc0 && voice.programs[first] !== undefined) choose(voice.programs[first]);
  }

  async function listen() {
    if (!navigator.requestMIDIAccess) return;
    try {
      const access = await navigator.requestMIDIAccess();
      const attach = () => access.inputs.forEach((input) => { input.onmidimessage = ({ data }) => midi(data); });
      access.onstatechange = attach;
      attach();
      if (access.inputs.size) say(`Ready. MIDI: ${[...access.inputs.values()].map((i) => i.name).join(", ")}`);
    } catch {
      // without MIDI there are other keys
    }
  }

  // ---- recording

  let recorded = [], recording = false;

  function record() {
    recording = !recording;
    find("record").setAttribute("aria-pressed", recording);
    find("record").textContent = recording ? "Stop recording" : "Record";
    node.port.postMessage({ kind: "record", on: recording });
    if (recording) recorded = [];
    else setTimeout(save, 100);
  }

  function wav(parts) { // 16 bit, mono
    const count = parts.reduce((n, part) => n + part.length, 0), view = new DataView(new ArrayBuffer(44 + 2 * count));
    const text = (at, word) => [...word].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
    text(0, "RIFF");
    view.setUint32(4, 36 + 2 * count, true);
    text(8, "WAVEfmt ");
    [[16, 16, 4], [20, 1, 2], [22, 1, 2], [24, Antiphon.RATE, 4], [28, 2 * Antiphon.RATE, 4], [32, 2, 2], [34, 16, 2]]
      .forEach(([at, value, n]) => (n === 4 ? view.setUint32(at, value, true) : view.setUint16(at, value, true)));
    text(36, "data");
    view.setUint32(40, 2 * count, true);
    let at = 44;
    for (const part of parts) {
      for (const x of part) {
        view.setInt16(at, Math.round(32767 * Math.min(Math.max(x, -1), 1)), true);
        at += 2;
      }
    }
    return new Blob([view], { type: "audio/wav" });
  }

  function save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(wav(recorded));
    link.download = "antiphon.wav";
    link.click();
    say(`Saved antiphon.wav, ${(recorded.length * 128 / Antiphon.RATE).toFixed(1)} seconds.`);
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  // ---- controls

  const chosen = () => Math.max(+find("instrument").value || 0, 0);

  function told(id) {
    const at = +find(id).value, out = find(`${id}-said`);
    if (id === "velocity") out.textContent = at;
    else if (id.startsWith("control-")) out.textContent = `${at > 0 ? "+" : ""}${at.toFixed(1)}`;
    else if (id === "bend") out.textContent = `${at > 0 ? "+" : ""}${at.toFixed(2)} semitones`;
    else out.textContent = `${Math.round(100 * at)} %`;
  }

  function set(id, value) {
    find(id).value = value;
    find(id).dispatchEvent(new Event("input"));
  }

  function choose(index) {
    find("search").value = "";
    list();
    find("instrument").value = index;
    offer();
    say(voice.labels[index]);
  }

  function option(value, text) {
    const made = document.createElement("option");
    made.value = value;
    made.textContent = text;
    return made;
  }

  function list() { // the instruments that contain what is searched for; the chosen one stays chosen
    const words = find("search").value.toLowerCase().split(/\s+/), before = find("instrument").value;
    const fit = voice.labels.map((label, i) => [label, i])
      .filter(([label]) => words.every((word) => label.toLowerCase().includes(word)));
    find("instrument").replaceChildren(...fit.map(([label, i]) => option(i, label)));
    const kept = fit.some(([, i]) => String(i) === before);
    if (fit.length) find("instrument").value = kept ? before : fit[0][1];
    else say("No instrument is called that.");
    offer();
  }

  function controls() {
    list();
    if (voice.programs[0] !== undefined) find("instrument").value = voice.programs[0];
    find("other").replaceChildren(option("", "nothing"), ...voice.labels.map((label, i) => option(i, label)));
    find("seed").max = seeds - 1;
    find("search").oninput = list;
    find("instrument").addEventListener("change", offer);
    offer();
    find("plain")?.addEventListener("click", () => {
      named.forEach(({ id }) => set(id, 0));
      say("All controls are in the middle.");
    });
    for (const id of [...named.map((input) => input.id), "morph", "variation", "velocity", "bend", "modulation", "noise", "volume"]) {
      told(id);
      find(id).addEventListener("input", () => told(id));
    }
    find("bend").addEventListener("input", () => bend(+find("bend").value));
    find("bend").onchange = () => bend(0); // as a wheel does
    find("modulation").addEventListener("input", () => modulate(+find("modulation").value));
    find("noise").addEventListener("input", () => node?.port.postMessage({ kind: "noise", amount: +find("noise").value }));
    find("volume").addEventListener("input", () => volume && (volume.gain.value = +find("volume").value));
    find("sustain").onclick = () => sustain(!pedal);
    find("panic").onclick = panic;
    find("record").onclick = () => node && record();
    find("lower").onclick = () => octave(-1);
    find("higher").onclick = () => octave(1);
  }

  // ---- keys

  const NAMES = ["C", "C sharp", "D", "D sharp", "E", "F", "F sharp", "G", "G sharp", "A", "A sharp", "B"];
  const BLACK = [1, 3, 6, 8, 10];
  const CODES = ["KeyZ", "KeyS", "KeyX", "KeyD", "KeyC", "KeyV", "KeyG", "KeyB", "KeyH", "KeyN", "KeyJ", "KeyM", "Comma", "KeyL",
    "Period", "Semicolon", "Slash"];
  const UPPER = ["KeyQ", "Digit2", "KeyW", "Digit3", "KeyE", "KeyR", "Digit5", "KeyT", "Digit6", "KeyY", "Digit7", "KeyU", "KeyI",
    "Digit9", "KeyO", "Digit0", "KeyP"];
  let base = OCTAVES > 1 ? 48 : 60, focused = OCTAVES > 1 ? 12 : 0;
  const codeDown = new Map();

  function octave(by) {
    codeDown.forEach(lift);
    codeDown.clear();
    base = Math.min(Math.max(base + 12 * by, 12), 84);
    draw();
    say(`Keys from C${base / 12 - 1}.`);
  }

  function draw() {
    const whites = 7 * OCTAVES + 1, width = 100 / whites, made = [];
    let white = 0;
    for (let i = 0; i <= 12 * OCTAVES; i++) {
      const key = document.createElement("button"), black = BLACK.includes(i % 12);
      key.type = "button";
      key.dataset.key = base + i;
      key.className = black ? "black" : "white";
      key.style.left = `${(black ? white - 0.3 : white) * width}%`;
      key.style.width = `${(black ? 0.6 : 1) * width}%`;
      key.tabIndex = i === focused ? 0 : -1;
      key.setAttribute("aria-label", `${NAMES[i % 12]} ${Math.floor((base + i) / 12) - 1}`);
      if (i % 12 === 0) key.textContent = `C${Math.floor((base + i) / 12) - 1}`;
      if (!black) white++;
      made.push(key);
    }
    find("keys").replaceChildren(...made);
  }

  function show(key, down) {
    find("keys").querySelector(`[data-key="${key}"]`)?.classList.toggle("down", down);
  }

  function pointers() {
    const keys = find("keys"), under = new Map(); // by pointer
    const keyAt = (event) => {
      const at = document.elementFromPoint(event.clientX, event.clientY)?.dataset?.key;
      return at === undefined ? undefined : +at;
    };
    keys.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      const key = keyAt(event);
      if (key === undefined) return;
      event.preventDefault();
      event.target.releasePointerCapture?.(event.pointerId);
      under.set(event.pointerId, key);
      press(key);
    });
    addEventListener("pointermove", (event) => { // gliding over the keys
      if (!under.has(event.pointerId)) return;
      const key = keyAt(event), before = under.get(event.pointerId);
      if (key === before) return;
      if (before !== undefined) lift(before);
      if (key !== undefined) press(key);
      under.set(event.pointerId, key);
    });
    for (const kind of ["pointerup", "pointercancel"]) {
      addEventListener(kind, (event) => {
        const key = under.get(event.pointerId);
        under.delete(event.pointerId);
        if (key !== undefined) lift(key);
      });
    }
  }

  function keyboard() {
    const writes = (target) => ["search", "number"].includes(target.type) || target.tagName === "SELECT";
    const pressed = (target) => ["BUTTON", "SUMMARY"].includes(target.tagName); // by the space bar
    const keyOf = ({ code, target }) => {
      const at = CODES.indexOf(code), high = UPPER.indexOf(code);
      if (target.dataset?.key && ["Enter", "NumpadEnter"].includes(code)) return +target.dataset.key;
      return at >= 0 ? base + at : high >= 0 ? base + 12 + high : undefined;
    };
    addEventListener("keydown", (event) => {
      if (event.code === "Escape") panic();
      if (event.ctrlKey || event.metaKey || event.altKey || writes(event.target)) return;
      const key = keyOf(event), onKeys = event.target.dataset?.key !== undefined;
      if (key !== undefined) {
        event.preventDefault();
        if (!event.repeat && !codeDown.has(event.code)) {
          codeDown.set(event.code, key);
          press(key);
        }
      } else if (event.code === "Space" && (onKeys || !pressed(event.target))) {
        event.preventDefault();
        if (!event.repeat) sustain(true);
      } else if (onKeys && ["ArrowLeft", "ArrowRight"].includes(event.code)) {
        event.preventDefault();
        focus(focused + (event.code === "ArrowRight" ? 1 : -1));
      } else if (["ArrowUp", "ArrowDown"].includes(event.code) && event.target.type !== "range") {
        event.preventDefault();
        octave(event.code === "ArrowUp" ? 1 : -1);
        if (onKeys) focus(focused);
      }
    });
    addEventListener("keyup", (event) => {
      const key = codeDown.get(event.code);
      codeDown.delete(event.code);
      if (key !== undefined) lift(key);
      if (event.code === "Space" && (event.target.dataset?.key !== undefined || !pressed(event.target))) sustain(false);
    });
    addEventListener("blur", () => {
      codeDown.forEach(lift);
      codeDown.clear();
    });
  }

  function focus(index) {
    const keys = find("keys").children;
    focused = Math.min(Math.max(index, 0), keys.length - 1);
    for (let i = 0; i < keys.length; i++) keys[i].tabIndex = i === focused ? 0 : -1;
    keys[focused].focus();
  }

  // ---- for tests: notes of known length, made faster than they sound -> samples

  async function offline(notes, seconds, noise = 1) {
    const target = new OfflineAudioContext(1, Math.round(seconds * Antiphon.RATE), Antiphon.RATE), made = await connect(target);
    made.connect(target.destination);
    made.port.postMessage({ kind: "noise", amount: noise });
    const begun = new Promise((resolve) => {
      let left = notes.length;
      made.port.onmessage = ({ data }) => data.kind === "began" && --left === 0 && resolve();
    });
    notes.forEach((note, i) => worker.postMessage({ kind: "begin", id: `offline ${i}`, start: 0, take: i, ...note }));
    await begun;
    await new Promise((resolve) => setTimeout(resolve, 50));
    return (await target.startRendering()).getChannelData(0);
  }

  window.antiphonPage = { offline, press, lift, midi, panic, playing, style, shaping, styleAt, labels: voice.labels, get context() { return context; }, ready: null };
  controls();
  draw();
  pointers();
  keyboard();
  window.antiphonPage.ready = start().then(listen, (error) => {
    say(`This browser cannot play: ${error.message || error}`);
    throw error;
  });
})();
