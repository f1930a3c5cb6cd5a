// The page of `taskhook dev` against the program itself. Nothing here judges by elapsed time: each step waits for a state.
"use strict";
const { test, before, after } = require("node:test");
const assert = require("node:assert/strict");
const crypto = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { start, launch, copy, repository } = require("./program.js");

const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser?.close(); });

/* A test with its own program and its own page. What the page complains about fails the test, but for answers asked for. */
function story(name, run, { width = 1280, theme = "light", refusals = false, offline = false, program = () => start() } = {}) {
  test(name, async (t) => {
    const desk = await program();
    let context;
    t.after(async () => { await context?.close(); await desk.end(); });
    context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme: theme, reducedMotion: "reduce", permissions: ["clipboard-read", "clipboard-write"] });
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    const wrong = [];
    page.on("pageerror", (error) => wrong.push(error.stack));
    page.on("console", (message) => {
      if (message.type() !== "error") return;
      if (/Failed to load resource/.test(message.text()) && (offline || (refusals && /status of 4/.test(message.text())))) return;
      wrong.push(message.text());
    });
    await visit(page, desk);
    await run(page, desk);
    assert.deepEqual(wrong, []);
  });
}
async function visit(page, desk, hash = "") {
  await page.addInitScript(() => {
    window.said = [];
    addEventListener("DOMContentLoaded", () => new MutationObserver(() => said.push(document.querySelector("#say").textContent)).observe(document.querySelector("#say"), { childList: true }));
  });
  await page.goto(desk.address + "/" + hash);
  await connected(page, "Live");
}
const connected = (page, word) => page.locator(`#live[data-word=${word}]`).waitFor();
const verdict = (page, title) => page.locator("#story-body h3", { hasText: title }).first().waitFor();
const row = (page, text) => page.locator("#panel-deliveries tbody tr", { hasText: text });
const editor = (page) => page.locator("#file-editor textarea");
const payload = (page) => page.locator("#payload-editor textarea");
const saying = (page, text) => page.waitForFunction((text) => said.some((one) => one.includes(text)), text);
async function sample(page, name = "closed.json") {
  await page.locator("#sample").selectOption("sample:" + name);
  await page.locator("#sample option:checked", { hasText: name }).waitFor({ state: "attached" });
}
async function closed(page) {
  await page.getByRole("button", { name: "Try the sample closed.json" }).first().click();
  await verdict(page, "Updates task 9001");
}
/* Selects a text in an editor, as a person would with the mouse. */
async function select(area, text, collapse = false) {
  await area.evaluate((node, [text, collapse]) => {
    const at = node.value.indexOf(text);
    if (at < 0) throw new Error("not in the editor: " + text);
    node.focus();
    node.setSelectionRange(at, collapse ? at : at + text.length);
  }, [text, collapse]);
}
async function replace(page, area, text, by) {
  await select(area, text);
  if (by) await page.keyboard.insertText(by); else await page.keyboard.press("Delete");
}
/* Whether the caret's line stands wholly within what is seen of an editor. */
const caretSeen = (area) => area.evaluate((node) => {
  const top = 6 + (node.value.slice(0, node.selectionStart).split("\n").length - 1) * 18 - node.scrollTop;
  return top >= 0 && top + 18 <= node.clientHeight;
});
const paste = (page, text) => page.evaluate((text) => navigator.clipboard.writeText(text), text).then(() => page.keyboard.press("Control+v"));
const place = (area) => area.evaluate((node) => [node.scrollTop, node.selectionStart, node.selectionEnd]);
const AZURE = JSON.stringify({ eventType: "workitem.updated", resource: { id: 33, title: "x", rev: 3, state: "Closed", priority: 2, updated: "2026-10-10T10:10:10Z", assignee: { email: "a@b.example" } } });
const bodyOf = (sample) => JSON.parse(fs.readFileSync(path.join(repository, "events", sample), "utf8")).body;
const selected = (area) => area.evaluate((node) => node.value.slice(node.selectionStart, node.selectionEnd));
const closedBody = () => JSON.parse(fs.readFileSync(path.join(repository, "events/github/closed.json"), "utf8")).body;

/* What a stranger outside sends. */
function outside(desk, target, { method = "POST", headers = {}, body = "" } = {}) {
  return new Promise((done, fail) => {
    const request = http.request({ host: "127.0.0.1", port: desk.port, path: target, method, headers }, (answer) => {
      let text = "";
      answer.on("data", (some) => { text += some; });
      answer.on("end", () => done({ status: answer.statusCode, headers: answer.headers, text }));
    });
    request.on("error", fail);
    request.end(body);
  });
}
/* Signed with the secret as an editor leaves it that adds a line break. */
function forged(desk) {
  const { "taskhook/github": secret } = JSON.parse(fs.readFileSync(path.join(repository, "events/secrets.json"), "utf8")), body = closedBody();
  const signature = "sha256=" + crypto.createHmac("sha256", secret + "\n").update(body).digest("hex");
  return outside(desk, "/github", { headers: { "content-type": "application/json", "x-github-event": "issues", "x-github-delivery": "55bffc9b-7916-5afb-8276-5520e55f166f", "x-hub-signature-256": signature }, body });
}

