// The shared vocabulary of settings: label, help, range and page said once, used by every node type. A setting is a scalar
// or a choice; what wants nesting is a child node or a profile. Forms are made of it in form.ts, through JSON Schema.

import * as z from "zod";

/** By the name of another setting: the values with which this one has a meaning. */
export type Conditions = Readonly<Record<string, readonly (string | number | boolean)[]>>;

/** What a form shows beside the schema's own type, range and default. */
export type SettingMeta = {
  title: string;
  description?: string;
  page?: string;
  /** Written, never shown. */
  secret?: true;
  /** A text of several lines. */
  lines?: true;
  when?: Conditions;
};

const meta = (title: string, description: string, page = "Connection"): SettingMeta => ({ title, description, page });

export const host = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[A-Za-z0-9._:-]+$/, "a host name or address")
  .meta(meta("Host", "Name or address of the device or converter."));
export const tcpPort = (standard: number) =>
  z
    .int()
    .min(1)
    .max(65_535)
    .default(standard)
    .meta(meta("TCP port", `Usually ${standard}.`));
export const serialDevice = z
  .string()
  .min(1)
  .max(255)
  .startsWith("/dev/", "a device path below /dev/")
  .meta(meta("Serial port", "Prefer a name below /dev/serial/by-id/: it survives a reboot."));
export const baudRate = (standard: number) =>
  z
    .literal([300, 600, 1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200])
    .default(standard as 2400)
    .meta(meta("Baud rate", "Bits per second; the same for all devices on the line."));
export const parity = (standard: "even" | "none" | "odd") =>
  z.enum(["even", "none", "odd"]).default(standard).meta(meta("Parity", "As set on the devices."));
export const stopBits = z.literal([1, 2]).default(1).meta(meta("Stop bits", "1, or 2 where the devices ask for it."));
export const timeoutMs = (standard: number) =>
  z
    .int()
    .min(50)
    .max(60_000)
    .default(standard)
    .meta(meta("Timeout (ms)", "How long to wait for an answer.", "Timing"));
export const pollSeconds = (standard: number) =>
  z
    .int()
    .min(0)
    .max(86_400 * 31)
    .default(standard)
    .meta(meta("Polling interval (s)", "How often to read for history; 0 reads only when asked.", "Timing"));
export const unitAddress = (min: number, max: number) =>
  z.int().min(min).max(max).meta(meta("Address", "Address of the device on its line."));
export const userName = z.string().max(255).default("").meta(meta("User name", "Empty for none."));
export const secret = (title: string) =>
  z
    .string()
    .max(255)
    .default("")
    .meta({ title, description: "Stored, never shown.", page: "Connection", secret: true });
export const fieldName = z
  .string()
  .min(1)
  .max(128)
  .meta(meta("Field name", "The field's own term, no unit in it: Energy, Supply Temperature.", "Field"));
export const unit = z
  .string()
  .max(32)
  .default("")
  .meta(meta("Unit", "kWh, m3/h, Cel, …; empty for none.", "Field"));
export const flag = (title: string, description: string, standard: boolean, page = "Connection") =>
  z
    .boolean()
    .default(standard)
    .meta(meta(title, description, page));
