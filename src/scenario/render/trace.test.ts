import { expect, it } from "vitest";
import { MACHINE, playText } from "../testing/play-text.ts";
import { traceLine } from "./trace.ts";

it("writes each machine step as one line of JSON", async () => {
  const lines: string[] = [];
  const { report } = await playText(`${MACHINE}steps: [boot]\n`, {
    onEvent: (event, line) => lines.push(traceLine(event, line)),
  });
  expect(lines).toHaveLength(report.played[0]!.lastStep);
  expect(lines[1]).toBe(
    '{"step":2,"ns":1180000,"actor":"guest","vcpu":0,"what":"TDG.MEM.PAGE.ACCEPT 2M","start":4294967296,"end":4297064448,"status":"SUCCESS","stateAfter":"MAPPED","count":1,"line":6}\n',
  );
});