async function axe(page, where) {
  const { violations } = await page.evaluate(AXE + "; axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })");
  assert.deepEqual(violations.map((one) => `${where}: ${one.id}: ${one.nodes.map((node) => node.html).join(" ").slice(0, 300)}`), []);
}

story("the first run shows three steps, and one primary button", async (page) => {
  assert.equal(await page.locator("#story-body li").count(), 3);
  const primary = page.locator(".btn.primary:visible");
  assert.equal(await primary.count(), 1);
  assert.equal(await primary.textContent(), "Try the sample closed.json");
  assert.match(await page.locator("#panel-deliveries").textContent(), /Nothing has arrived yet.*\/github/);
  /* Empty, the drawer is low; the keys of its edge begin at what is seen. */
  const drawer = () => page.locator("#activity").evaluate((node) => node.offsetHeight);
  const low = await drawer();
  assert.ok(low < 130);
  await page.locator("#drawer-split").press("ArrowUp");
  assert.equal(await drawer(), low + 18);
});

story("a sample's story: four changes, and the jq path under the caret", async (page) => {
  await closed(page);
  await page.locator(".props > li.change").nth(3).waitFor();
  assert.equal(await page.locator(".props > li.change").count(), 4);
  assert.ok(await page.locator("#path-box").isHidden(), "no path at the root");
  await select(payload(page), '"completed"', true);
  await page.locator("#path", { hasText: /^\.issue\.state_reason$/ }).waitFor();
});

story("a mistake is underlined, keeps the last story, and is announced once", async (page, desk) => {
  await closed(page);
  const text = desk.read("github"), lines = text.slice(0, text.indexOf("test(\"^p[0-4]")).split("\n");
  await select(editor(page), "test(\"^p[0-4]");
  await page.keyboard.press("ArrowLeft");
  for (let i = 0; i < 4; i++) await page.keyboard.press("Shift+ArrowRight");
  assert.equal(await selected(editor(page)), "test");
  await page.keyboard.type("tset");
  const problem = page.locator("#problems button").first();
  await problem.waitFor();
  assert.match(await problem.textContent(), new RegExp(`^${lines.length}:${lines.at(-1).length + 1}.*tset`));
  assert.equal(await page.locator("#file-editor .mirror u").textContent(), "tset");
  await page.locator("#story-body .alert", { hasText: /Below is the story as it was at \d\d:\d\d:\d\d/ }).waitFor();
  await page.locator("#story-body .old h3", { hasText: "Updates task 9001" }).waitFor();
  assert.ok(await page.getByRole("button", { name: /^Send/ }).first().isDisabled());
  assert.ok(await page.locator("#save").isDisabled());
  await saying(page, "tset");

  await page.locator("#story-body").focus();
  await page.keyboard.press("F8");
  assert.equal(await selected(editor(page)), "tset");
  await page.keyboard.type("test");
  await page.locator("#story-body:not(:has(.old))", { hasText: "Updates task 9001" }).waitFor();
  await page.waitForFunction(() => said.at(-1).includes("Updates task 9001"));
  /* Once by itself, and once more because F8 was pressed. */
  assert.ok((await page.evaluate(() => said.filter((one) => one.includes("tset")).length)) <= 2);
  assert.equal(await page.locator("#problems:visible").count(), 0);
});

