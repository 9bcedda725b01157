// Software updates put together: who tells of them, who fetches them, and where a person reads of it. Without a package name
// and the manufacturer's key there are none.

import { createPublicKey, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Task } from "#base/supervise.ts";
import type { Tree } from "#concentrator/tree.ts";
import { type BootSettings, ConfigError } from "#config.ts";
import { applianceSource } from "#contract/node.ts";
import { preferred } from "#iot/generations.ts";
import { createSoftware } from "#iot/software.ts";
import type { Connection } from "#xmpp/connection.ts";
import type { Service } from "#xmpp/disco.ts";
import type { MessageRoute } from "#xmpp/router.ts";
import { readAuthority } from "./account-file.ts";
import { createUpdates } from "./updates.ts";

export interface SoftwareUpdatesDeps {
  readonly settings: BootSettings;
  readonly connection: Pick<Connection, "online" | "request">;
  readonly tree: Pick<Tree, "find" | "note" | "erase">;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface SoftwareUpdates {
  readonly messages: readonly MessageRoute[];
  readonly run: Task;
  online(): void;
  serviceFound(service: Service): void;
}

export function createSoftwareUpdates(deps: SoftwareUpdatesDeps): SoftwareUpdates {
  const { settings, tree } = deps;
  const { updatePackage: fileName, updateKeyFile } = settings;
  if (fileName === undefined) return { messages: [], run: async () => {}, online() {}, serviceFound() {} };
  if (updateKeyFile === undefined) {
    throw new ConfigError("updateKeyFile: a software package needs the manufacturer's key to be believed");
  }
  const updates = createUpdates({
    ...deps,
    folder: join(settings.dataFolder, "updates"),
    key: readKey(updateKeyFile),
    ca: settings.caFile === undefined ? [] : [readAuthority(settings.caFile)],
    hosts: [settings.domain, ...(settings.host === undefined ? [] : [settings.host])],
    delayMsMax: settings.updateJitterSeconds * 1_000,
    announce(kind, text) {
      const board = tree.find({ nodeId: "board", sourceId: applianceSource, partition: "" });
      if (board === undefined) return;
      if (kind === "ready") tree.erase(board, ["update-ready", "update-refused"]);
      if (text === "") return;
      if (kind === "ready") tree.note(board, "Information", "update-ready", text);
      else tree.note(board, "Warning", "update-refused", text);
    },
  });
  const software = createSoftware({ ...deps, fileName, told: updates.told, deleted: updates.deleted });
  return {
    messages: software.messages,
    run: updates.run,
    online: software.online,
    serviceFound({ jid, features }) {
      const generation = preferred("softwareUpdates", features);
      if (generation !== undefined) software.serviceFound({ jid, generation });
    },
  };
}

function readKey(file: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey(readFileSync(file));
  } catch {
    throw new ConfigError(`updateKeyFile: ${file} holds no public key`);
  }
  if (key.asymmetricKeyType !== "rsa" && key.asymmetricKeyType !== "ec") {
    throw new ConfigError(
      `updateKeyFile: ${file} holds a ${key.asymmetricKeyType} key; RSA or elliptic (ECDSA) is needed`,
    );
  }
  return key;
}
