import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../lab-error.ts";
import { type AptSource, parseDeb822Sources, parseOneLineSources } from "./apt-sources.ts";

const textOf = (path: string): string => (existsSync(path) ? readFileSync(path, "utf8") : "");

/** The sources that the machine's apt uses. @param etc its folder of settings */
export const machineSources = (etc = "/etc/apt"): AptSource[] => {
  const folder = join(etc, "sources.list.d");
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  const ending = (end: string): string =>
    names
      .filter((name) => name.endsWith(end))
      .map((name) => textOf(join(folder, name)))
      .join("\n\n");
  return [
    ...parseOneLineSources(`${textOf(join(etc, "sources.list"))}\n${ending(".list")}`),
    ...parseDeb822Sources(ending(".sources")),
  ];
};

const KEYRINGS = ["debian-archive-keyring.gpg", "debian-archive-keyring.pgp"];

/** Debian's own keys. @throws LabError if the machine does not have them */
export const debianKeyring = (folder = "/usr/share/keyrings"): string => {
  const found = KEYRINGS.map((name) => join(folder, name)).find((path) => existsSync(path));
  if (found === undefined)
    throw new LabError(`Debian's keys are not in ${folder}: run apt-get install debian-archive-keyring`);
  return found;
};
