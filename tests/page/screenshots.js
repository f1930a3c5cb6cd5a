// Makes the pictures of docs/ from the program itself: `node tests/page/screenshots.js`.
"use strict";
const path = require("node:path");
const { start, launch, repository } = require("./program.js");

/* A few deliveries, so that the list has some of each kind. */
async function deliver(address) {
  const key = /name="desk-key" content="([^"]+)"/.exec(await (await fetch(address)).text())[1];
  const post = async (route, body) => (await fetch(address + "/_desk/" + route, { method: "POST", headers: { "Desk-Key": key }, body })).json();
  await fetch(address + "/zendesk", { method: "POST", body: "{}" });
  for (const [source, sample] of [["github", "unknown-task"], ["zendesk", "solved"], ["jira", "done"], ["github", "ping"]]) {
    const { id } = await post(`payloads?sample=${source}/${sample}.json`);
    await post("send", JSON.stringify({ source, payload: id }));
  }
}

/* Puts the caret on a text, with some lines above it in view. */
async function show(page, area, text, above) {
  await page.locator(area).evaluate((node, [text, above]) => {
    const at = node.value.indexOf(text);
    node.setSelectionRange(at, at);
    node.scrollTop = (node.value.slice(0, at).split("\n").length - above) * 18;
    node.dispatchEvent(new Event("keyup"));
  }, [text, above]);
}

(async () => {
  const desk = await start({ port: 8787 }), browser = await launch();
  try {
    await deliver(desk.address);
    for (const [name, width, colorScheme] of [["light", 1280, "light"], ["dark", 1280, "dark"], ["narrow", 420, "light"]]) {
      const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme, reducedMotion: "reduce" });
      await page.goto(desk.address);
      await page.locator("#live[data-word=Live]").waitFor();
      await page.getByRole("button", { name: "Try the sample closed.json" }).locator("visible=true").click();
      await page.locator("#story-body h3", { hasText: "Updates task 9001" }).waitFor();
      await page.locator(".props > li.change").first().waitFor();
      await show(page, "#payload-editor textarea", '"completed"', 4);
      await show(page, "#file-editor textarea", "hs_task_type ", 8);
      await page.mouse.move(0, 0);
      await page.screenshot({ path: path.join(repository, "docs", `page-${name}.png`) });
      await page.close();
    }
  } finally {
    await browser.close();
    await desk.end();
  }
})();
