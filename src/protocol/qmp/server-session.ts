import {
  type ArgumentsOf,
  type CommandName,
  isCommandName,
  QMP_COMMANDS,
  type QMP_ERROR_CLASSES,
  type QmpVersion,
  type ReturnOf,
} from "./commands.ts";
import type { EventData, EventName } from "./events.ts";
import { JsonStream } from "./json-stream.ts";
import { commandOf, encodeServerMessage, objectOf, type QmpTimestamp } from "./messages.ts";
import { QmpFormatError } from "./qmp-error.ts";
import type { Json, JsonObject, Shape } from "./shape.ts";

export type QmpErrorClass = (typeof QMP_ERROR_CLASSES)[number];

/** A command that a client gave, its arguments as the table wants them. */
export type QmpRequest = {
  readonly [C in CommandName]: {
    readonly name: C;
    readonly args: ArgumentsOf<C>;
    /** The client's own mark, undefined if it gave none. It goes back with the answer. */
    readonly id: Json | undefined;
  };
}[CommandName];

/** What a server does about what it received: send a line, or run a command and send its answer. */
export type ServerAction =
  | { readonly kind: "send"; readonly line: string }
  | { readonly kind: "run"; readonly request: QmpRequest };

const AFTER_NEGOTIATION = "Capabilities negotiation is already complete, command ignored";
const BEFORE_NEGOTIATION = "Expecting capabilities negotiation with 'qmp_capabilities'";

/**
 * One client's session, as a server sees it: greeting, negotiation, the form of commands, ids. What a command does
 * is the caller's.
 *
 * Commands that the caller does not have, and all but `qmp_capabilities` before the negotiation, are not found; a
 * second negotiation is neither. What has not the form of a command, or not its arguments, is a GenericError and
 * has no effect. Events are withheld until the negotiation.
 *
 * @source QEMU docs/interop/qmp-spec; classes and the order of checks as seen with QEMU 7.2
 * @missing out-of-band commands: the greeting offers no capability
 */
export class QmpServerSession {
  private readonly version: QmpVersion;
  private readonly commands: ReadonlySet<CommandName>;
  private readonly stream: JsonStream;
  private negotiated = false;

  /**
   * @param commands those that the caller runs, besides qmp_capabilities
   * @param longest bound of a command's length, in characters
   */
  constructor(version: QmpVersion, commands: Iterable<CommandName>, longest = 1 << 20) {
    this.version = version;
    this.commands = new Set(commands);
    this.stream = new JsonStream(longest);
  }

  /** What a client gets first. */
  greeting(): string {
    return encodeServerMessage({ kind: "greeting", version: this.version, capabilities: [] });
  }

  /** What to do about text that the client sent, in order. Answers go out in this order too. */
  receive(chunk: string): ServerAction[] {
    return this.stream.push(chunk).map((piece) => {
      if (piece.kind === "malformed") return refusal(undefined, "GenericError", piece.error.message);
      return this.command(piece.text);
    });
  }

  answer<C extends CommandName>(
    request: { readonly name: C; readonly id: Json | undefined },
    value: ReturnOf<C>,
  ): string {
    return encodeServerMessage({ kind: "return", id: request.id, value: value as Json });
  }

  refuse(request: { readonly id: Json | undefined }, errorClass: QmpErrorClass, description: string): string {
    return errorLine(request.id, errorClass, description);
  }

  /** An event's line; undefined while the client has not negotiated. */
  event<E extends EventName>(name: E, data: EventData<E>, timestamp: QmpTimestamp): string | undefined {
    if (!this.negotiated) return undefined;
    return encodeServerMessage({ kind: "event", name, data: data as JsonObject, timestamp });
  }

  private command(text: string): ServerAction {
    let id: Json | undefined;
    try {
      const message = objectOf(text, "QMP command");
      // Also what is no command comes back with its id.
      ({ id } = message);
      const { name, args } = commandOf(message);
      return this.dispatch(name, args, id);
    } catch (error) {
      if (!(error instanceof QmpFormatError)) throw error;
      return refusal(id, "GenericError", error.message);
    }
  }

  private dispatch(name: string, args: JsonObject, id: Json | undefined): ServerAction {
    if (name === "qmp_capabilities") return this.negotiate(args, id);
    if (!this.negotiated) return refusal(id, "CommandNotFound", BEFORE_NEGOTIATION);
    if (!isCommandName(name) || !this.commands.has(name)) {
      return refusal(id, "CommandNotFound", `The command ${name} has not been found`);
    }
    return { kind: "run", request: requestOf(name, args, id) };
  }

  private negotiate(args: JsonObject, id: Json | undefined): ServerAction {
    if (this.negotiated) return refusal(id, "CommandNotFound", AFTER_NEGOTIATION);
    const { enable = [] } = QMP_COMMANDS.qmp_capabilities.takes.read(args, "qmp_capabilities");
    if (enable.length > 0) return refusal(id, "GenericError", `capability '${enable[0]}' was not offered`);
    this.negotiated = true;
    return { kind: "send", line: encodeServerMessage({ kind: "return", id, value: {} }) };
  }
}

const errorLine = (id: Json | undefined, errorClass: QmpErrorClass, desc: string): string =>
  encodeServerMessage({ kind: "error", id, failure: { class: errorClass, desc } });

const refusal = (id: Json | undefined, errorClass: QmpErrorClass, desc: string): ServerAction => ({
  kind: "send",
  line: errorLine(id, errorClass, desc),
});

/** @throws QmpFormatError if the arguments are not the command's */
const requestOf = (name: CommandName, args: JsonObject, id: Json | undefined): QmpRequest => {
  const takes: Shape<unknown> = QMP_COMMANDS[name].takes;
  // The table gives each name its arguments; the compiler cannot pair them over a union of names.
  return { name, args: takes.read(args, name), id } as QmpRequest;
};
