// How the appliance finds its broker and proves who it is, from its boot settings.

import type { BootSettings } from "#config.ts";
import { readAuthority, registerOptions } from "./account-file.ts";
import type { Stores } from "./stores.ts";

export function sessionOptions(settings: BootSettings, stores: Stores) {
  const { domain, host, port, security, account } = settings;
  return {
    domain,
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(host === undefined && port === undefined ? {} : { tls: security === "tls" ? ("direct" as const) : security }),
    ...(settings.caFile === undefined ? {} : { ca: [readAuthority(settings.caFile)] }),
    credentials: stores.credentials,
    ...(account === undefined ? { register: registerOptions(settings) } : {}),
  };
}
