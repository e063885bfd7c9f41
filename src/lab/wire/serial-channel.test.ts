import type { Socket } from "node:net";
import { expect, it } from "vitest";
import { LONGEST_TEXT } from "../../protocol/guest-lines/line-frames.ts";
import { LabError } from "../lab-error.ts";
import { qemuInstalled, withQemu } from "../testing/qemu-for-test.ts";
import { withServer } from "../testing/server-for-test.ts";
import { GdbClient } from "./gdb-client.ts";
import { SerialChannel } from "./serial-channel.ts";

/** Runs `work` with a channel whose other side does what `guest` does. */
const withGuest = (
  guest: (socket: Socket) => void,
  work: (channel: SerialChannel, noise: string[]) => Promise<void>,
): Promise<void> =>
  withServer(guest, async (path) => {
    const noise: string[] = [];
    const channel = await SerialChannel.connect(path, { onNoise: (line) => noise.push(line) });
    await work(channel, noise);
    await channel.close();
  });

it("texts are read in order, whether they come before or after somebody waits", async () => {
  const guest = (socket: Socket): void => {
    socket.write("[    0.1] Linux\r\n@td<3:one;\r\n@td<3:t");
    socket.on("data", (chunk) => socket.write(`wo;\r\n${chunk}@td<5:three;\n`));
  };
  await withGuest(guest, async (channel, noise) => {
    expect(await channel.next()).toBe("one");
    const waiting = [channel.next(), channel.next()];
    channel.send("go on");
    expect(await Promise.all(waiting)).toEqual(["two", "three"]);
    expect(noise).toEqual(["[    0.1] Linux"]);
    expect(channel.counts).toEqual({ echoes: 1, noise: 1, damaged: 0 });
  });
});

it("a line that was damaged is counted and shown, not read", async () => {
  await withGuest(
    (socket) => socket.write("@td<3:o[ 1.0] oops\nne;\n@td<1:x;\n"),
    async (channel, noise) => {
      expect(await channel.next()).toBe("x");
      expect(channel.counts).toEqual({ echoes: 0, noise: 1, damaged: 1 });
      expect(noise).toEqual(["@td<3:o[ 1.0] oops", "ne;"]);
    },
  );
});

it("an abort ends one wait and loses no text", async () => {
  await withGuest(
    (socket) => socket.on("data", () => socket.write("@td<1:a;\n@td<1:b;\n")),
    async (channel) => {
      const stop = new AbortController();
      const ended = channel.next(stop.signal);
      const waiting = channel.next();
      const cause = new Error("enough");
      stop.abort(cause);
      await expect(ended).rejects.toBe(cause);
      await expect(channel.next(AbortSignal.abort(cause))).rejects.toBe(cause);
      channel.send("go");
      expect([await waiting, await channel.next()]).toEqual(["a", "b"]);
    },
  );
});

it("what came before the end is still read, then the end is said", async () => {
  await withGuest(
    (socket) => socket.end("@td<4:last;\n"),
    async (channel) => {
      const texts = [channel.next(), channel.next()];
      expect(await texts[0]).toBe("last");
      await expect(texts[1]).rejects.toThrow(
        /connection to the serial port at .* ended: the other side closed it/,
      );
      await expect(channel.next()).rejects.toThrow(/ended/);
      expect(() => channel.send("x")).toThrow(/ended/);
    },
  );
});

it("a text that no line carries is refused before it is sent", async () => {
  await withGuest(
    () => {},
    async (channel) => {
      for (const text of ["x".repeat(LONGEST_TEXT + 1), "a\nb", "\u00e9"]) {
        expect(() => channel.send(text)).toThrow(LabError);
      }
    },
  );
});

it("a guest that writes and is never read ends the connection instead of filling memory", async () => {
  let closed: Promise<void> | undefined;
  const guest = (socket: Socket): void => {
    closed = new Promise((resolve) => socket.once("close", () => resolve()));
    socket.write("@td<1:x;\n".repeat(20_001));
  };
  await withGuest(guest, async (channel) => {
    expect(await channel.next()).toBe("x");
    await closed;
    expect(() => channel.send("x")).toThrow(/10000 lines from the guest and no reader/);
    expect(await channel.next()).toBe("x");
  });
});

it.skipIf(!qemuInstalled)(
  "a guest's serial port carries lines both ways (needs qemu-system-x86_64)",
  async () => {
    // mov dx, 3f8; mov si, 2000; next: lodsb; test al, al; jz echo; out dx, al; jmp next
    // echo: mov dx, 3fd; wait: in al, dx; test al, 1; jz wait; mov dx, 3f8; in al, dx;
    // cmp al, '>'; jne same; mov al, '<'; same: out dx, al; jmp echo
    const code = Uint8Array.from([
      ...[0xba, 0xf8, 0x03, 0xbe, 0x00, 0x20, 0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8],
      ...[0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xfb, 0xba, 0xf8, 0x03, 0xec],
      ...[0x3c, 0x3e, 0x75, 0x02, 0xb0, 0x3c, 0xee, 0xeb, 0xeb],
    ]);
    await withQemu([], async (qemu) => {
      const channel = await SerialChannel.connect(qemu.serialPath, qemu.connect);
      const gdb = await GdbClient.connect(qemu.gdbPath, qemu.connect);
      await gdb.writePhysical(0x1000, code);
      await gdb.writePhysical(0x2000, Buffer.from("boot\r\n@td<5:ready;\r\n\0"));
      await gdb.writeRegisters({ cs: 0n, ds: 0n, rip: 0x1000n });
      const running = gdb.resume();
      expect(await channel.next()).toBe("ready");
      for (const text of ["plain", "", "x".repeat(1000)]) {
        channel.send(text);
        expect(await channel.next()).toBe(text);
      }
      gdb.interrupt();
      expect(await running).toMatchObject({ kind: "stopped", signal: 2 });
      expect(channel.counts).toEqual({ echoes: 0, noise: 1, damaged: 0 });
      await gdb.close();
      await channel.close();
    });
  },
);
