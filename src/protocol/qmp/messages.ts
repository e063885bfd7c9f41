import { version } from "./commands.ts";
import { QmpFormatError, shownText } from "./qmp-error.ts";
import {
  anyObject,
  anything,
  integer,
  type Json,
  type JsonObject,
  list,
  maybe,
  object,
  text,
  type ValueOf,
} from "./shape.ts";

/** When an event happened, by the host's clock. Both are -1 if the host could not tell. */
const timestamp = object({ seconds: integer, microseconds: integer });
export type QmpTimestamp = ValueOf<typeof timestamp>;

const greeting = object({ QMP: object({ version, capabilities: list(anything) }) });
const failure = object({ class: text, desc: text });
export type QmpFailure = ValueOf<typeof failure>;
const errorMessage = object({ error: failure, id: maybe(anything) });
const eventMessage = object({ event: text, timestamp, data: maybe(anyObject) });

/** What a server sends. */
export type ServerMessage =
  | {
      readonly kind: "greeting";
      readonly version: ValueOf<typeof version>;
      readonly capabilities: readonly string[];
    }
  | { readonly kind: "return"; readonly id: Json | undefined; readonly value: Json }
  | { readonly kind: "error"; readonly id: Json | undefined; readonly failure: QmpFailure }
  | {
      readonly kind: "event";
      readonly name: string;
      readonly timestamp: QmpTimestamp;
      readonly data: JsonObject;
    };

/** What a client sends. */
export interface ClientMessage {
  readonly name: string;
  readonly args: JsonObject;
  /** Any value the client chose; undefined if it sent none. It comes back with the answer. */
  readonly id: Json | undefined;
}

/** The object that a text holds. @throws QmpFormatError if it holds none */
export const objectOf = (json: string, what: string): JsonObject => {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new QmpFormatError(what, "JSON", shownText(json));
  }
  return anyObject.read(value, what);
};

/** The kinds of a server's message, by the member that only they have. */
const READERS: Readonly<Record<string, (message: JsonObject) => ServerMessage>> = {
  QMP: (message) => {
    const { QMP } = greeting.read(message, "QMP greeting");
    const capabilities = QMP.capabilities.filter((name) => typeof name === "string");
    return { kind: "greeting", version: QMP.version, capabilities };
  },
  return: ({ id, return: value }) => ({ kind: "return", id, value: anything.read(value, "QMP return") }),
  error: (message) => {
    const { error, id } = errorMessage.read(message, "QMP error");
    return { kind: "error", id, failure: error };
  },
  event: (message) => {
    const { event, data, timestamp } = eventMessage.read(message, "QMP event");
    return { kind: "event", name: event, timestamp, data: data ?? {} };
  },
};

/** @throws QmpFormatError if the text is no JSON object, or none of the four messages of a server */
export const serverMessageOf = (json: string): ServerMessage => {
  const message = objectOf(json, "QMP message");
  for (const [member, read] of Object.entries(READERS)) {
    if (Object.hasOwn(message, member)) return read(message);
  }
  throw new QmpFormatError("QMP message", "QMP, return, error or event", shownText(json));
};

const COMMAND_MEMBERS = ["execute", "arguments", "id"];

/** @throws QmpFormatError if the object is no command; QEMU answers that with a GenericError */
export const commandOf = (message: JsonObject): ClientMessage => {
  const stray = Object.keys(message).find((name) => !COMMAND_MEMBERS.includes(name));
  if (stray !== undefined) {
    throw new QmpFormatError("QMP command", "execute, arguments and id", shownText(stray));
  }
  const { execute, arguments: given, id } = message;
  const args = given === undefined ? {} : anyObject.read(given, "QMP command.arguments");
  return { name: text.read(execute, "QMP command.execute"), args, id };
};

/** @throws QmpFormatError if the text is no JSON object, or no command */
export const clientMessageOf = (json: string): ClientMessage => commandOf(objectOf(json, "QMP command"));

const LINE_END = "\r\n";
const NOT_ASCII = /[\u007f-\uffff]/g;

/** One line of ASCII, as QEMU writes it. */
const line = (message: object): string => {
  const json = JSON.stringify(message);
  const ascii = json.replace(NOT_ASCII, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `${ascii}${LINE_END}`;
};

/** One command as a line. Members that are undefined are left out. */
export const encodeClientMessage = ({ name, args, id }: ClientMessage): string =>
  line({ execute: name, arguments: Object.keys(args).length === 0 ? undefined : args, id });

/** One message of a server as a line. */
export const encodeServerMessage = (message: ServerMessage): string => {
  switch (message.kind) {
    case "greeting":
      return line({ QMP: { version: message.version, capabilities: message.capabilities } });
    case "return":
      return line({ return: message.value, id: message.id });
    case "error":
      return line({ error: message.failure, id: message.id });
    case "event": {
      const data = Object.keys(message.data).length === 0 ? undefined : message.data;
      return line({ timestamp: message.timestamp, event: message.name, data });
    }
  }
};
