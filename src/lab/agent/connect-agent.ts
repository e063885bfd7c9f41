import { Connection, type ConnectOptions } from "../wire/connection.ts";
import { Agent } from "./agent.ts";

/** An agent over the unix socket that QEMU gives the guest's second serial port. */
export interface ConnectedAgent {
  readonly agent: Agent;
  /** Ends the connection; whatever waits is told. */
  close(): Promise<void>;
}

/**
 * Connects to a guest's agent, which need not be up yet: `agent.ready()` waits for it. When the socket ends, the guest
 * counts as dead.
 *
 * @throws ConnectionEnded if nobody listens at `path`, in time
 */
export const connectAgent = async (path: string, options: ConnectOptions = {}): Promise<ConnectedAgent> => {
  const connection = await Connection.open("agent", path, options);
  return { agent: agentOver(connection), close: () => connection.close() };
};

/**
 * An agent over a connection that is there. When that ends, the guest counts as dead.
 *
 * @param ended is called first then
 */
export const agentOver = (connection: Connection, ended: () => void = () => {}): Agent => {
  let deliver: (bytes: Uint8Array) => void = () => {};
  const agent = new Agent({
    write: (bytes) => connection.write(bytes),
    onData: (listener) => {
      deliver = listener;
    },
  });
  connection.listen({
    take: (bytes) => deliver(bytes),
    ended: ({ message }) => {
      ended();
      agent.guestDied(message);
    },
  });
  return agent;
};
