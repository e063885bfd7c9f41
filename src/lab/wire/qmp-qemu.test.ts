import { expect, it } from "vitest";
import { dimmInfo, virtioMemInfo } from "../../protocol/qmp/commands.ts";
import { MIB } from "../../units.ts";
import { qemuInstalled, withQemu } from "../testing/qemu-for-test.ts";
import { QmpClient } from "./qmp-client.ts";
import { QmpRefused } from "./qmp-refused.ts";

const NEEDED = "needs qemu-system-x86_64";
const MEMORY = ["-m", "128M,maxmem=4G,slots=2", "-device", "pcie-root-port,id=rp1,slot=1"];

const withClient = (work: (qmp: QmpClient) => Promise<void>): Promise<void> =>
  withQemu(MEMORY, async (qemu) => {
    const qmp = await QmpClient.connect(qemu.qmpPath, qemu.connect);
    await work(qmp);
    await qmp.close();
  });

it.skipIf(!qemuInstalled)(`QEMU says its version and state (${NEEDED})`, async () => {
  await withClient(async (qmp) => {
    expect(qmp.version.qemu.major).toBeGreaterThanOrEqual(5);
    expect(await qmp.execute("query-version")).toEqual(qmp.version);
    expect(await qmp.execute("query-status")).toMatchObject({ status: "prelaunch", running: false });
    expect(await qmp.execute("query-cpus-fast")).toMatchObject([{ "cpu-index": 0, target: "x86_64" }]);
    const names = (await qmp.execute("query-commands")).map(({ name }) => name);
    expect(names).toContain("query-memory-devices");
  });
});

it.skipIf(!qemuInstalled)(`a DIMM and a virtio-mem device are plugged and listed (${NEEDED})`, async () => {
  await withClient(async (qmp) => {
    expect(await qmp.execute("query-memory-devices")).toEqual([]);
    for (const id of ["m0", "m1"]) {
      await qmp.execute("object-add", { "qom-type": "memory-backend-ram", id, size: 256 * MIB });
    }
    await qmp.execute("device_add", { driver: "pc-dimm", id: "dimm0", memdev: "m0" });
    const bus = "rp1";
    await qmp.execute("device_add", {
      driver: "virtio-mem-pci",
      id: "vm0",
      memdev: "m1",
      bus,
      "requested-size": 64 * MIB,
    });
    const devices = await qmp.execute("query-memory-devices");
    expect(devices.map(({ type }) => type)).toEqual(["dimm", "virtio-mem"]);
    expect(dimmInfo.read(devices[0]?.data, "dimm")).toEqual({
      id: "dimm0",
      addr: 4 * 1024 * MIB,
      size: 256 * MIB,
      slot: 0,
      node: 0,
      memdev: "/objects/m0",
      hotplugged: true,
      hotpluggable: true,
    });
    expect(virtioMemInfo.read(devices[1]?.data, "virtio-mem")).toMatchObject({
      id: "vm0",
      size: 0,
      "requested-size": 64 * MIB,
      "max-size": 256 * MIB,
      memdev: "/objects/m1",
    });
    const path = "/machine/peripheral/vm0";
    await qmp.execute("qom-set", { path, property: "requested-size", value: 128 * MIB });
    expect(await qmp.execute("qom-get", { path, property: "requested-size" })).toBe(128 * MIB);
    expect(await qmp.execute("query-memory-size-summary")).toEqual({
      "base-memory": 128 * MIB,
      "plugged-memory": 256 * MIB,
    });
    const slots = await qmp.execute("query-acpi-ospm-status");
    expect(slots.filter((slot) => slot["slot-type"] === "DIMM")).toMatchObject([
      { device: "dimm0", slot: "0", "slot-type": "DIMM", source: 0, status: 0 },
      { slot: "1", "slot-type": "DIMM", source: 0, status: 0 },
    ]);
  });
});

it.skipIf(!qemuInstalled)(
  `what QEMU refuses is an error with its class, and the next command is done (${NEEDED})`,
  async () => {
    await withClient(async (qmp) => {
      const refused = await qmp.execute("device_del", { id: "none" }).catch((error) => error);
      expect(refused).toBeInstanceOf(QmpRefused);
      expect(refused).toMatchObject({ command: "device_del", errorClass: "DeviceNotFound" });
      expect(refused.message).toMatch(
        /^QMP monitor at .*: device_del: QEMU refused it \(DeviceNotFound\): [^\n]+$/,
      );
      await expect(qmp.executeAny("no-such-command")).rejects.toMatchObject({
        errorClass: "CommandNotFound",
      });
      await qmp.execute("query-status");
    });
  },
);

it.skipIf(!qemuInstalled)(`events come with their data, and quit ends QEMU (${NEEDED})`, async () => {
  await withQemu(MEMORY, async (qemu) => {
    const qmp = await QmpClient.connect(qemu.qmpPath, qemu.connect);
    const seen: string[] = [];
    qmp.onAny(({ name }) => seen.push(name));
    const reset = qmp.once("RESET");
    await qmp.execute("system_reset");
    expect((await reset).data).toEqual({ guest: false, reason: "host-qmp-system-reset" });
    const shutdown = qmp.once("SHUTDOWN");
    await qmp.execute("quit");
    expect((await shutdown).data).toEqual({ guest: false, reason: "host-qmp-quit" });
    await qemu.exited;
    expect(seen).toEqual(["RESET", "SHUTDOWN"]);
    await expect(qmp.execute("query-status")).rejects.toThrow(/QMP monitor at .* ended/);
  });
});
