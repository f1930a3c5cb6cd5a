// Makes the pictures of docs/ from the program itself: `node tests/page/screenshots.js`.
"use strict";
const path = require("node:path");
const { start, launch, repository } = require("./program.js");

(async () => {
  const desk = await start({ port: 8787 }), browser = await launch();
  try {
    for (const [name, width, colorScheme] of [["light", 1280, "light"], ["dark", 1280, "dark"], ["narrow", 420, "light"]]) {
      const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme, reducedMotion: "reduce" });
      await page.goto(desk.address);
      await page.locator("#live[data-word=Live]").waitFor();
      await page.getByRole("button", { name: "Try the sample closed.json" }).locator("visible=true").click();
      await page.locator("#story-body h3", { hasText: "Updates task 9001" }).waitFor();
      await page.locator(".props > li.change").first().waitFor();
      await page.locator("#payload-editor textarea").evaluate((area) => {
        const at = area.value.indexOf('"completed"');
        area.setSelectionRange(at, at);
        area.scrollTop = (area.value.slice(0, at).split("\n").length - 4) * 18;
        area.dispatchEvent(new Event("keyup"));
      });
      await page.mouse.move(0, 0);
      await page.screenshot({ path: path.join(repository, "docs", `page-${name}.png`) });
      await page.close();
    }
  } finally {
    await browser.close();
    await desk.end();
  }
})();
