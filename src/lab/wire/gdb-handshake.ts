import { gdbCommand } from "../../protocol/gdb-remote/commands.ts";
import { GdbFormatError } from "../../protocol/gdb-remote/gdb-error.ts";
import { textOf } from "../../protocol/gdb-remote/hex-text.ts";
import { featuresOf, packetSizeOf, transferPieceOf } from "../../protocol/gdb-remote/replies.ts";
import {
  includesOf,
  LONGEST_DESCRIPTION,
  MOST_ANNEXES,
  type RegisterLayout,
  registerLayoutOf,
} from "../../protocol/gdb-remote/target-description.ts";
import { GdbRefused } from "./gdb-refused.ts";
import type { GdbRequests } from "./gdb-requests.ts";

/** What the two sides agreed on. */
export interface Agreement {
  /** Bytes of the longest packet that the stub takes. */
  readonly packetSize: number;
  readonly layout: RegisterLayout;
  /** Whether `vCont` is there, which steps one vCPU while the others rest. */
  readonly vCont: boolean;
  /** Whether memory can be named by guest-physical address, which is QEMU's own addition to the protocol. */
  readonly physical: boolean;
}

const OUR_FEATURES = ["multiprocess+", "swbreak+", "hwbreak+", "vContSupported+", "xmlRegisters=i386"];

const readAnnex = async (requests: GdbRequests, annex: string, packetSize: number): Promise<string> => {
  const length = packetSize - 5; // The mark, the letter, the end and the sum take the rest.
  let text = "";
  for (;;) {
    const piece = await requests.ask(gdbCommand.readFeatures(annex, text.length, length), transferPieceOf);
    text += textOf(piece.bytes);
    if (piece.last) return text;
    if (piece.bytes.length === 0 || text.length > LONGEST_DESCRIPTION) {
      throw new GdbFormatError(
        `target description ${annex}`,
        `an end within ${LONGEST_DESCRIPTION} bytes`,
        "none",
      );
    }
  }
};

/** The whole description. It is also what makes QEMU take `p` and `P`: before it was read, both are refused. */
const readDescription = async (requests: GdbRequests, packetSize: number): Promise<RegisterLayout> => {
  const annexes = new Map<string, string>();
  const wanted = ["target.xml"];
  for (let annex = wanted.shift(); annex !== undefined; annex = wanted.shift()) {
    if (annexes.has(annex)) continue;
    if (annexes.size === MOST_ANNEXES) {
      throw new GdbFormatError("target description", `at most ${MOST_ANNEXES} annexes`, "more");
    }
    const text = await readAnnex(requests, annex, packetSize);
    annexes.set(annex, text);
    wanted.push(...includesOf(text));
  }
  return registerLayoutOf(annexes);
};

const knowsPhysical = async (requests: GdbRequests): Promise<boolean> => {
  try {
    return await requests.ask(gdbCommand.isPhysicalMemory(), (payload) => textOf(payload) === "0");
  } catch (error) {
    if (error instanceof GdbRefused) return false;
    throw error;
  }
};

/** @throws GdbFormatError, GdbRefused, ConnectionEnded */
export const shakeHands = async (requests: GdbRequests): Promise<Agreement> => {
  const features = await requests.ask(gdbCommand.supported(OUR_FEATURES), featuresOf);
  const packetSize = packetSizeOf(features);
  const layout = await readDescription(requests, packetSize);
  const physical = await knowsPhysical(requests);
  return { packetSize, layout, vCont: features.get("vContSupported") === true, physical };
};
