import type { Socket } from "node:net";
import { expect, it } from "vitest";
import { JsonStream } from "../../protocol/qmp/json-stream.ts";
import {
  type ClientMessage,
  clientMessageOf,
  encodeServerMessage,
  type ServerMessage,
} from "../../protocol/qmp/messages.ts";
import type { Json } from "../../protocol/qmp/shape.ts";
import { withServer } from "../testing/server-for-test.ts";
import { ConnectionEnded } from "./connection-ended.ts";
import { QmpClient } from "./qmp-client.ts";
import { QmpRefused } from "./qmp-refused.ts";

const GREETING: ServerMessage = {
  kind: "greeting",
  version: { qemu: { major: 9, minor: 1, micro: 2 }, package: "" },
  capabilities: [],
};

type Reply = ServerMessage | string;
type Answer = (command: ClientMessage) => readonly Reply[];

const done = (id: ClientMessage["id"], value: Json = {}): ServerMessage => ({
  kind: "return",
  id,
  value,
});
const event = (name: string, data: { readonly [name: string]: string | number } = {}): ServerMessage => ({
  kind: "event",
  name,
  data,
  timestamp: { seconds: 5, microseconds: 7 },
});

const wire = (reply: Reply): string => (typeof reply === "string" ? reply : encodeServerMessage(reply));

/** A monitor that greets, takes the negotiation, and answers the rest by `answer`. */
const monitor =
  (answer: Answer, heard: ClientMessage[] = []) =>
  (socket: Socket): void => {
    const stream = new JsonStream();
    socket.write(wire(GREETING));
    socket.on("data", (chunk) => {
      for (const piece of stream.push(String(chunk))) {
        if (piece.kind === "malformed") throw piece.error;
        const command = clientMessageOf(piece.text);
        heard.push(command);
        const replies = command.name === "qmp_capabilities" ? [done(command.id)] : answer(command);
        for (const reply of replies) socket.write(wire(reply));
      }
    });
  };

const withMonitor = (answer: Answer, work: (qmp: QmpClient, heard: ClientMessage[]) => Promise<void>) => {
  const heard: ClientMessage[] = [];
  return withServer(monitor(answer, heard), async (path) => {
    const qmp = await QmpClient.connect(path);
    await work(qmp, heard);
    await qmp.close();
  });
};

it("the greeting's version is known after the negotiation, which comes first", async () => {
  await withMonitor(
    () => [],
    async (qmp, heard) => {
      expect(qmp.version.qemu).toEqual({ major: 9, minor: 1, micro: 2 });
      expect(heard).toEqual([{ name: "qmp_capabilities", args: {}, id: 1 }]);
    },
  );
});

it("answers are matched by their ids, in whatever order they come", async () => {
  const held: ClientMessage[] = [];
  const answer: Answer = (command) => {
    held.push(command);
    if (held.length < 3) return [];
    const [first, second, third] = held;
    return [
      done(third?.id, "third"),
      { kind: "error", id: first?.id, failure: { class: "GenericError", desc: "bad\nsize" } },
      done(second?.id, {}),
    ];
  };
  await withMonitor(answer, async (qmp) => {
    const add = qmp.execute("object-add", { "qom-type": "memory-backend-ram", id: "m", size: 1 });
    const cont = qmp.execute("cont");
    const get = qmp.execute("qom-get", { path: "/", property: "type" });
    expect(await get).toBe("third");
    await cont;
    await expect(add).rejects.toThrow(QmpRefused);
    await expect(add).rejects.toThrow(/: object-add: QEMU refused it \(GenericError\): bad size$/);
  });
});

