import type { Socket } from "node:net";
import { expect, it } from "vitest";
import { bytesOf } from "../../protocol/gdb-remote/hex-text.ts";
import { encodePacket } from "../../protocol/gdb-remote/packets.ts";
import { LabError } from "../lab-error.ts";
import { type Heard, scriptedStub } from "../testing/gdb-stub-for-test.ts";
import { withServer } from "../testing/server-for-test.ts";
import { ConnectionEnded } from "./connection-ended.ts";
import { GdbClient } from "./gdb-client.ts";
import { GdbRefused, GuestRuns } from "./gdb-refused.ts";

type Answer = (request: string, socket: Socket) => string | Uint8Array | undefined;

/** Runs `work` with a client of a scripted stub. `heard` is what the stub got after the handshake. */
const withStub = async (
  answer: Answer,
  work: (gdb: GdbClient, heard: Heard) => Promise<void>,
): Promise<void> => {
  const { heard, serve } = scriptedStub(answer);
  await withServer(serve, async (path) => {
    const gdb = await GdbClient.connect(path);
    heard.requests.length = 0;
    heard.chunks.length = 0;
    await work(gdb, heard);
    await gdb.close();
  });
};

const BLOCK = `${"8877665544332211"}${"f0ff000000000000"}${"02000000"}`;
const SIMPLE: Readonly<Record<string, string>> = {
  g: BLOCK,
  p1: "f0ff000000000000",
  c: "T05thread:p01.02;",
  s: "T05thread:p01.01;",
  qfThreadInfo: "mp01.01",
};
const ok: Answer = (request) => SIMPLE[request] ?? (/^[PZzHMQ]/.test(request) ? "OK" : undefined);

it("the handshake reads the description, which is what makes QEMU take P, and never sends ?", async () => {
  const { heard, serve } = scriptedStub(() => undefined);
  await withServer(serve, async (path) => {
    const gdb = await GdbClient.connect(path);
    expect(heard.requests).toEqual([
      "qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+;xmlRegisters=i386",
      "qXfer:features:read:target.xml:0,ffb",
      "qqemu.PhyMemMode",
    ]);
    expect(gdb.layout.blockBytes).toBe(20);
    await gdb.close();
  });
});

it("a description is read piece by piece, with what it includes", async () => {
  const core = '<reg name="rip" bitsize="64"/>';
  const annexes: Readonly<Record<string, string>> = {
    "target.xml": '<xi:include href="core.xml"/>',
    "core.xml": core,
  };
  const { heard, serve } = scriptedStub((request) => {
    const [, annex, offset] = /^qXfer:features:read:([^:]*):([0-9a-f]+),/.exec(request) ?? [];
    if (annex === undefined) return undefined;
    const rest = annexes[annex]?.slice(Number.parseInt(offset ?? "0", 16)) ?? "";
    return rest.length > 16 ? `m${rest.slice(0, 16)}` : `l${rest}`;
  });
  await withServer(serve, async (path) => {
    const gdb = await GdbClient.connect(path);
    expect([...gdb.layout.byName.keys()]).toEqual(["rip"]);
    expect(heard.requests).toContain("qXfer:features:read:core.xml:10,ffb");
    await gdb.close();
  });
});

it("registers changed are written, one packet each, those unchanged are not", async () => {
  await withStub(ok, async (gdb, heard) => {
    const known = await gdb.readRegisters();
    expect(known.read("rax")).toBe(0x1122_3344_5566_7788n);
    await gdb.writeRegisters({ rax: 0x1122_3344_5566_7788n, rip: 0xfff4n, eflags: 2n }, known);
    await gdb.writeRegisters({ rax: -1n });
    await gdb.writeRegisters({});
    expect(heard.requests).toEqual(["g", "P1=f4ff000000000000", "P0=ffffffffffffffff"]);
  });
});

