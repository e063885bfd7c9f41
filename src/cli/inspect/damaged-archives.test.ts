import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { mutated } from "../../artifacts/testing/mutations.ts";
import { main } from "../main.ts";
import { fakeSystem } from "../testing/fake-system.ts";
import { tarArchive } from "./testing/tar-archive.ts";

const LOG = "[    0.000000] BIOS-e820: [mem 0x0000000000100000-0x000000007fffffff] usable\n";
const XZ_LOG = Buffer.from(
  "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4ABMADVdAC2IMEYC4aB2XuHSekpXMOV8docX6DXC654ueK2PMq+KUPIpoyfwYuYsvKzI0tqvv5PFu6AAAAAAAHiNyza4dtZRAAFRTRPkS4sftvN9AQAAAAAEWVo=",
  "base64",
);
const BZIP2_LOG = Buffer.from(
  "QlpoOTFBWSZTWWr9zS4AABffgH0QQANw0BAgiAozBgpAIABUYwAAAAA1NQB6jQaepmU9TRiYYg1sJuqFmuUAZACUvgiR6mnJ30VluotXruz/74/nWR+8LuSKcKEg1fuaXA==",
  "base64",
);
const ZSTD_LOG = Buffer.from(
  "KLUv/QRY1QEAtAJbICAgIDAuMF0gQklPUy1lODIwOiBbbWVtIDB4MDEwLTdmXSB1c2FibGUKBQC4gTaXAduCuheIA3CA1Dg=",
  "base64",
);
const FILES = {
  "host/dmesg": LOG,
  "a.gz": gzipSync(LOG),
  "b.xz": XZ_LOG,
  "c.bz2": BZIP2_LOG,
  "d.zst": ZSTD_LOG,
};
const INNER = tarArchive(FILES);
/** Each begins with what makes it recognised, so that damage lies behind. */
const SAMPLES = [
  ...[XZ_LOG, BZIP2_LOG, ZSTD_LOG, gzipSync(LOG), INNER, gzipSync(INNER)],
  tarArchive({ "deep.tar.gz": gzipSync(tarArchive({ "deeper.tgz": gzipSync(INNER), ...FILES })) }),
];

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tidemark-damaged-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

it("a damaged archive is read as far as it goes: no mistake of ours, no trouble without a place", async () => {
  const statuses = new Set<number>();
  for (let seed = 1; seed <= 1500; seed++) {
    const sample = SAMPLES[seed % SAMPLES.length]!;
    const damaged = mutated([sample], seed, sample.length);
    const file = join(folder, "archive");
    // Some are damaged inside, where checksums of what is packed around them hold.
    writeFileSync(file, seed % 3 === 0 ? tarArchive({ "sos.gz": gzipSync(damaged) }) : damaged);
    const system = fakeSystem({});
    const status = await main(["inspect", file, "--json"], system);
    statuses.add(status);
    const told = `seed ${seed}: ${system.err()}`;
    expect([0, 1, 2], told).toContain(status);
    expect(system.err().split("\n").length, told).toBeLessThanOrEqual(2);
    for (const { at } of JSON.parse(system.out()).troubles)
      expect(at.line ?? at.offset, `${told}${JSON.stringify(at)}`).toBeDefined();
  }
  expect([...statuses].sort()).toEqual([0, 1, 2]);
});
