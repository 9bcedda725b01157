// The configuration file of the lab's ejabberd (YAML, of which JSON is a part), as 23.01 and 24.12 take it: found by trial.

import { join } from "node:path";
import type { BrokerOptions, BrokerPorts, Servers } from "./broker.ts";
import { loopback } from "./ports.ts";

/** As Prosody's default: longer stanzas end the stream. */
const stanzaBytesStandard = 262_144;

/** Where accounts are made: a socket in a folder that only we can enter, so that it needs no password of its own. */
export function controlSocket(folder: string): string {
  const path = join(folder, "control.sock");
  // ejabberd 24.12 makes it under another name first, the path in base 64: where that has 63 octets there is a stroke in it,
  // and the name is one in a folder that is not there.
  return Buffer.byteLength(path) % 64 === 63 ? `${path}et` : path;
}

export function ejabberdConfig(options: BrokerOptions, ports: BrokerPorts): string {
  const { folder, domain, certificate, components = [] } = options;
  const clients = {
    module: "ejabberd_c2s",
    ip: loopback,
    access: "all",
    shaper: "none",
    max_stanza_size: options.stanzaBytes ?? stanzaBytesStandard,
  };
  const hosts = Object.fromEntries(components.map(({ jid, secret }) => [jid, { password: secret }]));
  const component = {
    port: ports.component,
    ip: loopback,
    module: "ejabberd_service",
    hosts,
    access: "all",
    shaper: "none",
  };
  return JSON.stringify(
    {
      hosts: [domain],
      // Its control interface logs passwords as information.
      loglevel: "warning",
      // It chooses among them by the name that is asked for.
      certfiles: [certificate, ...components.flatMap(one => one.certificate ?? [])].flatMap(one => [
        one.certificatePath,
        one.keyPath,
      ]),
      acme: { auto: false },
      listen: [
        { port: ports.c2s, ...clients, starttls_required: true },
        { port: ports.tls, ...clients, tls: true },
        ...(ports.component === 0 ? [] : [component]),
        ...(options.servers === undefined
          ? []
          : [{ port: options.servers.port, ip: loopback, module: "ejabberd_s2s_in" }]),
        {
          port: `unix:${controlSocket(folder)}`,
          module: "ejabberd_http",
          request_handlers: { "/api": "mod_http_api" },
        },
      ],
      ...serversConfig(options.servers),
      auth_method: "internal",
      auth_password_format: "scram",
      auth_scram_hash: options.passwordHash === "SHA-256" ? "sha256" : "sha",
      // Otherwise one account in ten minutes from one address.
      registration_timeout: "infinity",
      api_permissions: { lab: { who: "all", what: ["register", "unregister", "change_password"] } },
      modules: {
        mod_admin_extra: {},
        mod_blocking: {},
        mod_caps: {},
        mod_carboncopy: {},
        mod_disco: {},
        mod_http_api: {},
        mod_offline: {},
        mod_ping: {},
        mod_privacy: {},
        mod_roster: {},
        // Who has no certificate proves himself by a call back; without this module he cannot.
        ...(options.servers?.careless ? { mod_s2s_dialback: {} } : {}),
        mod_stream_mgmt: { resume_timeout: options.resumeSeconds ?? 300 },
        ...(options.registration ? { mod_register: { access: "all", ip_access: "all" } } : {}),
      },
    },
    undefined,
    2,
  );
}

function serversConfig(servers: Servers | undefined) {
  if (servers === undefined) return { s2s_access: "none" };
  const { careless, caPath } = servers;
  return {
    s2s_access: "all",
    s2s_use_starttls: careless ? "optional" : "required",
    s2s_cafile: caPath,
    // After a try that failed it gives back all for so many seconds, or fewer; by itself up to five minutes.
    s2s_max_retry_delay: 1,
  };
}

/** For Erlang's own resolver: where other servers are is asked of the lab's name server, and of no other. */
export const namesConfig = (nameServer: number): string =>
  `{lookup, [native]}.\n{resolv_conf, ""}.\n{nameserver, {127,0,0,1}, ${nameServer}}.\n`;
