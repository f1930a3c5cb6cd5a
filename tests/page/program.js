// Starts `taskhook dev` on a copy of the sources, and a Chromium that looks at it.
"use strict";
const { spawn, execFileSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const readline = require("node:readline");
const { chromium } = require("playwright-core");

const repository = path.resolve(__dirname, "../..");
const binary = path.resolve(repository, process.env.TASKHOOK_BIN ?? "target/debug/taskhook");

/** The Chromium of `CHROMIUM`, else the first on the PATH. */
function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    for (const folder of (process.env.PATH ?? "").split(path.delimiter)) {
      const file = path.join(folder, name);
      if (fs.existsSync(file)) return file;
    }
  }
  throw new Error("The tests of the page need a Chromium: install chromium or google-chrome, or say with CHROMIUM where one is.");
}

async function launch() {
  return chromium.launch({ executablePath: findChromium(), args: ["--no-sandbox", "--disable-gpu"] });
}

/** A folder with the repository's sources and events, which a test may change; without one of them it is empty. */
function copy(names = ["sources", "events"]) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "taskhook-page-"));
  fs.mkdirSync(path.join(folder, "sources"));
  for (const name of names) fs.cpSync(path.join(repository, name), path.join(folder, name), { recursive: true });
  return folder;
}

/** Starts a command of the program that serves; gives its address, its folder, and ways to end it. */
async function start({ command = "dev", folder = copy(), port = 0, args = [], env = {} } = {}) {
  const child = spawn(binary, [command, "--port", String(port), ...args], { cwd: folder, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.on("data", (some) => { said += some; });
  const ended = new Promise((done) => child.once("exit", done));
  const lines = readline.createInterface({ input: child.stdout });
  const line = await Promise.race([
    new Promise((done) => lines.once("line", done)),
    ended.then((code) => { throw new Error(`taskhook ${command} ended with ${code} before it said its address: ${said}`); }),
    new Promise((_, fail) => child.once("error", (error) => fail(new Error(`${binary} does not start: ${error.message}`)))),
  ]);
  const address = /^[\w -]+: (http:\/\/127\.0\.0\.1:\d+)$/.exec(line)?.[1];
  if (!address) throw new Error(`The first line of taskhook ${command} is not its address: ${line}`);
  return {
    address, folder, port: Number(new URL(address).port),
    file: (name) => path.join(folder, "sources", name + ".toml"),
    read: (name) => fs.readFileSync(path.join(folder, "sources", name + ".toml"), "utf8"),
    async stop() { child.kill("SIGKILL"); await ended; },
    async end() { child.kill("SIGKILL"); await ended; fs.rmSync(folder, { recursive: true, force: true }); },
  };
}

module.exports = { start, launch, copy, repository };