it("events reach those who listen while they listen, typed, with their time", async () => {
  const answer: Answer = ({ id }) => [
    event("STOP"),
    event("DEVICE_DELETED", { device: "d0", path: "/machine/peripheral/d0" }),
    event("X_NEW", { a: 1 }),
    done(id),
  ];
  await withMonitor(answer, async (qmp) => {
    const all: string[] = [];
    const deleted: unknown[] = [];
    qmp.onAny(({ name }) => all.push(name));
    const off = qmp.on("DEVICE_DELETED", ({ data, timestamp }) => deleted.push([data.device, timestamp]));
    const waiting = qmp.waitFor("DEVICE_DELETED", ({ data }) => data.device === "d0");
    const other = qmp.waitFor("DEVICE_DELETED", ({ data }) => data.device === "d1");
    await qmp.execute("device_del", { id: "d0" });
    expect((await waiting).data.path).toBe("/machine/peripheral/d0");
    off();
    await qmp.execute("stop");
    expect(all).toEqual(["STOP", "DEVICE_DELETED", "X_NEW", "STOP", "DEVICE_DELETED", "X_NEW"]);
    expect(deleted).toEqual([["d0", { seconds: 5, microseconds: 7 }]]);
    await qmp.close();
    await expect(other).rejects.toThrow(/it was closed on this side/);
  });
});

it("an abort ends one wait with its reason, and the connection lives on", async () => {
  await withMonitor(
    ({ id }) => [event("RESUME"), done(id)],
    async (qmp) => {
      const stop = new AbortController();
      const ended = qmp.once("RESUME", stop.signal);
      const cause = new Error("enough");
      stop.abort(cause);
      await expect(ended).rejects.toBe(cause);
      await expect(qmp.once("RESUME", AbortSignal.abort(cause))).rejects.toBe(cause);
      const next = qmp.once("RESUME");
      await qmp.execute("cont");
      expect((await next).name).toBe("RESUME");
    },
  );
});

it("the end of the connection rejects commands and waits with one error, and later ones too", async () => {
  const ending = (socket: Socket): void => {
    monitor(() => {
      socket.end();
      return [];
    })(socket);
  };
  await withServer(ending, async (path) => {
    const qmp = await QmpClient.connect(path);
    const waiting = [qmp.once("RESET"), qmp.execute("system_reset"), qmp.execute("query-status")];
    const errors = await Promise.all(waiting.map((promise) => promise.catch((error: unknown) => error)));
    expect(errors[0]).toBeInstanceOf(ConnectionEnded);
    expect(new Set(errors).size).toBe(1);
    await expect(qmp.execute("stop")).rejects.toBe(errors[0]);
    await expect(qmp.once("STOP")).rejects.toBe(errors[0]);
    await qmp.close();
  });
});

it.each([
  ["an answer to no command", done(99), /expected the id of a command, found none of ours/],
  [
    "an error without an id",
    '{"error": {"class": "GenericError", "desc": "JSON parse error"}}\r\n',
    /found GenericError: JSON parse error/,
  ],
  ["what is no JSON", '{"return": }\r\n', /expected JSON/],
  ["what is no object", "+$OK#9a\r\n", /expected an object, found \+\$OK#9a/],
  [
    "a value that the command does not return",
    '{"return": {"status": 1}, "id": 2}\r\n',
    /query-status.*status/,
  ],
])("%s ends the connection and says so", async (_what, reply, message) => {
  await withMonitor(
    () => [reply],
    async (qmp) => {
      const refused = qmp.execute("query-status");
      await expect(refused).rejects.toThrow(ConnectionEnded);
      await expect(refused).rejects.toThrow(message);
      await expect(qmp.execute("stop")).rejects.toThrow(message);
    },
  );
});

it("a monitor that refuses the negotiation or never greets does not become a client", async () => {
  const cause = new Error("enough");
  const refuse = (socket: Socket): void => {
    socket.write(wire(GREETING));
    socket.on("data", () =>
      socket.end(wire({ kind: "error", id: 1, failure: { class: "GenericError", desc: "no" } })),
    );
  };
  await withServer(refuse, async (path) => {
    await expect(QmpClient.connect(path)).rejects.toThrow(/qmp_capabilities: QEMU refused it/);
  });
  await withServer(
    () => {},
    async (path) => {
      const stop = new AbortController();
      const connecting = QmpClient.connect(path, { signal: stop.signal });
      stop.abort(cause);
      await expect(connecting).rejects.toMatchObject({ reason: "aborted", cause, peer: "QMP monitor" });
    },
  );
});
