// The configuration file of the lab's Prosody (Lua). What it says and why was found by trial; see the comments in it.

import { join } from "node:path";
import type { BrokerPorts, Servers } from "./broker.ts";
import type { Certificate } from "./certificates.ts";
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
  const { stanzaBytes, servers } = options;
  const enabled = [
    ...modules,
    ...(options.pep ? ["pep"] : []),
    ...(options.clientRate ? ["limits"] : []),
    ...(stanzaBytes ? [announcingModule] : []),
    ...(servers ? [namingModule] : []),
    ...(servers?.careless ? ["dialback"] : []),
  ];
  const authority = servers === undefined ? "" : `, cafile = ${text(servers.caPath)}`;
  const plugins = stanzaBytes !== undefined || servers !== undefined;
  const tlsOf = (one: Certificate) =>
    `{ certificate = ${text(one.certificatePath)}, key = ${text(one.keyPath)}${authority} }`;
  const tls = tlsOf(certificate);
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
${servers === undefined ? 'modules_disabled = { "s2s" }' : serversConfig(servers)}
ssl = ${tls}
c2s_direct_tls_ssl = ${tls}
c2s_require_encryption = true
allow_unencrypted_plain_auth = false
authentication = "internal_hashed"
password_hash = ${text(options.passwordHash ?? "SHA-1")}
storage = "internal"
allow_registration = ${options.registration ?? false}
smacks_hibernation_time = ${options.resumeSeconds ?? 300}
${plugins ? `plugin_paths = { ${text(join(folder, "modules"))} }` : ""}
${stanzaBytes ? `c2s_stanza_size_limit = ${stanzaBytes}` : ""}
limits = { ${options.clientRate ? `c2s = { rate = ${text(options.clientRate)}; burst = "2s" }` : ""} }
${options.extraConfig ?? ""}

VirtualHost ${text(domain)}
disco_items = { ${strangers.map(each => `{ ${text(each.jid)} }`).join(", ")} }
${options.hostConfig ?? ""}
${components
  .map(
    each => `
Component ${text(each.jid)}
component_secret = ${text(each.secret)}
${each.certificate ? `ssl = ${tlsOf(each.certificate)}` : ""}
`,
  )
  .join("")}`;
}

const serversConfig = ({ port, peers, careless = false }: Servers): string => `
s2s_ports = { ${port} }
s2s_direct_tls_ports = { }
s2s_require_encryption = ${!careless}
s2s_secure_auth = ${!careless}
${namingModule} = { ${Object.entries(peers)
  .map(([domain, at]) => `[${text(domain)}] = ${at}`)
  .join(", ")} }
`;

/**
 * Where other servers are, instead of a name server: Prosody 0.12 asks only port 53 of one, which a test cannot serve. Only the
 * address is ours; streams, encryption and certificates are Prosody's. By the function that makes resolvers, because the event
 * for it came with 0.12.4.
 */
export const namingModule = "lab_names";
export const naming = `
local function part(name)
  local found, value = pcall(require, "prosody." .. name)
  return found and value or require(name)
end
local service, manual = part("net.resolvers.service"), part("net.resolvers.manual")
local ports = module:get_option("${namingModule}")
service.new = function (domain, name, kind, extra)
  local at = name == "xmpp-server" and ports[domain]
  return manual.new(at and { { "tcp4", "127.0.0.1", at, extra } } or {}, kind, extra)
end
module:set_global()
`;

/** XEP-0478, for Prosody before 13, which says it by itself: a module `mod_<name>.lua` in the folder's `modules`. */
export const announcingModule = "announce_stanza_size";
export const announcing = `
if not prosody.version:match("^0%.") then return end
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
