// The configuration file of the lab's Prosody (Lua). What it says and why was found by trial; see the comments in it.

import { join } from "node:path";
import type { BrokerPorts } from "./broker.ts";
import type { ProsodyOptions } from "./prosody.ts";

/** mam is left out on purpose: with file storage it slows plain messages to a fraction. */
const modules = [
  "roster",
  "saslauth",
  "tls",
  "disco",
  "carbons",
  "ping",
  "register",
  // From Prosody 13 on its own tool needs it to remove an account of a broker that runs.
  "admin_shell",
  "smacks",
  "blocklist",
  "csi_simple",
];

export function prosodyConfig(options: ProsodyOptions, ports: BrokerPorts): string {
  const { folder, domain, certificate } = options;
  const { stanzaBytes } = options;
  const enabled = [
    ...modules,
    ...(options.pep ? ["pep"] : []),
    ...(options.clientRate ? ["limits"] : []),
    ...(stanzaBytes ? [announcingModule] : []),
  ];
  const tls = `{ certificate = ${text(certificate.certificatePath)}, key = ${text(certificate.keyPath)} }`;
  const components = options.components ?? [];
  // Prosody lists a component among the items of a host by itself only when its name is below that host's.
  const strangers = components.filter(each => !each.jid.endsWith(`.${domain}`));
  return `
${process.getuid?.() === 0 ? "run_as_root = true -- we own the folder; Prosody would change to a user who does not" : ""}
pidfile = ${text(join(folder, "prosody.pid"))}
data_path = ${text(join(folder, "data"))}
certificates = ${text(folder)}
log = { { levels = { min = "info" }, to = "console", timestamps = false } }
interfaces = { "127.0.0.1" }
local_interfaces = { "127.0.0.1" }
component_interfaces = { "127.0.0.1" }
c2s_ports = { ${ports.c2s} }
c2s_direct_tls_ports = { ${ports.tls} }
component_ports = { ${ports.component || ""} }
http_ports = { }
https_ports = { }
modules_enabled = { ${list(enabled)} }
modules_disabled = { "s2s" }
ssl = ${tls}
c2s_direct_tls_ssl = ${tls}
c2s_require_encryption = true
allow_unencrypted_plain_auth = false
authentication = "internal_hashed"
password_hash = ${text(options.passwordHash ?? "SHA-1")}
storage = "internal"
allow_registration = ${options.registration ?? false}
smacks_hibernation_time = ${options.resumeSeconds ?? 300}
${stanzaBytes ? `plugin_paths = { ${text(join(folder, "modules"))} }\nc2s_stanza_size_limit = ${stanzaBytes}` : ""}
limits = { ${options.clientRate ? `c2s = { rate = ${text(options.clientRate)}; burst = "2s" }` : ""} }
${options.extraConfig ?? ""}

VirtualHost ${text(domain)}
disco_items = { ${strangers.map(each => `{ ${text(each.jid)} }`).join(", ")} }
${options.hostConfig ?? ""}
${components.map(each => `\nComponent ${text(each.jid)}\ncomponent_secret = ${text(each.secret)}\n`).join("")}`;
}

/** XEP-0478, for Prosody before 13: a module `mod_<name>.lua` in the folder's `modules`. */
export const announcingModule = "announce_stanza_size";
export const announcing = `
local size = module:get_option_number("c2s_stanza_size_limit")
module:hook("stream-features", function(event)
  event.features:tag("limits", { xmlns = "urn:xmpp:stream-limits:0" }):text_tag("max-bytes", string.format("%d", size)):up()
end)
`;

function list(names: string[]): string {
  return names.map(text).join(", ");
}

/** A Lua string; JSON's escapes for quotes, backslashes and line ends mean the same there. */
function text(value: string): string {
  return JSON.stringify(value);
}
