// Every page outside the call at every size: nothing is lost, nothing has to be scrolled sideways, axe finds nothing.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { Visitor, inBrowser } from "./support/browser.mjs";
import { call as request, joined, person } from "./support/people.mjs";

const SIZES = {
  desktop: { width: 1280, height: 800 },
  "desktop at 200 %": { width: 640, height: 400 },
  phone: { width: 390, height: 844 },
  "small phone": { width: 320, height: 568 },
};
/** As long as a name can be, and wide. */
const NAME = "WWWWWWWWWWWWWWWWWWWW";

describe("the layout in a browser", () => {
  const suite = inBrowser();
  const { arrives } = suite;
  const listeners = [];
  after(() => listeners.forEach((listener) => listener.close()));
  const part = (...people) => Visitor.part(people);

  /** What is outside the window, cut off, or on top of something else that can be used. */
  const faultsOf = (page) =>
    page.evaluate(() => {
      const faults = [];
      const { scrollWidth } = document.documentElement;
      if (scrollWidth > innerWidth) faults.push(`the page is ${scrollWidth} px wide`);
      const shown = (element) => element.checkVisibility() && !element.closest(".visually-hidden, .skip");
      for (const element of [...document.querySelectorAll("body *")].filter(shown)) {
        const { left, right } = element.getBoundingClientRect();
        const words = `${element.localName} "${element.textContent.slice(0, 30)}"`;
        if (left < -1 || right > innerWidth + 1) faults.push(`${words} from ${left} to ${right}`);
        const isEllipsis = getComputedStyle(element).textOverflow === "ellipsis";
        if (!isEllipsis && getComputedStyle(element).overflowX !== "visible" && element.scrollWidth > element.clientWidth + 1 && element.localName !== "input") faults.push(`${words} is cut off`);
      }
      const controls = [...document.querySelectorAll("a[href], button, input, select")].filter(shown);
      for (const control of controls) {
        const { left, right, top, bottom } = control.getBoundingClientRect();
        if (bottom - top < 24 || right - left < 24) faults.push(`${control.textContent || control.name} is ${right - left} × ${bottom - top} px`);
        for (const other of controls) {
          if (other === control || control.matches(".reveal") || other.matches(".reveal")) continue;
          const box = other.getBoundingClientRect();
          if (box.left < right - 1 && box.right > left + 1 && box.top < bottom - 1 && box.bottom > top + 1) faults.push(`${control.textContent} covers ${other.textContent}`);
        }
      }
      return faults;
    });
  /** Walks through all pages, with `look` at each. */
  const walk = async (ann, look) => {
    const { page } = ann;
    await page.goto("/app/");
    await ann.heading("Video calls by link").waitFor();
    await look("first page");
    await page.getByRole("button", { name: "Create an account" }).click();
    await page.getByRole("button", { name: "Create account" }).click();
    await page.getByText("Enter a password.").waitFor();
    await look("sign up with errors");
    await page.reload();
    await ann.register();
    await page.getByText("No rooms yet").waitFor();
    await look("no rooms");
    await page.goto("/app/#/history");
    await page.getByText("No calls yet").waitFor();
    await look("no calls");
    await page.goto("/app/#/profile");
    await page.getByRole("button", { name: "Delete account…" }).click();
    await look("profile");

    const token = await ann.token();
    const others = await Promise.all([1, 2, 3].map(() => person(suite.server, "WWWWWWWW")));
    const { json } = await request(suite.server, "POST", "/api/room/create", { token, body: { name: "W".repeat(80) } });
    for (const { token } of others) await request(suite.server, "POST", `/api/room/join/${json.roomId}`, { token });
    const body = { callerId: await ann.id(), receiverId: others[0].id, participants: others.map(({ id }) => id), roomId: json.roomId };
    assert.equal((await request(suite.server, "POST", "/api/call-logs", { token, body })).status, 201);
    for (const other of others) listeners.push(await joined(suite.server, json.roomId, other));
    await page.goto("/app/#/");
    await page.getByText(/are in the call$/).waitFor();
    await look("rooms");
    await page.goto("/app/#/history");
    await page.locator(".list").getByText(others[2].username).waitFor();
    await look("history");
    await page.goto(`/app/#/room/${json.roomId}`);
    await page.locator(".no-picture").waitFor({ state: "hidden" });
    await page.getByRole("combobox", { name: "Speaker" }).waitFor();
    await look("lobby");
    await ann.enter();
    await page.getByRole("button", { name: "Leave", exact: true }).click();
    await ann.heading("You left the call").waitFor();
    await look("the end of a call");
    await page.goto("/app/#/nowhere");
    await ann.heading("Page not found").waitFor();
    await look("a wrong address");
    await page.goto("/app/#/room/1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed");
    await ann.heading("This room doesn't exist or has ended.").waitFor();
    await look("no room");
  };

  test("nothing is lost or has to be scrolled sideways, with the longest names", async () => {
    const ann = await arrives();
    ann.name = NAME;
    await walk(ann, async (page) => {
      for (const [size, viewport] of Object.entries(SIZES)) {
        await ann.page.setViewportSize(viewport);
        assert.deepEqual(await faultsOf(ann.page), [], `${page}, ${size}`);
      }
    });
    await part(ann);
  });

  test("the same holds for letters twice as large", async () => {
    const ann = await arrives({ viewport: SIZES["desktop at 200 %"] });
    ann.name = `${NAME.slice(1)}V`;
    await walk(ann, async (page) => {
      await ann.page.evaluate(() => (document.documentElement.style.fontSize = "200%"));
      assert.deepEqual(await faultsOf(ann.page), [], page);
      await ann.page.evaluate(() => (document.documentElement.style.fontSize = ""));
    });
    await part(ann);
  });

  for (const colorScheme of ["light", "dark"]) {
    test(`axe finds nothing on any page, ${colorScheme}, on a desktop and a phone`, async () => {
      const ann = await arrives({ colorScheme });
      await walk(ann, async (page) => {
        for (const size of ["desktop", "phone"]) {
          await ann.page.setViewportSize(SIZES[size]);
          assert.deepEqual(await ann.inaccessible(), [], `${page}, ${size}`);
        }
      });
      await part(ann);
    });
  }
});