it("a batch leaves in one write and is answered in order", async () => {
  await withStub(ok, async (gdb, heard) => {
    const [written, set, stopped] = gdb.batch(
      () =>
        [
          gdb.writeRegisters({ rax: 1n, rip: 2n }),
          gdb.setWatchpoint("access", 0xffff_8881_4000_0000n, 0x20_0000),
          gdb.resume(),
        ] as const,
    );
    await Promise.all([written, set]);
    expect(await stopped).toMatchObject({ kind: "stopped", thread: { thread: 2 } });
    expect(heard.chunks).toEqual([
      ["P0=0100000000000000", "P1=0200000000000000", "Z4,ffff888140000000,200000", "c"],
    ]);
  });
});

it("a refusal is the request's own, and the others of the batch are done", async () => {
  const answer: Answer = (request, socket) =>
    request.startsWith("z") ? "E22" : request === "m0,1" ? "" : ok(request, socket);
  await withStub(answer, async (gdb) => {
    const [cleared, read, registers] = gdb.batch(
      () => [gdb.clearBreakpoint("software", 1n), gdb.readMemory(0n, 1), gdb.readRegisters()] as const,
    );
    await expect(cleared).rejects.toThrow(GdbRefused);
    await expect(cleared).rejects.toThrow(
      /^gdb stub at .*: request "z0,1,1": it answered E22 \(invalid, or not there\)$/,
    );
    await expect(read).rejects.toThrow(/"m0,1": it does not know it/);
    expect((await registers).read("rip")).toBe(0xfff0n);
  });
});

it("while the guest runs nothing is sent but an interrupt", async () => {
  let running: Socket | undefined;
  const answer: Answer = (request, socket) => {
    if (request === "c") running = socket;
    if (request === "^C") return "T02thread:p01.01;";
    return request === "c" ? undefined : ok(request, socket);
  };
  await withStub(answer, async (gdb, heard) => {
    gdb.interrupt();
    const stopped = gdb.resume();
    expect(gdb.running).toBe(true);
    await expect(gdb.readRegisters()).rejects.toThrow(GuestRuns);
    await expect(gdb.resume()).rejects.toThrow(/request "c" while the guest runs; interrupt it first/);
    gdb.interrupt();
    expect(await stopped).toMatchObject({ kind: "stopped", signal: 2 });
    expect(gdb.running).toBe(false);
    expect(running).toBeDefined();
    await gdb.readRegisters();
    expect(heard.requests).toEqual(["c", "^C", "g"]);
  });
});

it("output comes between a resume and its stop, and a stop nobody asked for disturbs no answer", async () => {
  const wire = (...payloads: string[]): Uint8Array => Buffer.concat(payloads.map(encodePacket));
  const answer: Answer = (request, socket) => {
    if (request === "c") return wire("O6869", "T05thread:p01.01;");
    return request === "g" ? wire("T02thread:p01.01;", BLOCK) : ok(request, socket);
  };
  await withStub(answer, async (gdb) => {
    expect(await gdb.resume()).toMatchObject({ signal: 5 });
    expect((await gdb.readRegisters()).read("rip")).toBe(0xfff0n);
    expect(gdb.strayStops).toBe(1);
  });
});

it("memory beyond a packet is asked for in pieces, and the physical mode is switched with the first", async () => {
  const answer: Answer = (request, socket) => {
    const [, length] = /^m[0-9a-f]+,([0-9a-f]+)$/.exec(request) ?? [];
    return length === undefined ? ok(request, socket) : "ab".repeat(Number.parseInt(length, 16));
  };
  await withStub(answer, async (gdb, heard) => {
    expect(await gdb.readPhysical(2 ** 40, 5000)).toEqual(new Uint8Array(5000).fill(0xab));
    await gdb.writePhysical(2 ** 40, Uint8Array.of(1, 2));
    await gdb.readMemory(0x10n, 1);
    expect(heard.requests).toEqual([
      "Qqemu.PhyMemMode:1",
      "m10000000000,800",
      "m10000000800,800",
      "m10000001000,388",
      "M10000000000,2:0102",
      "Qqemu.PhyMemMode:0",
      "m10,1",
    ]);
  });
});

