// Settings of M-Bus lines and meters: how a line is reached, how long its meters may think, how a meter is addressed.

import * as z from "zod";
import { parseHex } from "#base/bytes.ts";
import { baudRate, host, parity, pollSeconds, secret, serialDevice, stopBits, tcpPort } from "#contract/settings.ts";
import { identitySettings } from "../identity.ts";
import { addressPattern, parseAddress } from "./address.ts";
import { baudRates } from "./baud.ts";
import { keyOctets } from "./mode5.ts";

const marginMs = (standard: number, why: string) =>
  z.int().min(0).max(30_000).default(standard).meta({ title: "Answer margin (ms)", description: why, page: "Timing" });

export const serialSettings = z.object({
  serialDevice,
  baudRate: baudRate(2400),
  parity: parity("even"),
  stopBits,
  answerMarginMs: marginMs(500, "Added to the standard's longest answer time, for slow adapters and meters."),
});

export const tcpSettings = z.object({
  host,
  port: tcpPort(10_001),
  baudRate: baudRate(2400),
  answerMarginMs: marginMs(1500, "Added to the standard's longest answer time, for the network and the converter."),
});

const udpPort = tcpPort(10_001).meta({ title: "UDP port", description: "Usually 10001.", page: "Connection" });

export const udpSettings = z.object({
  host,
  port: udpPort,
  baudRate: baudRate(2400),
  answerMarginMs: marginMs(1500, "Added to the standard's longest answer time, for the network and the converter."),
});

/** `profiles`: their names. */
export const meterSettings = (profiles: readonly string[]) =>
  z.object({
    address: z
      .string()
      .regex(addressPattern, "0 to 250, or 8 to 16 digits of the secondary address")
      .refine(text => parseAddress(text) !== undefined, "0 to 250, or 8 to 16 digits of the secondary address")
      .meta({
        title: "Address",
        description:
          "Primary address 0 to 250, or the number on the meter's face (8 digits, F for any), perhaps with /fabrication number.",
        page: "Connection",
      }),
    profile: z
      .enum(["automatic", "none", ...profiles], "no such profile: its file is missing or wrong, and the log says why")
      .default("automatic")
      .meta({
        title: "Profile",
        description: "The product, where its telegrams leave something to the manual; automatic goes by their header.",
        page: "Connection",
      }),
    pollSeconds: pollSeconds(900),
    minIntervalSeconds: z
      .int()
      .min(0)
      .max(86_400 * 31)
      .default(0)
      .meta({
        title: "Shortest interval (s)",
        description:
          "A battery meter may answer only so often; asked sooner, its last readout is given with its own time.",
        page: "Timing",
      }),
    applicationSelect: z
      .string()
      .regex(/^([0-9A-Fa-f]{2})?$/, "two hexadecimal digits, or empty")
      .default("")
      .meta({
        title: "Application select",
        description: "Sub-code sent before each readout, for meters with several kinds of telegrams; empty sends none.",
        page: "Timing",
      }),
    baudRate: z
      .enum(["line", ...baudRates.map(String)])
      .default("line")
      .meta({
        title: "Baud rate",
        description: "As the line, unless this meter talks at another rate; only on a serial port.",
        page: "Timing",
      }),
    writing: z.enum(["off", "settings", "expert"]).default("off").meta({
      title: "Writing",
      description:
        "What may be written to the meter: nothing, its addresses, clock and set day, or any record as octets.",
      page: "Writing",
    }),
    key: secret("Decryption key").refine(
      text => text === "" || parseHex(text)?.length === keyOctets,
      "32 hexadecimal digits, or empty",
    ),
    ...identitySettings,
  });
export type MeterSettings = ReturnType<typeof meterSettings>;
