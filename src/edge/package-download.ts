// Fetching a software package over https into a file, with every bound there is: scheme, certificate, addresses, redirects,
// size, time. Nothing looks at the bytes here.

import { lookup as resolveHost } from "node:dns";
import { open } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import type { LookupFunction } from "node:net";
import { isIP } from "node:net";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { rootCertificates } from "node:tls";
import { downloadIdleMs, downloadRedirectsMax } from "#limits.ts";
import { isPrivateAddress } from "./private-address.ts";

/** again: no connection, or the server's fault; it may do better later. Otherwise it is given up. */
export class DownloadFault extends Error {
  override name = "DownloadFault";
  readonly again: boolean;
  constructor(message: string, again: boolean, options?: ErrorOptions) {
    super(message, options);
    this.again = again;
  }
}

export interface Download {
  readonly url: string;
  /** Exactly so many; more are not even waited for. */
  readonly bytes: number;
  readonly file: string;
  /** Certificate authorities besides those of the system (PEM). */
  readonly ca: readonly string[];
  /** Of the broker: they, and what lies below them, may be on a private address. */
  readonly hosts: readonly string[];
}

/** Throws `DownloadFault`, or the reason of the abort. A file it leaves behind is not whole. */
export async function download(one: Download, signal: AbortSignal): Promise<void> {
  let url = parsed(one.url);
  for (let redirects = 0; ; redirects++) {
    const response = await get(url, one, signal);
    const status = response.statusCode ?? 0;
    if (status >= 300 && status < 400 && response.headers.location !== undefined) {
      response.destroy();
      if (redirects >= downloadRedirectsMax) throw new DownloadFault("too many redirections", false);
      url = parsed(new URL(response.headers.location, url).href);
      continue;
    }
    if (status !== 200) {
      response.destroy();
      throw new DownloadFault(`the server answers ${status}`, status >= 500);
    }
    return await keep(response, one, signal);
  }
}

function parsed(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) throw new DownloadFault("the address of the package is none", false);
  if (url.protocol !== "https:") throw new DownloadFault(`${url.protocol} is not allowed, only https`, false);
  if (url.username !== "" || url.password !== "") throw new DownloadFault("an address with a password", false);
  return url;
}

function get(url: URL, { ca, hosts }: Download, signal: AbortSignal): Promise<IncomingMessage> {
  const isOurs = hosts.some(one => url.hostname === one || url.hostname.endsWith(`.${one}`));
  const lookup = isOurs ? undefined : publicOnly;
  return new Promise((resolve, reject) => {
    const bare = url.hostname.replace(/^\[|\]$/g, "");
    if (!isOurs && isIP(bare) !== 0 && isPrivateAddress(bare)) {
      return reject(new DownloadFault(`${bare} is a private address`, false));
    }
    const asking = request(url, {
      signal,
      timeout: downloadIdleMs,
      agent: false,
      ca: [...rootCertificates, ...ca],
      ...(lookup === undefined ? {} : { lookup }),
    });
    asking.on("response", resolve);
    asking.on("timeout", () => asking.destroy(new DownloadFault("the server does not answer", true)));
    asking.on("error", error => {
      if (signal.aborted) reject(signal.reason);
      else reject(error instanceof DownloadFault ? error : new DownloadFault(error.message, true, { cause: error }));
    });
    asking.end();
  });
}

/** A name out there must not lead into the house (SWU-CLI-06). */
const publicOnly: LookupFunction = (hostname, options, callback) => {
  resolveHost(hostname, { ...options, all: true }, (error, addresses) => {
    const hidden = addresses?.find(({ address }) => isPrivateAddress(address));
    const [first] = addresses ?? [];
    if (error !== null) callback(error, "", 4);
    else if (hidden !== undefined || first === undefined) {
      callback(new DownloadFault(`${hostname} leads to a private address`, false), "", 4);
    } else if (options.all === true) callback(null, addresses);
    else callback(null, first.address, first.family);
  });
};

async function keep(response: IncomingMessage, { bytes, file }: Download, signal: AbortSignal): Promise<void> {
  const said = response.headers["content-length"];
  if (said !== undefined && Number(said) !== bytes) {
    response.destroy();
    throw new DownloadFault(`${said} bytes are offered instead of ${bytes}`, false);
  }
  let received = 0;
  const counted = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      received += chunk.length;
      if (received > bytes) done(new DownloadFault(`more than ${bytes} bytes`, false));
      else done(null, chunk);
    },
  });
  try {
    // There before anything is aborted: a stream that opens its file by itself may make it after it was taken away.
    const handle = await open(file, "w", 0o600);
    await pipeline(response, counted, handle.createWriteStream({ flush: true }), { signal });
  } catch (error) {
    response.destroy();
    signal.throwIfAborted();
    throw error instanceof DownloadFault ? error : new DownloadFault(String(error), true, { cause: error });
  }
  if (received < bytes) throw new DownloadFault(`${received} bytes instead of ${bytes}`, true);
}
