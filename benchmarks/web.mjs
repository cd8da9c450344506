// Drives the page of an export in Chromium: see web.py, which calls it with the page's address, a file of notes and a
// folder for pictures and sounds; what else is named is all that is done. Needs playwright-core where NODE_PATH says.
import fs from "fs";
import { createRequire } from "module";

const { chromium } = createRequire(`${process.env.NODE_PATH}/`)("playwright-core");
const [address, notes, out, ...only] = process.argv.slice(2), problems = [], found = {};
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
});

async function open(options = {}) {
  const page = await browser.newPage({ viewport: { width: 1200, height: 860 }, ...options });
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(error.message));
  const begin = Date.now();
  await page.goto(address);
  await page.evaluate(() => antiphonPage.ready);
  found.ready_ms ??= Date.now() - begin;
  return page;
}

const count = (page) => page.evaluate(() => antiphonPage.playing.length);

async function chord() { // with given phases, and without noise
  const page = await open(), { chord, seconds } = JSON.parse(fs.readFileSync(notes));
  const sound = await page.evaluate(async ([chord, seconds]) =>
    Array.from(await antiphonPage.offline(chord, seconds, 0)), [chord, seconds]);
  fs.writeFileSync(`${out}/chord.f32`, Buffer.from(Float32Array.from(sound).buffer));
  await page.close();
}

async function spent() { // processor time of all pages
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  return processInfo.filter(({ type }) => type === "renderer").reduce((sum, { cpuTime }) => sum + cpuTime, 0);
}

async function cost(voices = 16, seconds = 6) { // network and sound of held notes, made as fast as it can be
  const page = await open();
  const play = (voices, seconds) => page.evaluate(async ([voices, seconds]) => {
    const w = Array.from(antiphonPage.styleAt(antiphonPage.labels.indexOf("string ensemble 1"), 1));
    const chord = Array.from({ length: voices }, (_, i) =>
      ({ w, pitch: 48 + 2 * i, velocity: 90, hold: Math.round((seconds + 1) * 44100), take: i }));
    await antiphonPage.offline(chord, seconds);
  }, [voices, seconds]);
  await play(voices, 0.5); // to warm up
  const before = await spent();
  await play(voices, seconds);
  found.share_of_a_core = (await spent() - before) / seconds;
  await page.close();
}

async function tour() { // by keys only
  const page = await open();
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.getAttribute("aria-label"));
  found.tabs = [];
  for (let i = 0; i < 17; i++) {
    await page.keyboard.press("Tab");
    found.tabs.push(await focused());
  }
  await page.focus("#search");
  await page.keyboard.type("violin");
  found.searched = await page.$$eval("#instrument option", (all) => all.map((one) => one.textContent));
  await page.focus(".controls summary");
  await page.keyboard.press("Space");
  const before = await page.evaluate(() => Array.from(antiphonPage.style()));
  await page.focus("#control-0");
  await page.keyboard.press("End");
  found.turned = await page.evaluate((before) => [document.getElementById("control-0-said").textContent,
    Math.hypot(...antiphonPage.style().map((x, i) => x - before[i]))], before);
  await page.screenshot({ path: `${out}/controls.png`, fullPage: true });
  await page.focus("#plain");
  await page.keyboard.press("Enter");
  found.turned_back = await page.evaluate((before) =>
    Math.hypot(...antiphonPage.style().map((x, i) => x - before[i])), before);
  await page.focus("#keys [tabindex='0']");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.down("Enter");
  await page.waitForTimeout(600);
  found.by_enter = await count(page);
  await page.screenshot({ path: `${out}/keys.png` });
  await page.keyboard.up("Enter");
  await page.keyboard.down("Space");
  for (const key of ["KeyZ", "KeyC", "KeyB"]) {
    await page.keyboard.down(key);
    await page.keyboard.up(key);
  }
  await page.waitForTimeout(300);
  found.by_pedal = await count(page);
  await page.keyboard.up("Space");
  await page.waitForTimeout(5000);
  found.left = await count(page);
  const download = page.waitForEvent("download");
  await page.click("#record");
  await page.keyboard.down("KeyQ");
  await page.waitForTimeout(700);
  await page.keyboard.up("KeyQ");
  await page.click("#record");
  await (await download).saveAs(`${out}/recorded.wav`);
  for (let i = 0; i < 24; i++) await page.evaluate((i) => antiphonPage.press(40 + i), i);
  await page.waitForTimeout(500);
  found.most = await count(page);
  await page.keyboard.press("Escape");
  await page.waitForTimeout(300);
  found.after_escape = await count(page);
  await page.evaluate(() => [[0x90, 60, 100], [0xe0, 0, 127], [0xb0, 1, 100], [0xc0, 73]].forEach(antiphonPage.midi));
  await page.waitForTimeout(300);
  found.by_midi = [await count(page), await page.evaluate(() => document.getElementById("status").textContent)];
  await page.mouse.move(300, 640);
  await page.mouse.down();
  await page.mouse.move(420, 640, { steps: 4 });
  await page.mouse.up();
  await page.close();
}

async function dark() {
  const page = await open({ colorScheme: "dark", viewport: { width: 420, height: 900 } });
  await page.screenshot({ path: `${out}/dark.png`, fullPage: true });
  await page.close();
}

const parts = { chord, cost, tour, dark };
for (const name of only.length ? only : Object.keys(parts)) await parts[name]();
await browser.close();
console.log(JSON.stringify({ ...found, problems }));
