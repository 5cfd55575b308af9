// The documentation of the REST API at /docs/, in a real browser: complete, usable on a phone, and asking nobody but this server.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inBrowser } from "./support/browser.mjs";
import { call, person } from "./support/people.mjs";
import { ROOT } from "./support/server.mjs";

const DOCUMENT = JSON.parse(readFileSync(join(ROOT, "web/static/openapi.json"), "utf8"));
const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
const OPERATIONS = Object.entries(DOCUMENT.paths).flatMap(([path, item]) =>
  METHODS.filter((method) => item[method]).map((method) => ({ method, path, summary: item[method].summary })),
);
const PHONE = { width: 360, height: 740 };

describe("the documentation of the REST API", () => {
  const suite = inBrowser();

  /** Somebody who reads it; `visitor.requests` are all that their browser made, `visitor.refused` what the policy forbade. */
  async function reader(options = {}) {
    const visitor = await suite.arrives({ permissions: [], ...options });
    Object.assign(visitor, { requests: [], refused: [] });
    visitor.page.on("request", (request) => visitor.requests.push(request.url()));
    await visitor.context.exposeFunction("refuse", (text) => visitor.refused.push(text));
    await visitor.context.addInitScript(() => {
      addEventListener("securitypolicyviolation", (event) => globalThis.refuse(`${event.effectiveDirective} ${event.blockedURI}`));
    });
    await visitor.page.goto("/docs/");
    await visitor.page.locator("#overview").getByText(DOCUMENT.info.version).waitFor();
    return visitor;
  }
  const leaveWell = async (visitor) => {
    assert.deepEqual(visitor.faults, []);
    assert.deepEqual(visitor.refused, [], "refused by the policy");
    const elsewhere = visitor.requests.filter((url) => !/^(data|blob):/.test(url) && new URL(url).origin !== suite.server.url);
    assert.deepEqual(elsewhere, [], "asked of others");
    await visitor.leave();
  };

  test("shows every operation, and loads the page, its style, its script and the document, and nothing else", async () => {
    const visitor = await reader();
    const { page } = visitor;
    assert.equal(await page.title(), "REST API - Zetra");
    // When, and how often, a browser asks for the icon is its own affair.
    const paths = visitor.requests.map((url) => url.replace(suite.server.url, "")).filter((path) => path !== "/app/icon.svg");
    assert.deepEqual(paths.sort(), ["/docs/", "/docs/docs.css", "/docs/docs.js", "/openapi.json"]);
    assert.ok(OPERATIONS.length > 0);
    const menu = page.locator(".nav-bar-paths-under-tag");
    for (const { method, path, summary } of OPERATIONS) {
      await menu.getByText(summary, { exact: true }).click();
      const operation = page.locator(".expanded-endpoint-body");
      await operation.getByRole("heading", { name: summary, exact: true }).waitFor();
      assert.equal(await operation.locator(".method-fg").first().innerText(), method.toUpperCase());
      assert.equal(await operation.locator("[part=label-operation-path]").innerText(), path);
    }
    await leaveWell(visitor);
  });

  test("sends a request with a token from the page", async () => {
    const visitor = await reader();
    const { page } = visitor;
    const ann = await person(suite.server);
    await page.locator("#link-auth").click();
    await page.getByPlaceholder("JWT").fill(ann.token);
    await page.getByRole("button", { name: "Set" }).click();
    await page.locator(".nav-bar-paths-under-tag").getByText("Get the profile", { exact: true }).click();
    const answered = page.waitForResponse(`${suite.server.url}/api/user/profile`);
    await page.getByRole("button", { name: "Execute" }).click();
    assert.equal((await answered).status(), 200);
    await page.locator("api-request").getByText(ann.email).first().waitFor();
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
    assert.doesNotMatch(kept, new RegExp(ann.token), "the token is gone with the page");
    await leaveWell(visitor);
  });

  test("leads to the app, the events and the document", async () => {
    const visitor = await reader();
    const links = visitor.page.getByRole("navigation", { name: "Zetra" }).getByRole("link");
    const targets = await links.evaluateAll((all) => all.map((link) => link.getAttribute("href")));
    assert.deepEqual(targets, ["/docs/events/", "/openapi.json", "/app/"]);
    assert.equal((await call(suite.server, "GET", "/")).json.documentation, "/docs/");
    await leaveWell(visitor);
  });

  for (const colorScheme of ["light", "dark"]) {
    test(`is accessible and fits a phone, ${colorScheme}`, async () => {
      for (const viewport of [undefined, PHONE]) {
        const visitor = await reader({ colorScheme, viewport });
        const { page } = visitor;
        assert.deepEqual(await visitor.inaccessible(), [], "the overview");
        await page.getByText("Get a room", { exact: true }).click();
        await page.getByRole("button", { name: "Execute" }).waitFor();
        assert.deepEqual(await visitor.inaccessible(), [], "an operation");
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, "no sideways scrolling");
        await leaveWell(visitor);
      }
    });
  }

  test("follows the colour scheme while it is open", async () => {
    const visitor = await reader({ colorScheme: "light" });
    const background = () => visitor.page.locator("openapi-explorer").evaluate((viewer) => getComputedStyle(viewer).backgroundColor);
    assert.equal(await background(), "rgb(255, 255, 255)");
    await visitor.page.emulateMedia({ colorScheme: "dark" });
    await visitor.page.waitForFunction(() => getComputedStyle(document.querySelector("openapi-explorer")).backgroundColor === "rgb(25, 28, 39)");
    await leaveWell(visitor);
  });

  test("leads to the page of the events, on which every link to a type has its target", async () => {
    const visitor = await reader({ viewport: PHONE });
    const { page } = visitor;
    await page.getByRole("navigation", { name: "Zetra" }).getByRole("link", { name: "Events" }).click();
    await page.getByRole("heading", { name: "Socket.IO events" }).waitFor();
    const lost = await page.evaluate(() => [...document.querySelectorAll('main a[href^="#"]')].map(({ hash }) => hash).filter((hash) => !document.querySelector(hash)));
    assert.deepEqual(lost, []);
    assert.equal(await page.locator("#client-join-room").count(), 1);
    const { scrollWidth, clientWidth } = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return { scrollWidth, clientWidth };
    });
    assert.ok(scrollWidth <= clientWidth, `${scrollWidth} px in ${clientWidth}`);
    assert.deepEqual(await visitor.inaccessible(), []);
    await leaveWell(visitor);
  });

  test("comes with a policy that allows no script but its own, and nothing from elsewhere", async () => {
    for (const path of ["/docs/", "/docs/docs.js", "/docs/docs.css", "/docs/events/", "/docs/events/events.css"]) {
      const response = await fetch(suite.server.url + path);
      assert.equal(response.status, 200, path);
      const expected = {
        "content-security-policy":
          "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "strict-transport-security": "max-age=31536000; includeSubDomains",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "x-xss-protection": "0",
        "permissions-policy": "camera=(), microphone=(), display-capture=(), geolocation=()",
      };
      for (const [name, value] of Object.entries(expected)) assert.equal(response.headers.get(name), value, `${path} ${name}`);
    }
    for (const path of ["/docs", "/app"]) {
      const redirect = await fetch(suite.server.url + path, { redirect: "manual" });
      assert.equal(new URL(redirect.headers.get("location"), suite.server.url).pathname, `${path}/`);
      for (const name of ["content-security-policy", "x-frame-options"]) assert.ok(redirect.headers.get(name), `${path} ${name}`);
    }
  });
});
