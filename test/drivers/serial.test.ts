// Serial ports: what is plugged in and under which lasting name, who has a port open, and how a port that was missing is noticed.

import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { systemClock } from "#base/clock.ts";
import { portErrorsOf } from "#drivers/serial-errors.ts";
import { describePort, holderOf, listSerialPorts } from "#drivers/serial-list.ts";
import { untilPortIsThere } from "#drivers/serial-watch.ts";
import { manualClock } from "../support/manual-clock.ts";

const never = new AbortController().signal;
const folder = await mkdtemp(join(tmpdir(), "isthmus-serial-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Files by path; a value that begins with → is a link. */
async function tree(name: string, files: Readonly<Record<string, string>>) {
  const root = join(folder, name);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    if (text.startsWith("→")) await symlink(join(root, text.slice(1)), join(root, path));
    else await writeFile(join(root, path), text);
  }
  return { dev: join(root, "dev"), sys: join(root, "sys") };
}

const usb = "sys/devices/pci0/usb1/1-4";

describe("serial ports are listed", () => {
  it("under the name that stays, with the adapter they are, consoles and empty sockets left out", async () => {
    const roots = await tree("full", {
      "dev/ttyUSB0": "",
      "dev/ttyUSB1": "",
      "dev/ttyAMA0": "",
      "dev/ttyS0": "",
      "dev/ttyS1": "",
      "dev/tty1": "",
      "dev/serial/by-id/usb-FTDI_FT232R_A10K2BX3-if00-port0": "→dev/ttyUSB1",
      "dev/serial/by-path/pci-0:1.4-port0": "→dev/ttyUSB1",
      "dev/serial/by-path/pci-0:1.5-port0": "→dev/ttyUSB0",
      [`${usb}/idVendor`]: "0403\n",
      [`${usb}/manufacturer`]: "FTDI\n",
      [`${usb}/product`]: "FTDI FT232R USB\u0007UART\n",
      [`${usb}/serial`]: "A10K2BX3\n",
      [`${usb}/1-4:1.0/ttyUSB1/port_number`]: "0\n",
      "sys/class/tty/ttyUSB1/device": `→${usb}/1-4:1.0/ttyUSB1`,
      "sys/devices/pci0/usb1/1-5/port": "",
      "sys/class/tty/ttyUSB0/device": "→sys/devices/pci0/usb1/1-5",
      "sys/devices/soc/uart": "",
      "sys/class/tty/ttyAMA0/device": "→sys/devices/soc",
      "sys/class/tty/ttyAMA0/type": "32\n",
      "sys/class/tty/ttyS0/device": "→sys/devices/soc",
      "sys/class/tty/ttyS0/type": "4\n",
      "sys/class/tty/ttyS1/device": "→sys/devices/soc",
      "sys/class/tty/ttyS1/type": "0\n",
      "sys/class/tty/tty1/dev": "4:1\n",
    });
    const ports = await listSerialPorts(roots);
    expect(ports.map(({ path, device }) => [path.slice(roots.dev.length), device.slice(roots.dev.length)])).toEqual([
      ["/serial/by-id/usb-FTDI_FT232R_A10K2BX3-if00-port0", "/ttyUSB1"],
      ["/serial/by-path/pci-0:1.5-port0", "/ttyUSB0"],
      ["/ttyAMA0", "/ttyAMA0"],
      ["/ttyS0", "/ttyS0"],
    ]);
    expect(ports[0]).toMatchObject({ maker: "FTDI", product: "FTDI FT232R USB UART", serialNumber: "A10K2BX3" });
    expect(ports[0]?.names.map(name => name.slice(roots.dev.length))).toEqual([
      "/serial/by-id/usb-FTDI_FT232R_A10K2BX3-if00-port0",
      "/serial/by-path/pci-0:1.4-port0",
      "/ttyUSB1",
    ]);
    expect(ports.map(describePort)).toEqual([
      "FTDI FT232R USB UART A10K2BX3 (ttyUSB1)",
      `${roots.dev}/ttyUSB0`,
      `${roots.dev}/ttyAMA0`,
      `${roots.dev}/ttyS0`,
    ]);
  });

  it("as none where there is nothing, and on this machine without a fault", async () => {
    expect(await listSerialPorts({ dev: join(folder, "no"), sys: join(folder, "no") })).toEqual([]);
    for (const port of await listSerialPorts()) expect(port.path).toMatch(/^\/dev\//);
  });
});

it("who has a port open is found, by its real name", async () => {
  const file = join(folder, "port");
  const alias = join(folder, "alias");
  const descriptor = openSync(file, "w");
  await symlink(file, alias);
  const other = spawn("sleep", ["100"], { stdio: ["ignore", "ignore", "ignore", descriptor] });
  try {
    await new Promise(resolve => other.once("spawn", resolve));
    expect(await holderOf(alias)).toBe(`sleep (process ${other.pid})`);
  } finally {
    other.kill("SIGKILL");
  }
  // Ourselves are nobody else, and nobody is nobody.
  expect(await holderOf(join(folder, "nothing"))).toBeUndefined();
});

describe("a port that is missing is waited for", () => {
  it("and noticed at once where the system tells of it, its folder made anew with it", async () => {
    const clock = manualClock();
    const path = join(folder, "dev/serial/by-id/adapter");
    let there = false;
    const waiting = untilPortIsThere(path, clock, never).then(() => {
      there = true;
    });
    await systemClock.sleep(20, never);
    expect(there).toBe(false);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, "");
    await waiting;
  });

  it("by looking now and then, where it does not tell", async () => {
    const clock = manualClock();
    // Nobody can watch below a file, but it can become a folder.
    const parent = join(folder, "later");
    const path = join(parent, "ttyUSB0");
    const waiting = untilPortIsThere(path, clock, never);
    await mkdir(parent);
    await writeFile(path, "");
    for (let n = 0; n < 5; n++) {
      await systemClock.sleep(5, never);
      await clock.advance(2_000);
    }
    await waiting;
  });

  it("until nobody wants it any more", async () => {
    const leaving = new AbortController();
    const waiting = untilPortIsThere(join(folder, "never"), systemClock, leaving.signal);
    leaving.abort(new Error("left"));
    await expect(waiting).rejects.toThrow("left");
  });
});

it("octets with wrong parity or framing are told where the kernel counts them", async () => {
  const root = join(folder, "errors");
  const device = join(root, "dev/ttyS1");
  await tree("errors", {
    "dev/ttyS0": "",
    "dev/ttyS1": "",
    "dev/ttyUSB0": "",
    "dev/alias": "→dev/ttyS1",
    "proc/tty/drivers": `rfcomm /dev/rfcomm 216 0-255 serial\nserial               ${join(root, "dev/ttyS")}      4 64-95 serial\n`,
    "proc/tty/driver/serial":
      "serinfo:1.0 driver revision:\n0: uart:unknown port:0 irq:0\n1: uart:16550A port:2F8 irq:3 tx:120 rx:98 fe:7 pe:3 brk:1 RTS|DTR\n",
  });
  const proc = join(root, "proc");
  expect(await portErrorsOf(device, proc)).toBe(10);
  expect(await portErrorsOf(join(root, "dev/alias"), proc)).toBe(10);
  expect(await portErrorsOf(join(root, "dev/ttyS0"), proc)).toBeUndefined();
  expect(await portErrorsOf(join(root, "dev/ttyUSB0"), proc)).toBeUndefined();
  expect(await portErrorsOf("10.0.0.7:4001", proc)).toBeUndefined();
});
