import type { Socket } from "node:net";
import { textOf } from "../../protocol/gdb-remote/hex-text.ts";
import { encodePacket, PacketDecoder } from "../../protocol/gdb-remote/packets.ts";

/** A description of three registers: a general one, the instruction pointer, flags of 32 bits. */
export const SMALL_TARGET =
  '<target><reg name="rax" bitsize="64"/><reg name="rip" bitsize="64"/><reg name="eflags" bitsize="32"/></target>';

/** What a stub answers during the handshake. */
const HANDSHAKE: Readonly<Record<string, string>> = {
  qSupported: "PacketSize=1000;qXfer:features:read+;vContSupported+",
  qXfer: `l${SMALL_TARGET}`,
  "qqemu.PhyMemMode": "0",
};

/** What a client sent, as a stub saw it. */
export interface Heard {
  /** Payloads, in order, and `^C` for an interrupt. */
  readonly requests: string[];
  /** Payloads of each chunk that the socket delivered. */
  readonly chunks: string[][];
}

/**
 * A stub that follows a script.
 *
 * @param answer the reply's payload; undefined if there is none yet, bytes if the wire is to carry just them
 */
export const scriptedStub = (
  answer: (request: string, socket: Socket) => string | Uint8Array | undefined,
): { readonly heard: Heard; readonly serve: (socket: Socket) => void } => {
  const heard: Heard = { requests: [], chunks: [] };
  const serve = (socket: Socket): void => {
    const decoder = new PacketDecoder();
    socket.on("data", (chunk) => {
      const requests = decoder
        .push(chunk)
        .flatMap((frame) =>
          "payload" in frame ? [textOf(frame.payload)] : frame.kind === "interrupt" ? ["^C"] : [],
        );
      heard.chunks.push(requests);
      for (const request of requests) {
        heard.requests.push(request);
        const known = HANDSHAKE[request.replace(/:.*/s, "")];
        const reply = answer(request, socket) ?? known;
        if (reply instanceof Uint8Array) socket.write(reply);
        else if (reply !== undefined) socket.write(Buffer.concat([Buffer.from("+"), encodePacket(reply)]));
      }
    });
  };
  return { heard, serve };
};