it("a vCPU is selected once, and again only after a stop chose another", async () => {
  await withStub(ok, async (gdb, heard) => {
    const first = { process: 1, thread: 1 };
    await gdb.selectThread(first);
    await gdb.selectThread(first);
    await gdb.resume();
    await gdb.selectThread({ process: 1, thread: 2 });
    await gdb.selectThread(first);
    expect(heard.requests).toEqual(["Hgp1.1", "Hcp1.1", "c", "Hgp1.1", "Hcp1.1"]);
  });
});

it("a stub without physical mode is not asked for physical memory", async () => {
  const answer: Answer = (request, socket) => (request === "qqemu.PhyMemMode" ? "" : ok(request, socket));
  await withStub(answer, async (gdb, heard) => {
    await expect(gdb.writePhysical(0, Uint8Array.of(1))).rejects.toThrow(GdbRefused);
    expect(heard.requests).toEqual([]);
  });
});

it("the end of a connection rejects all that waits with one error, and all that comes later", async () => {
  const answer: Answer = (request, socket) => {
    if (request === "c") socket.end();
    return request === "c" ? undefined : request === "g" ? undefined : ok(request, socket);
  };
  await withStub(answer, async (gdb) => {
    const waiting = gdb.batch(() => [gdb.readRegisters(), gdb.readMemory(0n, 4096), gdb.resume()]);
    const errors = await Promise.all(waiting.map((promise) => promise.catch((error: unknown) => error)));
    expect(errors[0]).toBeInstanceOf(ConnectionEnded);
    expect(errors[0]).toBeInstanceOf(LabError);
    expect(new Set(errors).size).toBe(1);
    expect(String(errors[0])).toMatch(
      /^ConnectionEnded: connection to the gdb stub at .* ended: the other side closed it; look at what QEMU printed$/,
    );
    await expect(gdb.resume()).rejects.toBe(errors[0]);
    expect(gdb.running).toBe(false);
  });
});

it("what is not gdb remote ends the connection and says so", async () => {
  const speaks = async (greeting: Uint8Array): Promise<unknown> =>
    withServer(
      (socket) => socket.write(greeting),
      (path) => GdbClient.connect(path).catch((error: unknown) => error),
    );
  const qmp = await speaks(bytesOf('{"QMP": {}}'));
  expect(String(qmp)).toMatch(/expected a packet, found "\{".*check that this is the socket you meant$/);
  expect(qmp).toMatchObject({ reason: "malformed" });
  expect(String(await speaks(bytesOf("-")))).toMatch(/a refused checksum/);
  expect(String(await speaks(encodePacket("nonsense")))).toMatch(/name\+, name- or name=value/);
});

it("an answer that does not fit its request ends the connection", async () => {
  await withStub(
    (request) => (request === "g" ? "00" : undefined),
    async (gdb) => {
      await expect(gdb.readRegisters()).rejects.toThrow(/expected 40 digits, found 2/);
      await expect(gdb.readRegisters()).rejects.toThrow(ConnectionEnded);
    },
  );
});

it("nobody at the path, a path too long and an abort each say what they are", async () => {
  const failed = (path: string, signal?: AbortSignal): Promise<unknown> =>
    GdbClient.connect(path, signal === undefined ? {} : { signal, patienceMs: 60_000 }).catch(
      (e: unknown) => e,
    );
  await withServer(
    () => {},
    async (path) => {
      const nobody = await failed(`${path}-not`);
      expect(nobody).toMatchObject({ reason: "not there", peer: "gdb stub" });
      expect(String(nobody)).toMatch(/ENOENT.*start QEMU first/);
      expect(await failed(`${path}${"x".repeat(100)}`)).toMatchObject({ reason: "too long" });
      const cause = new Error("enough");
      const late = new AbortController();
      const waiting = failed(`${path}-not`, late.signal);
      const silent = failed(path, late.signal);
      late.abort(cause);
      expect(await waiting).toMatchObject({ reason: "aborted", cause });
      expect(await silent).toMatchObject({ reason: "aborted", cause });
      expect(await failed(path, AbortSignal.abort(cause))).toMatchObject({ reason: "aborted", cause });
    },
  );
});