story("a value that can't be mapped harms one row alone, and undo is the browser's", async (page, desk) => {
  await closed(page);
  const all = await page.locator(".props > li").count();
  await replace(page, editor(page), 'P1 = "HIGH", ', "");
  await replace(page, editor(page), ', otherwise = "NONE", unmapped = "skip" }\n# The due date', " }\n# The due date");
  await page.locator(".props > li.wrong", { hasText: "hs_task_priority" }).waitFor();
  assert.equal(await page.locator(".props > li.wrong").count(), 1);
  assert.match(await page.locator(".props > li.wrong").textContent(), /can't be mapped/);
  assert.equal(await page.locator(".props > li").count(), all);

  await editor(page).focus();
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Control+z");
  await page.locator("#dirty", { hasText: /^saved$/ }).waitFor();
  await verdict(page, "Updates task 9001");
  assert.ok(await editor(page).inputValue() === desk.read("github"));
});

for (const width of [1280, 1000, 420]) story(`bars that come never hide the line somebody types in, at ${width} px`, async (page) => {
  const visible = page.getByRole("button", { name: "Try the sample closed.json" }).locator("visible=true");
  await visible.first().click();
  await verdict(page, "Updates task 9001");
  if (width === 420) await page.locator("#dock [data-view=file]").click();
  const box = await editor(page).boundingBox();
  await page.mouse.click(box.x + 60, box.y + box.height - 10);
  await page.keyboard.press("Home");
  await page.keyboard.type("= = ");
  await page.locator("#problems button").first().waitFor();
  await page.locator("#file-note", { hasText: "saved file" }).waitFor();
  await page.waitForFunction((height) => document.querySelector("#file-editor textarea").clientHeight < height - 30, box.height);
  assert.ok(await caretSeen(editor(page)));
}, { width });

story("a result stands at the end of its line, at 420 px too, and never over the caret", async (page) => {
  await page.getByRole("button", { name: "Try the sample closed.json" }).locator("visible=true").click();
  await verdict(page, "Updates task 9001");
  for (const width of [420, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    if (width === 420) await page.locator("#dock [data-view=file]").click();
    /* The file opens where it first gives something. */
    const when = page.locator("#file-editor .answer > div", { hasText: "(has(" });
    await when.locator("> span", { hasText: /gives\s*true/ }).waitFor();
    const field = await page.locator("#file-editor .field").boundingBox(), result = await when.locator("> span").boundingBox();
    assert.ok(result.y > field.y && result.y < field.y + 60, `near the top at ${width} px`);
    assert.ok(result.x > field.x + 40 && result.x + result.width <= field.x + field.width);
  }
  await page.setViewportSize({ width: 420, height: 800 });
  const id = page.locator("#file-editor .answer > div", { hasText: "full_name" });
  const right = (node) => node.lastElementChild.getBoundingClientRect().right;
  assert.ok(await id.evaluate(right) <= 420);
  await select(editor(page), "(.issue.number // empty)", true);
  await page.keyboard.press("End");
  await page.locator("#file-editor .answer > div.here", { hasText: "full_name" }).waitFor({ state: "attached" });
}, { width: 420 });

story("each source's file is where one left it, after a reload too", async (page) => {
  await closed(page);
  await select(editor(page), "[properties]");
  await editor(page).evaluate((node) => { node.scrollTop = 612; });
  await page.waitForFunction(() => sessionStorage.getItem("place:github")?.startsWith("[612"));
  const was = await place(editor(page));
  await page.locator("#sources [data-name=gitlab]").click();
  await page.waitForFunction(() => /gitlab/.test(document.querySelector("#file-editor textarea").value));
  assert.notDeepEqual(await place(editor(page)), was);
  await page.locator("#sources [data-name=github]").click();
  await verdict(page, "Updates task 9001");
  assert.deepEqual(await place(editor(page)), was);
  await page.reload();
  await verdict(page, "Updates task 9001");
  assert.deepEqual(await place(editor(page)), was);
});

story("places to decide are marked and counted; F8 comes to them after the problems", async (page) => {
  await page.locator("#story-body").focus();
  await paste(page, AZURE);
  await page.locator("#story-body").getByRole("button", { name: "New source from it" }).click();
  await page.keyboard.type("azure boards");
  await page.keyboard.press("Enter");
  await page.locator("#make-wrong", { hasText: "No spaces: write azure-boards." }).waitFor();
  assert.equal(await page.locator("#make-name").getAttribute("aria-invalid"), "true");
  await page.locator("#make-name").fill("azure-boards");
  await page.keyboard.press("Enter");
  await page.locator("#sources [aria-current=true]", { hasText: "azure-boards" }).waitFor();
  /* What was guessed stands beside the editor, with the values, until it is closed. */
  await page.locator("#notes dd b", { hasText: "a@b.example" }).waitFor();
  assert.ok((await editor(page).boundingBox()).height > 300);
  const count = Number.parseInt(await page.locator("#decide").textContent(), 10);
  assert.equal(count, (await editor(page).inputValue()).split("# DECIDE:").length - 1);
  assert.equal(await page.locator("#file-editor .gutter em").count(), count);
  const drift = () => { const [gutter, area] = ["#file-editor .gutter", "#file-editor textarea"].map((one) => document.querySelector(one)); return gutter.scrollHeight - area.value.split("\n").length * 18 - 30; };
  assert.ok(Math.abs(await page.evaluate(drift)) <= 18, "a mark moves no line number");
  await axe(page, "new file");
  await page.locator("#notes").getByRole("button").click();
  await page.locator("#notes").waitFor({ state: "hidden" });

  const at = async () => { await page.keyboard.press("F8"); return (await selected(editor(page))).slice(0, 7); };
  await page.locator("#story-body").focus();
  assert.equal(await at(), "DECIDE:");
  await editor(page).evaluate((node) => node.setSelectionRange(node.value.length, node.value.length));
  await page.keyboard.insertText("\nx = = 3\n");
  await page.locator("#problems button").first().waitFor();
  await page.locator("#story-body").focus();
  assert.notEqual(await at(), "DECIDE:");
  const seen = new Set();
  for (let i = 0; i < count; i++) {
    assert.equal(await at(), "DECIDE:");
    seen.add(await editor(page).evaluate((node) => node.selectionStart));
  }
  assert.equal(seen.size, count);
  assert.notEqual(await at(), "DECIDE:");
}, { program: () => start({ folder: copy() }), refusals: true });

story("the dialog takes a payload where none is there, and says what is missing", async (page) => {
  await page.locator("#new").click();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator("#make-wrong", { hasText: "It needs a payload." }).waitFor();
  await page.waitForFunction(() => document.activeElement?.id === "make-paste");
  await page.keyboard.insertText(AZURE);
  await page.locator("#make-it").click();
  await page.locator("#make-wrong", { hasText: "It needs a name." }).waitFor();
  await page.keyboard.type("Boards");
  await page.keyboard.press("Enter");
  await page.locator("#make-wrong", { hasText: "Small letters only: write boards." }).waitFor();
  await page.locator("#make-name").fill("boards");
  await page.keyboard.press("Enter");
  await page.locator("#sources [aria-current=true]", { hasText: "boards" }).waitFor();
  await page.waitForFunction(() => document.querySelector("#payload-editor textarea").value.includes("workitem.updated"));
});

story("a payload of another source is shown there, or offered where something was edited", async (page) => {
  const gitlab = bodyOf("gitlab/closed.json");
  await page.locator("#story-body").focus();
  await paste(page, gitlab);
  await page.locator("#sources [aria-current=true]", { hasText: "gitlab" }).waitFor();
  await saying(page, "This looks like gitlab's, so gitlab is shown.");
  await page.locator("#payload-note").getByRole("button", { name: "Back to github" }).click();
  await page.locator("#sources [aria-current=true]", { hasText: "github" }).waitFor();
  await verdict(page, "Filtered");
  await page.waitForFunction(() => document.querySelector("#payload-editor textarea").value.includes("object_kind"));

  await replace(page, editor(page), "# GitHub issues", "# Mine");
  await page.locator("#dirty", { hasText: "edited" }).waitFor();
  await page.locator("#story-body").focus();
  await paste(page, gitlab);
  await page.locator("#payload-note", { hasText: "This looks like gitlab's." }).waitFor();
  assert.match(await page.locator("#sources [aria-current=true]").textContent(), /github/);
  await page.getByRole("button", { name: "Show it there" }).click();
  await page.locator("#sources [aria-current=true]", { hasText: "gitlab" }).waitFor();
  await page.waitForFunction(() => document.querySelector("#payload-editor textarea").value.includes("object_kind"));
});

story("the list of sources keeps its shape with a long name, and shows the others when asked", async (page) => {
  const long = page.locator("#sources [data-name^=our]");
  assert.ok((await long.boundingBox()).height < 60);
  assert.match(await long.locator(".name").getAttribute("title"), /^our-/);
  const ends = await page.locator("#sources .why:not(.long)").evaluateAll((all) => all.map((one) => Math.round(one.getBoundingClientRect().right)));
  assert.equal(new Set(ends).size, 1);
  await page.setViewportSize({ width: 1280, height: 480 });
  assert.match(await page.locator("#ready summary").textContent(), /^\d+ more to choose from$/);
  await page.locator("#ready summary").click();
  await page.waitForFunction(() => document.querySelector("#nav").scrollTop > 0);
}, {
  program: () => {
    const folder = copy();
    fs.copyFileSync(path.join(folder, "sources/github.toml"), path.join(folder, "sources/our-very-long-name-of-a-source.toml"));
    fs.writeFileSync(path.join(folder, "sources/our-very-long-name-of-a-source.toml"), fs.readFileSync(path.join(folder, "sources/github.toml"), "utf8").replace('path = "/github"', 'path = "/ours"'));
    return start({ folder });
  },
});

story("what a stale delivery didn't write doesn't read as written; a refused one isn't sent again at once", async (page, desk) => {
  await closed(page);
  const again = async (name) => {
    await page.locator("#subject button").first().click();
    await sample(page, name);
    await page.locator("#story-body .verdict").waitFor();
    const rows = await page.locator("#panel-deliveries tbody tr").count();
    await page.keyboard.press("Control+Enter");
    await page.locator("#panel-deliveries tbody tr").nth(rows).waitFor();
  };
  await again("reopened.json");
  await page.locator("#story-body", { hasText: /keeps/ }).waitFor();
  await again("closed.json");
  await verdict(page, "Stale");
  await page.locator("#story-body h3", { hasText: "Would have been written" }).waitFor();
  assert.equal(await page.locator(".props > li.change, .props > li.set").count(), 0);
  assert.match(await page.locator(".props > li.would .state").first().textContent(), /not written/);
  assert.doesNotMatch(await page.locator("#story-body").textContent(), /keeps/);
  await axe(page, "stale");

  await forged(desk);
  await row(page, "refused").click();
  await verdict(page, "Refused");
  assert.equal(await page.locator("#story-body .btn.primary").count(), 0);
  await page.getByRole("button", { name: "Send again, freshly signed" }).waitFor();
}, { refusals: true });

story("while a send waits its button says so, and nothing is sent twice", async (page) => {
  await closed(page);
  await page.locator("#tab-faults").click();
  await page.locator(".fault", { hasText: "Slow" }).locator(".switch").click();
  await page.locator("#fault-chip", { hasText: "Slow" }).waitFor();
  await page.keyboard.press("Control+Enter");
  await page.locator("#story-body .btn[aria-busy=true]", { hasText: "Sending…" }).waitFor();
  await page.keyboard.press("Control+Enter");
  await verdict(page, "Updated task 9001");
  await page.locator("#story-body .btn[aria-busy=false]", { hasText: "Send again" }).waitFor();
  assert.equal(await page.locator("#panel-deliveries tbody tr").count(), 1);
});

story("420 px: tasks are cards, and the strip says what the server counted", async (page) => {
  await page.getByRole("button", { name: "Try the sample closed.json" }).locator("visible=true").click();
  await verdict(page, "Updates task 9001");
  const said = await page.locator("#story-body .verdict p").first().textContent();
  await page.locator("#dock [data-view=activity]").click();
  assert.equal(await page.locator("#strip .detail").textContent(), said);
  await page.locator("#tab-tasks").click();
  await page.locator("#panel-tasks tbody tr").first().waitFor();
  const [wide, room, height] = await page.locator("#panel-tasks").evaluate((node) => [node.scrollWidth, node.clientWidth, node.querySelector("tbody tr").offsetHeight]);
  assert.ok(wide <= room && height > 50 && height < 100, `${wide} in ${room}, ${height} high`);
}, { width: 420 });

story("Ctrl+S writes what stands in the editor", async (page, desk) => {
  await closed(page);
  await replace(page, editor(page), "# GitHub issues", "# Our GitHub issues");
  await page.locator("#dirty", { hasText: "edited, not saved" }).waitFor();
  await page.locator("#save:enabled").waitFor();
  await page.keyboard.press("Control+s");
  await page.locator("#dirty", { hasText: /^saved$/ }).waitFor();
  assert.ok(desk.read("github").includes("\n# Our GitHub issues"));
  assert.ok(desk.read("github") === await editor(page).inputValue());
});

story("Ctrl+Enter sends: the row first, then calls with both bodies and the changed task", async (page) => {
  await closed(page);
  await page.keyboard.press("Control+Enter");
  await verdict(page, "Updated task 9001");
  const first = page.locator("#panel-deliveries tbody tr").first();
  assert.match(await first.textContent(), /updated 1/);
  assert.equal(await first.getAttribute("aria-selected"), "true");
  assert.equal(await page.locator(".new").count(), 0);
  await page.locator("#tab-tasks").click();
  await page.locator("#panel-tasks tr", { hasText: "9001" }).filter({ hasText: "COMPLETED" }).filter({ hasText: "changed" }).waitFor();
  await page.locator("#tab-calls").click();
  const call = page.locator("#panel-calls details").first();
  assert.match(await call.textContent(), /batch\/update/);
  await call.locator("summary").click();
  assert.match(await call.locator("pre").nth(0).textContent(), /COMPLETED/);
  assert.match(await call.locator("pre").nth(1).textContent(), /9001/);

  /* Sent again it is signed afresh, chosen, and finds nothing to do. */
  await page.getByRole("button", { name: "Send again, freshly signed" }).click();
  await verdict(page, /Unchanged|Stale/);
  assert.equal(await page.locator("#panel-deliveries tbody tr").count(), 2);
  /* A key in an editor leads back to what is edited. */
  await editor(page).press("End");
  await page.keyboard.type(" ");
  await page.locator("#subject button[aria-pressed=true]", { hasText: "What you edit" }).waitFor();
});

story("a task that an update doesn't find is put into the stand-in", async (page) => {
  await sample(page, "unknown-task.json");
  await verdict(page, "Fails: nothing is written");
  await page.getByRole("button", { name: "Put such a task into the stand-in" }).click();
  await verdict(page, "Updates task");
  assert.equal(await page.getByRole("button", { name: "Put such a task into the stand-in" }).count(), 0);
});

story("a fault counts down on the server and then is gone", async (page) => {
  await closed(page);
  await page.locator("#tab-faults").click();
  const fault = page.locator(".fault", { hasText: "Too many requests" });
  await fault.locator("input").fill("9");
  await fault.locator("input").blur();
  await fault.locator(".switch").click();
  await page.locator("#fault-chip", { hasText: "Too many requests" }).waitFor();
  await fault.locator(".left", { hasText: "9 calls left" }).waitFor();
  await page.keyboard.press("Control+Enter");
  await row(page, "retry 1").filter({ hasText: "503" }).waitFor();
  const left = async () => { await page.locator("#tab-faults").click(); return Number.parseInt(await fault.locator(".left").textContent(), 10) || 0; };
  /* Each delivery that is tried spends some. */
  for (let spent = 9, now = await left(); now; now = await left()) {
    assert.ok(now < spent, `${now} left after ${spent}`);
    spent = now;
    await page.locator("#tab-deliveries").click();
    const rows = await page.locator("#panel-deliveries tbody tr").count();
    await page.getByRole("button", { name: "Send again, freshly signed" }).click();
    await page.locator("#panel-deliveries tbody tr").nth(rows).waitFor();
    await page.locator(`#panel-deliveries tbody tr[aria-selected=true]`).first().waitFor();
  }
  await page.locator("#fault-chip").waitFor({ state: "hidden" });
  await page.locator("#tab-faults .count", { hasText: "off" }).waitFor();
});

story("what arrives is marked new, moves nothing, and says what would make its signature right", async (page, desk) => {
  await closed(page);
  await page.keyboard.press("Control+Enter");
  await row(page, "updated 1").focus();
  const top = await page.locator("#panel-deliveries").evaluate((node) => node.scrollTop);
  assert.equal((await forged(desk)).status, 401);
  await row(page, "refused").locator(".new").waitFor();
  assert.match(await page.title(), /^\(1\) github/);
  assert.equal(await page.locator("#panel-deliveries").evaluate((node) => node.scrollTop), top);
  assert.match(await page.evaluate(() => document.activeElement.textContent), /updated 1/);
  assert.match(await page.locator("tr[aria-selected=true]").textContent(), /updated 1/);

  /* Whoever has scrolled down keeps seeing the same rows. */
  for (let i = 0; i < 9; i++) await forged(desk);
  await page.locator("#panel-deliveries tbody tr").nth(10).waitFor();
  const seen = row(page, "updated 1");
  await seen.evaluate((node) => node.scrollIntoView({ block: "end" }));
  const y = (await seen.boundingBox()).y;
  await forged(desk);
  await page.locator("#panel-deliveries tbody tr").nth(11).waitFor();
  assert.ok(Math.abs((await seen.boundingBox()).y - y) < 1);

  /* The keys of a list: up, Enter. */
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await verdict(page, /Refused/);
  assert.match(await page.locator(".facts").textContent(), /Signature\s*wrong/);
  assert.match(await page.locator(".facts").textContent(), /line break/);
  assert.equal(await page.locator(".new").count(), 10);
  assert.match(await page.title(), /^\(10\) github/);
  assert.match(await page.evaluate(() => document.activeElement.textContent), /refused/);
}, { refusals: true });

story("in the list, R sends again and E edits a copy", async (page) => {
  await closed(page);
  await page.keyboard.press("Control+Enter");
  await row(page, "updated 1").focus();
  await page.keyboard.press("r");
  await page.locator("#panel-deliveries tbody tr").nth(1).waitFor();
  await page.waitForFunction(() => document.activeElement?.matches("tr[data-id]:first-child"));
  await page.keyboard.press("e");
  await page.locator("#sample option:checked", { hasText: "Copy of" }).waitFor({ state: "attached" });
  await page.waitForFunction(() => document.activeElement?.matches("#payload-editor textarea"));
  await page.locator("#subject button[aria-pressed=true]", { hasText: "What you edit" }).waitFor();
});

story("Follow newest opens what arrives, and a hidden page catches up", async (page, desk) => {
  await page.locator("#follow").check();
  await forged(desk);
  await verdict(page, /Refused/);
  await page.locator("#follow").uncheck();
  const hide = (hidden) => page.evaluate((hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  await hide(true);
  await forged(desk);
  await hide(false);
  await page.locator("#panel-deliveries tbody tr").nth(1).waitFor();
  assert.equal(await page.locator("#panel-deliveries tbody tr").count(), 2);
  assert.equal(await page.locator(".new").count(), 1);
}, { refusals: true });

story("a draft, its payload and the place survive a reload; a file changed on disk gives three choices", async (page, desk) => {
  await closed(page);
  await replace(page, editor(page), "# GitHub issues", "# Mine");
  await replace(page, payload(page), '"state_reason": "completed"', '"state_reason": "not_planned"');
  await page.locator(".props > li.change", { hasText: "DEFERRED" }).waitFor();
  await page.reload();
  await connected(page, "Live");
  await page.locator(".props > li.change", { hasText: "DEFERRED" }).waitFor();
  assert.ok((await editor(page).inputValue()).includes("\n# Mine"));
  assert.match(await payload(page).inputValue(), /not_planned/);
  assert.match(await page.locator("#dirty").textContent(), /edited, not saved/);

  const theirs = desk.read("github").replace("# GitHub issues", "# Theirs");
  fs.writeFileSync(desk.file("github"), theirs);
  await page.getByRole("button", { name: "Compare" }).click();
  assert.match(await page.locator("#compare pre").textContent(), /− # Theirs.*\+ # Mine/s);
  await page.locator("#compare").getByRole("button", { name: "Keep mine" }).click();
  await page.locator("#conflict").waitFor({ state: "hidden" });
  await page.keyboard.press("Control+s");
  await page.locator("#dirty", { hasText: /^saved$/ }).waitFor();
  assert.ok(desk.read("github").includes("\n# Mine"));

  await replace(page, editor(page), "# Mine", "# Mine again");
  fs.writeFileSync(desk.file("github"), theirs);
  await page.getByRole("button", { name: "Take theirs" }).first().click();
  await page.locator("#dirty", { hasText: /^saved$/ }).waitFor();
  assert.ok(await editor(page).inputValue() === theirs);

  /* A clean draft just follows. */
  fs.writeFileSync(desk.file("github"), theirs.replace("# Theirs", "# Newer"));
  await page.waitForFunction(() => document.querySelector("#file-editor textarea").value.includes("\n# Newer"));
});

story("a payload is pasted, whole requests too, and keeps its headers when it is edited", async (page) => {
  await page.locator("#story-body").focus();
  await paste(page, closedBody());
  await page.locator("#sample option:checked", { hasText: "Pasted" }).waitFor({ state: "attached" });
  await page.waitForFunction(() => document.querySelector("#payload-editor textarea").value.includes('"action": "closed"'));
  await verdict(page, "Updates task 9001");
  await page.getByRole("button", { name: "As sent" }).click();
  assert.equal(await payload(page).inputValue(), closedBody());

  await payload(page).focus();
  await page.keyboard.press("Control+a");
  await paste(page, `POST /github?team=web HTTP/1.1\r\nContent-Type: application/json\r\nX-GitHub-Event: issues\r\nX-GitHub-Delivery: 1f84041b-77dc-507a-85c2-955d9a9c22eb\r\nX-Hub-Signature-256: sha256=41e19bfcaedd45181f614ceab3881ba5654d29ec22e938d2560ab0cdbdc0f7cc\r\n\r\n${closedBody()}`);
  await page.getByRole("button", { name: "Headers" }).click();
  await page.locator("#headers", { hasText: /x-github-delivery.*1f84041b/i }).waitFor();
  assert.match(await page.locator("#headers").textContent(), /hidden: .*Query.*team.*web/s);
  assert.doesNotMatch(await page.locator("#headers").textContent(), /41e19bfc/);

  await page.getByRole("button", { name: "Formatted" }).click();
  await replace(page, payload(page), '"state_reason": "completed"', '"state_reason": "not_planned"');
  await page.locator(".props > li.change", { hasText: "DEFERRED" }).waitFor();
  await page.getByRole("button", { name: "Headers" }).click();
  await page.locator("#headers", { hasText: /x-github-delivery.*1f84041b.*team.*web/is }).waitFor();
});

story("a file is dropped; a big one is read through a window", async (page) => {
  const drop = (text, name) => page.evaluate(([text, name]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([text], name));
    document.querySelector("#payload-empty, #payload").dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }, [text, name]);
  const big = JSON.stringify({ items: Array.from({ length: 12_000 }, (_, id) => ({ id, name: "item " + id })) });
  await drop(big, "big.json");
  const note = page.locator("#payload-note", { hasText: /Read-only \(\d+ KiB\): lines 1 to 2,000 of 48,00\d/ });
  await note.waitFor();
  assert.equal(await payload(page).getAttribute("readonly"), "");
  await page.getByRole("button", { name: "Later lines" }).click();
  await page.locator("#payload-note", { hasText: "lines 2,001 to 4,000" }).waitFor();
  assert.match(await page.locator("#payload-editor .gutter").textContent(), /^2001\n/);
  await drop("x".repeat((1 << 20) + 1), "too-big.txt");
  await page.locator("#payload-note .bad").waitFor();
  assert.match(await page.locator("#sample option:checked").textContent(), /big\.json/);
}, { refusals: true });

story("a new source is made from a payload, and a shipped one is copied", async (page, desk) => {
  await closed(page);
  await page.locator("#new").click();
  await page.keyboard.type("github");
  await page.keyboard.press("Enter");
  await page.locator("#make-wrong", { hasText: /./ }).waitFor();
  await page.locator("#make-name").fill("desk");
  await page.keyboard.press("Enter");
  await page.locator("#sources [aria-current=true]", { hasText: "desk" }).waitFor();
  assert.match(await page.locator("#address").textContent(), /\/desk$/);
  await page.locator("#file-note", { hasText: "desk.toml is new" }).waitFor();
  assert.ok(await editor(page).inputValue() === desk.read("desk"));

  await page.locator("#ready summary").click();
  await page.locator("#ready").getByRole("button", { name: "asana" }).click();
  await page.locator("#file-note", { hasText: "asana.toml is new" }).waitFor();
  /* But for the line that leads to the schema, from another folder. */
  const rest = (text) => text.replace(/^#:schema .*\n/, "");
  assert.ok(rest(desk.read("asana")) === rest(fs.readFileSync(path.join(repository, "sources/available/asana.toml"), "utf8")));
  assert.equal(await page.locator("#ready").getByRole("button", { name: "asana" }).count(), 0);
}, { refusals: true });

story("in a folder without a source file, the first one is made from a payload", async (page, desk) => {
  assert.equal(await page.locator("#sources li").count(), 0);
  await page.evaluate((text) => navigator.clipboard.writeText(text), closedBody());
  await page.locator("#story-body").focus();
  await page.keyboard.press("Control+v");
  await page.locator("#story-body").getByRole("button", { name: "New from a payload" }).click();
  await page.keyboard.type("desk");
  await page.keyboard.press("Enter");
  await page.locator("#file-note", { hasText: "desk.toml is new" }).waitFor();
  assert.ok(await editor(page).inputValue() === desk.read("desk"));
  await page.locator("#story-body .verdict").waitFor();
}, { program: () => start({ folder: copy(["events"]) }) });

story("a command is copied, and never a signature", async (page, desk) => {
  await closed(page);
  await page.getByRole("button", { name: "Copy as command" }).click();
  await saying(page, "Copied");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `taskhook send github events/github/closed.json --url ${desk.address}`);
});

story("420 px, dark, by keys alone", async (page) => {
  for (const pane of ["activity", "sources", "payload", "file", "story"]) {
    await page.keyboard.press("F6");
    await page.locator(`body[data-view=${pane}]`).waitFor();
    assert.ok(await page.locator({ sources: "#nav", payload: "#payload", file: "#file", story: "#story", activity: "#activity" }[pane]).isVisible(), pane);
    assert.ok(await page.evaluate(() => document.activeElement !== document.body), "the focus is in " + pane);
  }
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.getByRole("button", { name: "Try the sample closed.json" }).locator("visible=true").focus();
  await page.keyboard.press("Enter");
  await verdict(page, "Updates task 9001");
  await page.keyboard.press("Control+/");
  await page.locator("#keys[open]").waitFor();
  await page.keyboard.press("Escape");
  await page.locator("#keys:not([open])").waitFor({ state: "attached" });
  await page.keyboard.press("Control+Enter");
  await verdict(page, "Updated task 9001");
  /* Tab leaves the editor. */
  await page.keyboard.press("Shift+F6");
  await page.waitForFunction(() => document.activeElement?.matches("#file-editor textarea"));
  await page.keyboard.press("Tab");
  assert.ok(await page.evaluate(() => !document.activeElement.matches("#file-editor textarea")));
}, { width: 420, theme: "dark" });

story("the program ends and starts again: Lost, Live, no row twice, and the draft is still there", async (page, desk) => {
  await closed(page);
  await replace(page, editor(page), "# GitHub issues", "# Mine");
  await replace(page, payload(page), '"state_reason": "completed"', '"state_reason": "not_planned"');
  await page.locator(".props > li.change", { hasText: "DEFERRED" }).waitFor();
  await page.keyboard.press("Control+Enter");
  await row(page, "updated 1").waitFor();
  await desk.stop();
  await connected(page, "Lost");
  const again = await start({ folder: desk.folder, port: desk.port });
  try {
    await connected(page, "Live");
    await page.locator("#panel-deliveries tbody tr").first().waitFor({ state: "detached" });
    await page.locator(".props > li.change", { hasText: "DEFERRED" }).waitFor();
    assert.ok((await editor(page).inputValue()).includes("\n# Mine"));
    await page.keyboard.press("Control+Enter");
    await row(page, "updated 1").waitFor();
    assert.equal(await page.locator("#panel-deliveries tbody tr").count(), 1);
  } finally { await again.stop(); }
}, { offline: true });

story("foreign hosts, origins and keys are refused, and no answer holds a secret", async (page, desk) => {
  const answers = [];
  page.on("response", (answer) => { if (!answer.url().includes("/_desk/events")) answers.push(answer.text().catch(() => "")); });
  await closed(page);
  await page.getByRole("button", { name: "Headers" }).click();
  await page.keyboard.press("Control+Enter");
  await verdict(page, "Updated task 9001");
  await page.locator("#tab-tasks").click();
  await page.locator("#panel-tasks tr").nth(1).waitFor();
  await page.reload();
  await connected(page, "Live");
  const all = (await Promise.all(answers)).join("\n");
  assert.ok(all.includes("acme/shop#12"));
  const secrets = Object.values(JSON.parse(fs.readFileSync(path.join(repository, "events/secrets.json"), "utf8"))).flatMap((one) => one.startsWith("[") ? JSON.parse(one) : [one]);
  for (const one of [...secrets, "41e19bfcaedd45181f614ceab3881ba5654d29ec22e938d2560ab0cdbdc0f7cc", "sha256="]) assert.ok(!all.includes(one), one);

  const key = await page.locator("meta[name=desk-key]").getAttribute("content");
  const asked = async (headers, target = "/_desk/state") => (await outside(desk, target, { method: "GET", headers })).status;
  assert.equal(await asked({ "desk-key": key }), 200);
  assert.equal(await asked({}), 403);
  assert.equal(await asked({ "desk-key": key.replace(/.$/, (last) => last === "0" ? "1" : "0") }), 403);
  assert.equal(await asked({ "desk-key": key, origin: "http://evil.example" }), 403);
  assert.equal(await asked({ "desk-key": key, host: "evil.example" }), 421);
  assert.equal(await asked({ host: "evil.example" }, "/"), 421);
  const served = await outside(desk, "/", { method: "GET" });
  assert.match(served.headers["content-security-policy"], /default-src 'none'/);
  assert.doesNotMatch(served.headers["content-security-policy"], /unsafe-inline/);
  assert.doesNotMatch(served.text, /\{\{(KEY|NONCE)\}\}/);
});

story("with --online the chip names the portal, nothing is written, and there are no faults", async (page) => {
  assert.match(await page.locator("#portal").textContent(), /127\.0\.0\.1:\d+: nothing is written/);
  assert.deepEqual(await page.locator("#tabs button").evaluateAll((all) => all.map((one) => one.id)), ["tab-deliveries", "tab-calls"]);
  await closed(page);
  assert.match(await page.locator(".verdict").textContent(), /nothing is written there/);
  await page.keyboard.press("Control+Enter");
  await page.locator("#panel-deliveries tbody tr").waitFor();
  await page.getByRole("button", { name: "What you edit" }).click();
  await verdict(page, "Updates task 9001");
}, {
  program: async () => {
    const portal = await start({ command: "sim", args: ["--seed", "events/portal.json"] });
    const { token } = JSON.parse(fs.readFileSync(path.join(repository, "events/portal.json"), "utf8"));
    const desk = await start({ args: ["--online"], env: { HUBSPOT_BASE_URL: portal.address, HUBSPOT_TOKEN: token } });
    return { ...desk, end: async () => { await desk.end(); await portal.end(); } };
  },
});

story("axe finds nothing, at three widths and in both themes", async (page, desk) => {
  const show = async (name) => { if (await page.locator("#dock").isVisible()) await page.locator(`#dock [data-view=${name}]`).click(); };
  const everywhere = async (what, panes) => {
    for (const width of [1280, 1000, 420]) for (const colorScheme of ["light", "dark"]) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme });
      for (const pane of width === 420 ? panes : panes.slice(0, 1)) { await show(pane); await axe(page, `${what}, ${pane}, ${width} px, ${colorScheme}`); }
    }
    await page.setViewportSize({ width: 1280, height: 800 });
  };
  await everywhere("first run", ["story", "payload", "sources"]);
  await closed(page);
  await everywhere("good", ["story", "file"]);
  await forged(desk);
  await row(page, "refused").waitFor();
  await everywhere("new delivery", ["activity"]);
  await replace(page, editor(page), "select(test(", "select(tset(");
  await page.locator("#problems button").first().waitFor();
  await everywhere("mistake", ["file", "story"]);
  for (const tab of ["calls", "faults", "tasks"]) { await page.locator("#tab-" + tab).click(); await axe(page, tab); }
  await page.getByRole("button", { name: "Headers" }).click();
  await axe(page, "headers");
  await page.locator("#keys-open").click();
  await axe(page, "keys");
}, { refusals: true });
