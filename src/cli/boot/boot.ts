import { NotModelled } from "../../not-modelled.ts";
import { renderJson } from "../../scenario/render/json.ts";
import { oneLine } from "../../scenario/scenario-error.ts";
import { WorldUnavailable } from "../../scenario/world.ts";
import { EXIT } from "../exit-status.ts";
import { Interruption } from "../interruption.ts";
import { checkLinuxOptions } from "../linux-options.ts";
import { Progress } from "../progress.ts";
import { screenOf } from "../screen.ts";
import type { System } from "../system.ts";
import type { BootedGuest, StartGuest } from "./booted-guest.ts";
import { ConsoleScreen } from "./console-screen.ts";
import { ESCAPE_HELP, EscapeKeys } from "./escape-keys.ts";
import { type BootOptions, bootScenario } from "./options.ts";
import { type BootEnd, bootReport, mapLines, renderBoot } from "./report.ts";
import type { BootReport } from "./schema.ts";

/**
 * `tidemark boot`: boots a real kernel as a TD, with its console on this terminal.
 *
 * @returns 0, or 1 if an invariant broke or the guest did not come up or died
 * @throws UsageError, ScenarioError, KernelFileError: the input is wrong; LabError, WorldUnavailable: it cannot be run
 */
export const boot = async (options: BootOptions, system: System, start: StartGuest): Promise<number> => {
  checkLinuxOptions(options, "linux");
  const command = new Boot(options, system);
  return command.run(start);
};

class Boot {
  private readonly options: BootOptions;
  private readonly system: System;
  private readonly scenario: ReturnType<typeof bootScenario>;
  private readonly serial: ConsoleScreen;
  private readonly progress: Progress;
  private readonly interruption: Interruption;
  private readonly keys = new EscapeKeys();
  private readonly append: string;
  private ready = false;
  private finish: (end: BootEnd) => void = () => {};
  private readonly ended = new Promise<BootEnd>((resolve) => {
    this.finish = resolve;
  });

  constructor(options: BootOptions, system: System) {
    this.options = options;
    this.system = system;
    this.scenario = bootScenario(options);
    this.progress = new Progress(system);
    this.interruption = new Interruption(system);
    // With --json, standard output is the document's alone.
    this.serial = new ConsoleScreen(options.json === true ? system.stderr : system.stdout);
    this.append = [
      `accept_memory=${this.scenario.guest.accept}`,
      ...(this.isInteractive ? ["tidemark_shell=1"] : []),
      ...(options.append === undefined ? [] : [options.append]),
    ].join(" ");
  }

  private get isInteractive(): boolean {
    return this.system.hasKeyboard && this.serial.isTerminal;
  }

  async run(start: StartGuest): Promise<number> {
    const { interruption, progress } = this;
    let guest: BootedGuest | undefined;
    interruption.listen();
    try {
      guest = await start({
        scenario: this.scenario,
        options: this.options,
        append: this.append,
        print: (bytes) => {
          progress.clear();
          this.serial.print(bytes);
        },
        progress: (what) => progress.say(what),
        signal: interruption.signal,
      });
      const end = await this.attended(guest);
      if (interruption.status !== undefined) return interruption.status;
      return await this.report(guest, end);
    } catch (error) {
      if (interruption.status !== undefined) return interruption.status;
      if (!(error instanceof NotModelled)) throw error;
      throw new WorldUnavailable(oneLine(`the linux world cannot play this: ${error.message}`), {
        cause: error,
      });
    } finally {
      progress.clear();
      await guest?.close();
      interruption.close();
    }
  }

  /** Runs the guest until somebody has enough. */
  private async attended(guest: BootedGuest): Promise<BootEnd> {
    const { system, serial } = this;
    const restore = this.isInteractive ? system.openKeyboard((bytes) => this.typed(guest, bytes)) : undefined;
    this.progress.clear();
    if (restore !== undefined) serial.notice(["Ctrl-A h for help, Ctrl-A x to end"]);
    this.progress.say("starting the kernel");
    const unread = this.serial.onGone(() => this.finish("unread"));
    try {
      const up = guest.boot().then((ready) => this.cameUp(guest, ready));
      void guest.gone().then(() => this.finish("gone"));
      const failed = up.then(() => this.ended);
      return await Promise.race([failed, this.ended]);
    } finally {
      unread();
      restore?.();
    }
  }

  private async cameUp(guest: BootedGuest, ready: boolean): Promise<void> {
    this.ready = ready;
    if (!ready) this.finish("gone");
    else if (this.options.exitWhenReady === true) this.finish("ready");
    else if (this.isInteractive) await guest.setSize(...this.serial.size());
  }

  private typed(guest: BootedGuest, bytes: Uint8Array): void {
    for (const typed of this.keys.push(bytes)) {
      if (typed.kind === "bytes") guest.type(typed.bytes);
      else if (typed.kind === "quit") this.finish("quit");
      else if (typed.kind === "help") this.serial.notice(ESCAPE_HELP);
      else void this.showMap(guest);
    }
  }

  private async showMap(guest: BootedGuest): Promise<void> {
    try {
      this.serial.notice(mapLines(await guest.map(), this.screen()));
    } catch (error) {
      this.serial.notice([oneLine(`no map: ${error instanceof Error ? error.message : String(error)}`)]);
    }
  }

  private screen(): ReturnType<typeof screenOf> {
    return screenOf(this.system.stdout, this.system);
  }

  private async report(guest: BootedGuest, end: BootEnd): Promise<number> {
    const { options, system, scenario, append, ready, serial } = this;
    const map = options.map === true ? await guest.map() : undefined;
    const outcome = await guest.outcome();
    serial.freshLine();
    const report = bootReport({ scenario, append, end, ready, outcome, map });
    if (options.json === true) system.stdout.write(renderJson(report));
    else {
      if (map !== undefined) system.stdout.write(`${mapLines(map, this.screen()).join("\n")}\n\n`);
      system.stdout.write(renderBoot(report, this.screen()));
    }
    return statusOf(report);
  }
}

const statusOf = ({ verdict }: BootReport): number => (verdict === "held" ? EXIT.held : EXIT.broken);
