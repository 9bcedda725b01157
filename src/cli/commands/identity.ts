// `isthmus identity …`: who one is on the network, kept for the other commands.

import { createInterface } from "node:readline";
import { bareJid } from "#xmpp/jid.ts";
import { type CommandBody, CommandError, UsageError } from "../command.ts";
import { checkName, findIdentity, type Identity, identityNames, loadIdentity, saveIdentity } from "../identity.ts";
import { openTrustedServices } from "../trusted-services.ts";

export const identityAdd: CommandBody = {
  usage: "NAME --jid JID [--of APPLIANCE]",
  details: "The password is asked for, or read from standard input; it is kept in a file that only you can read.",
  options: {
    jid: { type: "string", value: "JID", help: "The account: you@example.org." },
    host: { type: "string", value: "HOST", help: "Only where DNS does not say it." },
    port: { type: "string", value: "PORT", help: "TLS from the first byte; with --host." },
    ca: { type: "string", value: "FILE", help: "A private certificate authority (PEM)." },
    of: { type: "string", value: "JID", help: "The appliance that is meant when none is named." },
  },
  words: [1, 1],
  async run(call) {
    const jid = bareJid(call.text("jid"));
    if (jid === undefined || !jid.includes("@")) throw new UsageError("--jid is an account such as you@example.org");
    const port = call.text("port");
    if (port !== undefined && !/^\d{1,5}$/.test(port)) throw new UsageError(`--port is a number, not "${port}"`);
    const name = call.words[0] ?? "";
    checkName(name);
    const identity: Identity = {
      jid,
      password: await readPassword(call.signal),
      ...given("host", call.text("host")),
      ...(port === undefined ? {} : { port: Number(port) }),
      ...given("caFile", call.text("ca")),
      ...given("appliance", call.text("of")),
    };
    const file = saveIdentity(name, identity);
    call.out.note(`Kept in ${file}.`);
    return 0;
  },
};

export const identityList: CommandBody = {
  usage: "",
  options: {},
  words: [0, 0],
  async run(call) {
    const rows = identityNames().map(name => {
      const { jid, appliance } = loadIdentity(name);
      call.out.value({ name, jid, appliance });
      return [name, jid, appliance ?? ""];
    });
    if (rows.length === 0) call.out.note("None yet: add one with `isthmus identity add`.");
    else call.out.table(["Name", "Account", "Appliance"], rows);
    return 0;
  },
};

export const identityServices: CommandBody = {
  usage: "[NAME] [--forget DOMAIN]",
  details:
    "Who says who owns what, and asks you what others may, is remembered when you first deal with a domain. Another in its place is not dealt with until you have the first forgotten.",
  options: {
    forget: { type: "string", value: "DOMAIN", help: "The services of this domain changed: learn them anew." },
  },
  words: [0, 1],
  async run(call) {
    const { servicesFile } = findIdentity(call.words[0]);
    const services = openTrustedServices(servicesFile);
    const domain = call.text("forget");
    if (domain !== undefined) {
      const isForgotten = services.forget(domain);
      call.out.value({ domain, forgotten: isForgotten });
      call.out.note(isForgotten ? `The services of ${domain} are forgotten.` : `Nothing is kept of ${domain}.`);
      return isForgotten ? 0 : 1;
    }
    const rows = services.all().map(one => {
      call.out.value(one);
      return [one.domain, one.registry ?? "", one.provisioning ?? ""];
    });
    if (rows.length === 0) call.out.note("None yet: they are remembered when you first deal with a domain.");
    else call.out.table(["Domain", "Registry", "Decisions"], rows);
    return 0;
  },
};

const given = <K extends string>(name: K, value: string | undefined) =>
  (value === undefined ? {} : { [name]: value }) as { [P in K]?: string };

/** Not shown while it is typed; one line of standard input where that is no terminal. */
async function readPassword(signal: AbortSignal): Promise<string> {
  const terminal = process.stdin.isTTY;
  if (terminal) process.stderr.write("Password: ");
  const lines = createInterface({ input: process.stdin, terminal });
  const leave = () => lines.close();
  signal.addEventListener("abort", leave, { once: true });
  const password = await new Promise<string>(resolve => {
    lines.once("line", resolve);
    // The end of the input, and Ctrl-C, which a terminal hands to us and not to the process while we read from it.
    lines.once("SIGINT", leave);
    lines.once("close", () => resolve(""));
  });
  lines.close();
  signal.removeEventListener("abort", leave);
  if (terminal) process.stderr.write("\n");
  if (password === "") throw new CommandError("No password was given.");
  return password;
}
