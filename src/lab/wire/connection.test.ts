import { getEventListeners } from "node:events";
import { expect, it } from "vitest";
import { withServer } from "../testing/server-for-test.ts";
import { Connection } from "./connection.ts";

it("a connection that was closed leaves no listener on the signal and no open socket", async () => {
  const { signal } = new AbortController();
  let gone: Promise<unknown> | undefined;
  await withServer(
    (socket) => {
      gone = new Promise((resolve) => socket.resume().once("close", resolve));
    },
    async (path) => {
      const connection = await Connection.open("peer", path, { signal });
      const ends: string[] = [];
      connection.listen({ take: () => {}, ended: ({ reason }) => ends.push(reason) });
      expect(getEventListeners(signal, "abort")).toHaveLength(1);
      await Promise.all([connection.close(), connection.close()]);
      await gone;
      expect(getEventListeners(signal, "abort")).toEqual([]);
      expect(ends).toEqual(["closed"]);
    },
  );
});

it("patience waits for a listener that comes later, and keeps no listener of its own", async () => {
  const controller = new AbortController();
  await withServer(
    () => {},
    async (path) => {
      const opening = Connection.open("peer", `${path}2`, { signal: controller.signal, patienceMs: 60_000 });
      const { link } = await import("node:fs/promises");
      // The socket appears under its second name only now.
      await link(path, `${path}2`);
      const connection = await opening;
      await connection.close();
      expect(getEventListeners(controller.signal, "abort")).toEqual([]);
    },
  );
});

it("who listens after the end is told of it", async () => {
  await withServer(
    () => {},
    async (path) => {
      const connection = await Connection.open("peer", path);
      await connection.close();
      const ends: unknown[] = [];
      connection.listen({ take: () => {}, ended: (error) => ends.push(error) });
      connection.write("into nothing");
      expect(ends).toEqual([connection.error]);
    },
  );
});
