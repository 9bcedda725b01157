// Every wire file with the family whose generations it speaks: what is proven of all elements is proven over this list.

import * as address from "#iot/address.wire.ts";
import * as clock from "#iot/clock.wire.ts";
import * as commands from "#iot/commands.wire.ts";
import * as control from "#iot/control.wire.ts";
import * as dataForm from "#iot/data-form.wire.ts";
import * as disco from "#iot/disco.wire.ts";
import * as discovery from "#iot/discovery.wire.ts";
import * as editing from "#iot/editing.wire.ts";
import * as eventLog from "#iot/event-log.wire.ts";
import * as events from "#iot/events.wire.ts";
import * as fields from "#iot/fields.wire.ts";
import type { Family } from "#iot/generations.ts";
import * as harmonized from "#iot/harmonized.wire.ts";
import * as nodes from "#iot/nodes.wire.ts";
import * as provisioningDevice from "#iot/provisioning-device.wire.ts";
import * as provisioningOwner from "#iot/provisioning-owner.wire.ts";
import * as provisioningTokens from "#iot/provisioning-tokens.wire.ts";
import * as pubsub from "#iot/pubsub.wire.ts";
import * as queries from "#iot/queries.wire.ts";
import * as sensorData from "#iot/sensor-data.wire.ts";
import * as sniffers from "#iot/sniffers.wire.ts";
import * as software from "#iot/software.wire.ts";
import * as sourceEvents from "#iot/source-events.wire.ts";
import type { Codec } from "#xml/codec.ts";

type Module = Readonly<Record<string, unknown>>;

export const families: Readonly<Record<string, { module: Module; family?: Family }>> = {
  address: { module: address, family: "sensorData" },
  fields: { module: fields, family: "sensorData" },
  "sensor-data": { module: sensorData, family: "sensorData" },
  control: { module: control, family: "control" },
  "data-form": { module: dataForm },
  editing: { module: editing, family: "concentrator" },
  nodes: { module: nodes, family: "concentrator" },
  events: { module: events, family: "events" },
  "source-events": { module: sourceEvents, family: "concentrator" },
  commands: { module: commands, family: "concentrator" },
  queries: { module: queries, family: "concentrator" },
  sniffers: { module: sniffers, family: "concentrator" },
  discovery: { module: discovery, family: "discovery" },
  "provisioning-device": { module: provisioningDevice, family: "provisioningDevice" },
  "provisioning-owner": { module: provisioningOwner, family: "provisioningOwner" },
  "provisioning-tokens": { module: provisioningTokens, family: "provisioningTokens" },
  disco: { module: disco },
  "event-log": { module: eventLog },
  software: { module: software, family: "softwareUpdates" },
  pubsub: { module: pubsub },
  harmonized: { module: harmonized },
  clock: { module: clock, family: "synchronization" },
};

export const isCodec = (value: unknown): value is Codec<unknown> =>
  typeof value === "object" && value !== null && "decode" in value && "encode" in value;
