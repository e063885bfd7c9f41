import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { DeviceWatcher, takenBy } from "./device-watcher.ts";

const PLUGS = [1, 2, 3]
  .map(
    (block) => `virtio_mem_plug_request addr=0x${block}00000 nb_blocks=1\nvirtio_mem_send_response type=0\n`,
  )
  .join("");

it("who syncs while another waits finds all requests done, once each and in their order", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-test-"));
  try {
    const path = join(folder, "devices.log");
    writeFileSync(path, PLUGS);
    const done: number[] = [];
    const watcher = new DeviceWatcher(path, {
      apply: (request) => {
        done.push(request.addr / 0x10_0000);
        return request;
      },
    });
    let letGo: () => void = () => {};
    watcher.onRequest = ({ addr }) =>
      addr === 0x10_0000 ? new Promise((resolve) => (letGo = resolve)) : undefined;
    const first = watcher.sync();
    expect(done).toEqual([1]);
    await watcher.sync();
    expect(done).toEqual([1, 2, 3]);
    letGo();
    await first;
    expect([done, watcher.requests]).toEqual([[1, 2, 3], 3]);
    watcher.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

const DEVICES = [
  { addr: 0x1_0000_0000, regionSize: 0x1000_0000, blockSize: 0x20_0000 },
  { addr: 0x1_2000_0000, regionSize: 0x2000_0000, blockSize: 0x20_0000 },
];

it.each([
  [{ type: 1, addr: 0x1_2040_0000, blocks: 2 }, [{ start: 0x1_2040_0000, end: 0x1_2080_0000 }]],
  [{ type: 2, addr: 0x1_2000_0000, blocks: 0 }, [{ start: 0x1_2000_0000, end: 0x1_4000_0000 }]],
  [
    { type: 2, addr: 0, blocks: 0 },
    [
      { start: 0x1_0000_0000, end: 0x1_1000_0000 },
      { start: 0x1_2000_0000, end: 0x1_4000_0000 },
    ],
  ],
  [{ type: 1, addr: 0x2_0000_0000, blocks: 1 }, []],
])(
  "an unplug takes its blocks, and one of all its device's region, if that is known: %o",
  (request, spans) => {
    expect(takenBy({ ...request, response: 0 }, DEVICES)).toEqual(spans);
  },
);
