import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { DeviceWatcher } from "./device-watcher.ts";

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
    const watcher = new DeviceWatcher(path, { apply: ({ addr }) => void done.push(addr / 0x10_0000) });
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
