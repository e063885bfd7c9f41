import fc from "fast-check";
import { expect, it } from "vitest";
import { escapeText, html, Markup, px } from "./markup.ts";

it("escapes every value that is not markup, in elements and in attributes", () => {
  const evil = `<script>"&'`;
  expect(html`<a title="${evil}">${evil}</a>`.text).toBe(
    '<a title="&lt;script&gt;&quot;&amp;&#39;">&lt;script&gt;&quot;&amp;&#39;</a>',
  );
  expect(html`<p>${[html`<b>${1}</b>`, "<", new Markup("<i/>")]}</p>`.text).toBe("<p><b>1</b>&lt;<i/></p>");
});

it("lets no text open or close anything", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(escapeText(text)).not.toMatch(/[<>"']|&(?!(amp|lt|gt|quot|#39);)/);
    }),
  );
});

it("writes coordinates with two decimals at most", () => {
  expect([px(1), px(1.005), px(2 / 3)]).toEqual(["1", "1", "0.67"]);
});
