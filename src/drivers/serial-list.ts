// The serial ports of this machine, each under the name that stays when adapters are plugged in another order, with what adapter
// it is: read from /dev/serial and from what the kernel says in /sys, without any program's help.

import { readdir, readFile, readlink, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { serialPortsMax } from "#limits.ts";

export interface SerialPortInfo {
  /** The most lasting name: below /dev/serial/by-id/, else by-path/, else the device itself. */
  readonly path: string;
  /** /dev/ttyUSB0 */
  readonly device: string;
  /** All names of it, the most lasting first. */
  readonly names: readonly string[];
  /** As the adapter says; "" where it does not. */
  readonly maker: string;
  readonly product: string;
  readonly serialNumber: string;
}

/** Where to look; other folders in tests. */
export interface Roots {
  readonly dev: string;
  readonly sys: string;
}

const here: Roots = { dev: "/dev", sys: "/sys" };

/** Sorted by name. What cannot be read is left out: nothing is thrown. */
export async function listSerialPorts(roots: Roots = here): Promise<readonly SerialPortInfo[]> {
  const links = [
    ...(await linksIn(join(roots.dev, "serial/by-id"))),
    ...(await linksIn(join(roots.dev, "serial/by-path"))),
  ];
  const folder = join(roots.sys, "class/tty");
  const all = await namesIn(folder);
  const found = await Promise.all(all.slice(0, serialPortsMax).map(name => portAt(roots, folder, name, links)));
  return found.filter(port => port !== undefined).sort((a, b) => (a.path < b.path ? -1 : 1));
}

const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);

type Link = readonly [name: string, device: string];

async function linksIn(folder: string): Promise<Link[]> {
  const names = (await namesIn(folder)).slice(0, serialPortsMax).sort();
  const links = await Promise.all(
    names.map(async name => [join(folder, name), await realpath(join(folder, name)).catch(() => "")] as const),
  );
  return links.filter(([, device]) => device !== "");
}

async function portAt(
  { dev, sys }: Roots,
  folder: string,
  name: string,
  links: readonly Link[],
): Promise<SerialPortInfo | undefined> {
  // A terminal without a device behind it is none of ours: consoles and the like.
  const behind = await realpath(join(folder, name, "device")).catch(() => undefined);
  if (behind === undefined || !(await isFitted(join(folder, name)))) return undefined;
  const device = join(dev, name);
  const real = await realpath(device).catch(() => device);
  const names = [...links.filter(([, target]) => target === real).map(([link]) => link), device];
  return { path: names[0] ?? device, device, names, ...(await adapterAt(behind, sys)) };
}

/** The kernel makes ttyS0 to ttyS31 whether there are any; type 0 is one that is not. */
const isFitted = async (folder: string): Promise<boolean> => {
  const type = await textIn(join(folder, "type"));
  return type === "" || type !== "0";
};

const levelsMax = 8;

/** The USB device this port belongs to is some folders above it. */
async function adapterAt(behind: string, sys: string) {
  let folder = behind;
  for (let level = 0; level < levelsMax && folder.startsWith(sys) && folder !== sys; level++) {
    if ((await textIn(join(folder, "idVendor"))) !== "") {
      const [maker, product, serialNumber] = await Promise.all(
        ["manufacturer", "product", "serial"].map(name => textIn(join(folder, name))),
      );
      return { maker: maker ?? "", product: product ?? "", serialNumber: serialNumber ?? "" };
    }
    folder = dirname(folder);
  }
  return { maker: "", product: "", serialNumber: "" };
}

const textMax = 128;
/** What an adapter says of itself comes from its maker, and may hold anything. */
const textIn = async (file: string): Promise<string> => {
  const text = await readFile(file, "utf8").catch(() => "");
  return text
    .replace(/[^\P{C}]+/gu, " ")
    .trim()
    .slice(0, textMax);
};

/** "FTDI FT232R USB UART A10K2BX3 (/dev/ttyUSB0)": for a list to choose from. */
export function describePort({ path, device, maker, product, serialNumber }: SerialPortInfo): string {
  const adapter = [maker, product.startsWith(maker) ? product.slice(maker.length).trim() : product, serialNumber];
  const said = adapter.filter(text => text !== "").join(" ");
  if (said === "") return device;
  return path === device ? `${said} (${device})` : `${said} (${device.replace(/^.*\//, "")})`;
}

/** As suggestions for a setting: the lasting name, with what is plugged in there. */
export const suggestSerialPorts = async (): Promise<{ value: string; label: string }[]> =>
  (await listSerialPorts()).map(port => ({ value: port.path, label: describePort(port) }));

const holdersMax = 20_000;

/**
 * Who has this port open: "minicom (process 1234)"; undefined when nobody is seen. Only root sees the files of other users'
 * programs. Ourselves are left out.
 */
export async function holderOf(path: string, proc = "/proc"): Promise<string | undefined> {
  const real = await realpath(path).catch(() => path);
  const processes = (await namesIn(proc)).filter(name => /^\d+$/.test(name) && Number(name) !== process.pid);
  for (const id of processes.slice(0, holdersMax)) {
    const files = await namesIn(join(proc, id, "fd"));
    const targets = await Promise.all(files.map(file => readlink(join(proc, id, "fd", file)).catch(() => "")));
    if (!targets.includes(real)) continue;
    return `${(await textIn(join(proc, id, "comm"))) || "a program"} (process ${id})`;
  }
  return undefined;
}
