// New software: downloaded when the owner's broker offers it, believed when the manufacturer signed it, kept in a folder and
// announced. It is never installed from here (SWU-CLI-03 to -11).

import { createVerify, type KeyObject } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Clock } from "#base/clock.ts";
import { within } from "#base/deadline.ts";
import type { Log } from "#base/log.ts";
import { createScope } from "#base/scope.ts";
import type { Task } from "#base/supervise.ts";
import type { PackageInfo } from "#iot/software.wire.ts";
import {
  downloadAgainFirstMs,
  downloadAgainMsMax,
  downloadBytesMax,
  downloadMs,
  downloadReserveBytes,
} from "#limits.ts";
import { DownloadFault, download } from "./package-download.ts";

export interface UpdatesDeps {
  readonly folder: string;
  /** Of the manufacturer, RSA or elliptic; signatures are over SHA-256 of the file. */
  readonly key: KeyObject;
  readonly ca: readonly string[];
  /** Of the broker: they, and what lies below them, may be on a private address. */
  readonly hosts: readonly string[];
  /** Each download waits a part of it first. */
  readonly delayMsMax: number;
  /** What a person should know: that there is new software, that it cannot be trusted. "" takes the last word back. */
  readonly announce: (kind: "ready" | "failed", text: string) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly random?: () => number;
}

export interface Updates {
  told(info: PackageInfo): void;
  deleted(info: PackageInfo): void;
  /** Downloads what was told, until aborted. */
  readonly run: Task;
  /** What lies there, whole and signed. */
  readonly ready: PackageInfo | undefined;
}

/** Written by whoever installs: what is running. */
const installedName = "installed.json";
const readyName = "ready.json";

export function createUpdates({ folder, key, clock, log, announce, ...deps }: UpdatesDeps): Updates {
  const random = deps.random ?? Math.random;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const installed = readInfo(join(folder, installedName));
  let ready = readInfo(join(folder, readyName));
  if (ready !== undefined && !existsSync(join(folder, ready.fileName))) ready = undefined;
  let wanted: PackageInfo | undefined;
  /** Given up on, until something else is offered (SWU-CLI-07, -11). */
  let refused: PackageInfo | undefined;
  let wake = () => {};
  let stopDownload = () => {};

  const fileOf = ({ fileName }: PackageInfo) => join(folder, fileName);
  const partOf = (info: PackageInfo) => `${fileOf(info)}.part`;
  const isNews = (info: PackageInfo): boolean =>
    [wanted, ready, refused].every(known => known === undefined || !isSame(known, info)) &&
    [wanted, ready, installed].every(known => known === undefined || info.published > known.published);

  const giveUp = (info: PackageInfo, why: string) => {
    rmSync(partOf(info), { force: true });
    refused = info;
    if (wanted === info) wanted = undefined;
    log.error("update-refused", { file: info.fileName, published: info.published, why });
    announce("failed", `The software update ${info.fileName} was not taken: ${why}.`);
  };

  const fetchOnce = async (info: PackageInfo, signal: AbortSignal): Promise<void> => {
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < info.bytes + downloadReserveBytes)
      throw new DownloadFault("the disk is too full for it", true);
    const { url, bytes } = info;
    const { ca, hosts } = deps;
    let going: Promise<void> = Promise.resolve();
    try {
      await within(clock, downloadMs, "download", signal, inner => {
        going = download({ url, bytes, file: partOf(info), ca, hosts }, inner);
        return going;
      });
    } finally {
      // Who is called off lets go of the file before it is taken away, and before the next one writes it.
      await going.catch(() => {});
    }
    if (!(await isSigned(partOf(info), info.signature, key))) {
      throw new DownloadFault("its signature is not the manufacturer's", false);
    }
    signal.throwIfAborted();
    // The file first: what is said to be ready is there.
    renameSync(partOf(info), fileOf(info));
    writeFileSync(join(folder, readyName), JSON.stringify(info), { mode: 0o600, flush: true });
    ready = info;
    if (wanted === info) wanted = undefined;
    log.notice("update-ready", { file: info.fileName, published: info.published });
    announce(
      "ready",
      `The software update ${info.fileName} of ${day(info.published)} is downloaded and waits to be installed.`,
    );
  };

  const fetchPatiently = async (info: PackageInfo, signal: AbortSignal): Promise<void> => {
    await clock.sleep(random() * deps.delayMsMax, signal);
    for (let bound = downloadAgainFirstMs; ; bound = Math.min(bound * 2, downloadAgainMsMax)) {
      try {
        return await fetchOnce(info, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof DownloadFault && !error.again) return giveUp(info, error.message);
        log.warning("update-not-downloaded", { file: info.fileName, error });
      }
      await clock.sleep(1_000 + random() * (bound - 1_000), signal);
    }
  };

  return {
    get ready() {
      return ready;
    },
    told(info) {
      if (!isNews(info)) return;
      const fault = faultIn(info);
      if (fault !== undefined) return giveUp(info, fault);
      log.notice("update-offered", { file: info.fileName, published: info.published, bytes: info.bytes });
      wanted = info;
      stopDownload();
      wake();
    },
    deleted(info) {
      if (!isFileName(info.fileName)) return;
      if (wanted?.fileName === info.fileName) {
        wanted = undefined;
        stopDownload();
      }
      if (ready?.fileName !== info.fileName) return;
      ready = undefined;
      rmSync(join(folder, readyName), { force: true });
      rmSync(fileOf(info), { force: true });
      log.notice("update-withdrawn", { file: info.fileName });
      announce("ready", "");
    },
    async run(signal) {
      while (!signal.aborted) {
        const info = wanted;
        if (info === undefined) {
          using idle = createScope(signal);
          wake = idle.abort;
          await clock.sleep(downloadAgainMsMax, idle.signal).catch(() => {});
          continue;
        }
        using scope = createScope(signal);
        stopDownload = () => scope.abort();
        await fetchPatiently(info, scope.signal).catch(error => {
          rmSync(partOf(info), { force: true });
          if (!scope.signal.aborted) throw error;
        });
      }
    },
  };
}

/** SWU-CLI-03: a single segment of a path, and none of ours. */
export function isFileName(name: string): boolean {
  if (name === "" || name === "." || name === ".." || Buffer.byteLength(name) > 255) return false;
  return !/[/\\:\p{Cc}]/u.test(name) && name !== installedName && name !== readyName && !name.endsWith(".part");
}

function faultIn({ fileName, bytes }: PackageInfo): string | undefined {
  if (!isFileName(fileName)) return "its name is no file name";
  if (bytes === 0) return "it is empty";
  return bytes > downloadBytesMax ? `its ${bytes} bytes are more than is taken` : undefined;
}

const isSame = (a: PackageInfo, b: PackageInfo): boolean => a.published === b.published && a.signature === b.signature;

async function isSigned(file: string, signature: string, key: KeyObject): Promise<boolean> {
  const verifier = createVerify("sha256");
  await pipeline(createReadStream(file), verifier);
  return verifier.verify(key, signature, "base64");
}

function readInfo(file: string): PackageInfo | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as PackageInfo) : undefined;
}

const day = (at: number): string => new Date(at).toISOString().slice(0, 10);
