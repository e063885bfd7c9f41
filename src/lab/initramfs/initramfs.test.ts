import { gunzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { readCpio } from "./cpio.ts";
import { buildInitramfs } from "./initramfs.ts";

const built = () =>
  readCpio(
    gunzipSync(
      buildInitramfs({
        busybox: Uint8Array.of(1, 2, 3),
        modules: new Map([["virtio_mem.ko.xz", Uint8Array.of(4)]]),
        init: "#!/bin/sh\n",
        extraFiles: [{ path: "usr/share/a/b", bytes: Uint8Array.of(5), mode: 0o600 }],
      }),
    ),
  );

it("the kernel finds init, busybox as the shell, the console device and the modules", () => {
  const lines = built().map(
    (entry) => `${entry.kind} ${entry.path} ${"mode" in entry ? entry.mode.toString(8) : ""}`,
  );
  expect(lines).toEqual(
    expect.arrayContaining([
      "file init 755",
      "file bin/busybox 755",
      "symlink bin/sh ",
      "character-device dev/console 600",
      "file lib/modules/virtio_mem.ko.xz 644",
      "file usr/share/a/b 600",
    ]),
  );
});

it("a folder comes once, and before what is in it", () => {
  const seen = new Set<string>([""]);
  for (const entry of built()) {
    const parent = entry.path.split("/").slice(0, -1).join("/");
    expect(seen.has(parent), `${entry.path} after ${parent}`).toBe(true);
    if (entry.kind === "directory") {
      expect(seen.has(entry.path)).toBe(false);
      seen.add(entry.path);
    }
  }
});
