import { expect, it } from "vitest";
import { MACHINE, playText } from "../testing/play-text.ts";
import { renderHtml } from "./html.ts";

const page = async (text: string): Promise<string> => {
  const { report, frames } = await playText(text, { frames: true });
  return renderHtml(report, frames);
};

const STEPS =
  "steps: [boot, {resize: {device: vm0, to: 600M}}, {resize: {device: vm0, to: 2M}}, {touch: {gpa: 7G}}]\n";

it("asks for nothing from anywhere", async () => {
  const text = await page(MACHINE + STEPS);
  expect(text).toContain("default-src &#39;none&#39;");
  expect(text).not.toMatch(/\s(src|href|action|poster)\s*=/);
  expect(text).not.toMatch(/https?:|@import|url\((?!#)/);
});

it("escapes what scenarios say, wherever it stands", async () => {
  const evil = `</script><img onerror=x>"'&`;
  const quoted = JSON.stringify(evil);
  const text = await page(
    `name: ${quoted}\ntitle: ${quoted}\nabout: ${quoted}\nmachine: {memory: 4G}\nsteps: [boot, {note: ${quoted}}, {wait: 1s}]\nexpect: {dmesg: {contains: ${quoted}}}\n`,
  );
  expect(text).not.toContain("<img");
  expect(text.match(/<\/script>/g)).toHaveLength(1);
  expect(text).toContain("&lt;/script&gt;&lt;img onerror=x&gt;&quot;&#39;&amp;");
});

it("closes every element it opens", async () => {
  const text = await page(MACHINE + STEPS);
  const open: string[] = [];
  const empty = /^(meta|input|path|line|br|!doctype)$/;
  for (const [, slash, name = "", rest = ""] of text.matchAll(/<(\/?)([a-zA-Z!][a-zA-Z0-9]*)([^>]*)>/g)) {
    if (slash === "/") expect(open.pop()).toBe(name);
    else if (!empty.test(name) && !rest.endsWith("/")) open.push(name);
  }
  expect(open).toEqual([]);
});

it("shows the map before and after, and each step between for the slider", async () => {
  const text = await page(MACHINE + STEPS);
  expect(text).toContain("Before: 1G not plugged");
  expect(text).toContain("600M online, not yet accepted");
  expect(text).toContain("2M online, not yet accepted");
  expect(text).toContain('id="scrub" type="range" min="0" max="4" value="4"');
});

it("has a lane for each actor, a band for each step and a mark for each violation", async () => {
  const text = await page(MACHINE + STEPS);
  for (const lane of ["firmware", "guest/0", "operator", "driver/0"])
    expect(text).toContain(`>${lane}</text>`);
  expect(text.match(/class="band/g)).toHaveLength(4);
  expect(text).toContain("I1 broken at step");
});

it("draws a curve for each counter that moved, by step and by virtual time", async () => {
  const text = await page(MACHINE + STEPS);
  // nr_unaccepted is Unaccepted in another unit, so it has no curve of its own.
  expect(text.match(/<svg class="step"/g)).toHaveLength(3);
  expect(text.match(/<svg class="time"/g)).toHaveLength(3);
});

it("is whole for a scenario in which nothing happens", async () => {
  const text = await page(`${MACHINE}steps: [{note: nothing}]\n`);
  expect(text).toContain("held");
  expect(text).not.toMatch(/undefined|NaN/);
});

it("lists the faults, those drawn only if they struck", async () => {
  const { report } = await playText(MACHINE + STEPS);
  const fault = {
    ...{ call: "vm0 PLUG", at: 1, times: 1, answer: "BUSY", lateNs: 0, optional: false, line: 3, column: 1 },
    ...{ seen: 4, struck: 1, firstStep: 77, lastStep: 77 },
  };
  const drawn = { ...fault, call: "TDH.MEM.TRACK", at: null, times: null, struck: 0 };
  const text = renderHtml({ ...report, faults: [fault, drawn] }, []);
  expect(text).toContain("<li>vm0 PLUG at 1 answers BUSY: struck 1 of 4, step 77</li>");
  expect(text).not.toContain("TDH.MEM.TRACK");
  expect(renderHtml(report, [])).not.toContain("Faults");
});
