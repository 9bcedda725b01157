// The configuration file of the lab's ejabberd (YAML, of which JSON is a part). What it says was found by trial with 23.01.

import { join } from "node:path";
import type { BrokerOptions, BrokerPorts } from "./broker.ts";
import { loopback } from "./ports.ts";

/** As Prosody's default: longer stanzas end the stream. */
const stanzaBytesStandard = 262_144;

/** Where accounts are made: a socket in a folder that only we can enter, so that it needs no password of its own. */
export const controlSocket = (folder: string): string => join(folder, "control.sock");

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
      certfiles: [certificate.certificatePath, certificate.keyPath],
      acme: { auto: false },
      listen: [
        { port: ports.c2s, ...clients, starttls_required: true },
        { port: ports.tls, ...clients, tls: true },
        ...(ports.component === 0 ? [] : [component]),
        {
          port: `unix:${controlSocket(folder)}`,
          module: "ejabberd_http",
          request_handlers: { "/api": "mod_http_api" },
        },
      ],
      s2s_access: "none",
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
        mod_stream_mgmt: { resume_timeout: options.resumeSeconds ?? 300 },
        ...(options.registration ? { mod_register: { access: "all", ip_access: "all" } } : {}),
      },
    },
    undefined,
    2,
  );
}
