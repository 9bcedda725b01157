// A certificate authority of our own for demonstration and tests: ECDSA P-256, made by the openssl program in a folder
// that goes away with the demonstration.

import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Clock } from "#base/clock.ts";
import { findProgram, LabError } from "./child.ts";

export interface Certificate {
  /** PEM files; the key has no pass phrase. */
  certificatePath: string;
  keyPath: string;
}

export interface CertificateOrder {
  /** Host names and addresses it is valid for; the first also becomes the file name. */
  hosts: string[];
  /** Ended an hour ago: for tests of refusal. */
  expired?: boolean;
  /** Begins tomorrow: for clocks that are behind. */
  early?: boolean;
}

export interface Authority {
  /** What a client must trust, as a file and as text (PEM). */
  caPath: string;
  ca: string;
  issue(order: CertificateOrder): Promise<Certificate>;
}

const hour = 3_600_000;
const validMs = 30 * 24 * hour;
const opensslMsMax = 20_000;

/** Makes `folder` (if need be) and a new authority in it. */
export async function createAuthority(folder: string, clock: Clock, signal: AbortSignal): Promise<Authority> {
  await mkdir(folder, { recursive: true });
  const openssl = await opensslIn(folder, signal);
  await openssl("req", ...newKey, "-x509", "-days", "30", "-keyout", "ca.key", "-out", "ca.pem", ...caRequest);
  const caPath = join(folder, "ca.pem");
  let issued = 0;
  const issue = async (order: CertificateOrder): Promise<Certificate> => {
    issued += 1;
    const stem = `${issued}-${(order.hosts[0] ?? "host").replaceAll(/[^A-Za-z0-9.-]/g, "_")}`;
    const end = clock.now() + (order.expired ? -hour : validMs);
    const start = order.early ? clock.now() + 24 * hour : Math.min(clock.now() - hour, end - hour);
    await writeFile(join(folder, `${stem}.ext`), extensions(order.hosts));
    const subject = ["-subj", `/CN=${order.hosts[0] ?? "host"}`];
    await openssl("req", ...newKey, "-new", "-keyout", `${stem}.key`, "-out", `${stem}.csr`, ...subject);
    const dates = ["-startdate", asn1Time(start), "-enddate", asn1Time(end)];
    const files = ["-in", `${stem}.csr`, "-out", `${stem}.pem`, "-extfile", `${stem}.ext`];
    await openssl("ca", "-batch", "-notext", ...dates, ...files);
    return { certificatePath: join(folder, `${stem}.pem`), keyPath: join(folder, `${stem}.key`) };
  };
  return { caPath, ca: await readFile(caPath, "utf8"), issue };
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
const caRequest = ["-subj", "/CN=Isthmus laboratory", "-extensions", "authority"];

/** `openssl x509` of Debian 12 can only count days from now; `openssl ca` takes both dates, but wants a configuration. */
const configuration = `
[req]
distinguished_name = name
prompt = no
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[ca]
default_ca = here
[here]
database = index.txt
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
policy = any
unique_subject = no
rand_serial = yes
[any]
commonName = supplied
`;

function extensions(hosts: string[]): string {
  const names = hosts.map(host => (isIP(host) ? `IP:${host}` : `DNS:${host}`)).join(",");
  const usage = "keyUsage = critical, digitalSignature\nextendedKeyUsage = serverAuth, clientAuth";
  return `basicConstraints = CA:FALSE\n${usage}\nsubjectAltName = ${names}\nauthorityKeyIdentifier = keyid\n`;
}

/** 20261120083000Z */
function asn1Time(at: number): string {
  return `${new Date(at).toISOString().replaceAll(/[-:T]/g, "").slice(0, 14)}Z`;
}

async function opensslIn(folder: string, signal: AbortSignal): Promise<(...args: string[]) => Promise<void>> {
  const program = findProgram("openssl");
  const configPath = join(folder, "openssl.cnf");
  await writeFile(configPath, configuration);
  await writeFile(join(folder, "index.txt"), "");
  // The machine's own configuration must not have a say.
  const env = { ...process.env, OPENSSL_CONF: configPath, RANDFILE: join(folder, ".rnd") };
  const run = promisify(execFile);
  return async (...args) => {
    try {
      await run(program, args, { cwd: folder, env, timeout: opensslMsMax, signal });
    } catch (error) {
      signal.throwIfAborted();
      const text = (error as { stderr?: string }).stderr || String(error);
      throw new LabError(`openssl ${args[0]} failed: ${text.trim().split("\n").slice(-3).join(" | ")}`);
    }
  };
}
