// A node as a form: what every node has (name, label, history), what its type asks of it, and back again. One list of fields
// for a new node, an edited one and several at once.

import * as z from "zod";
import { identifierCharsMax } from "#limits.ts";
import type { Catalogue } from "./catalogue.ts";
import type { NodeType } from "./contract/driver.ts";
import type { FilledField } from "./contract/filled-form.ts";
import { type FormField, formOf } from "./contract/form.ts";
import type { Tag } from "./contract/node.ts";
import {
  type Answers,
  checkSettings,
  type FormErrors,
  fillSettings,
  type Settings,
  withAnswers,
} from "./form-values.ts";
import type { NodeOptions } from "./records.ts";

/** A node as it is, or is to be. */
export interface NodeDraft {
  readonly nodeId: string;
  readonly displayName: string;
  readonly tags: readonly Tag[];
  readonly options: NodeOptions;
  /** As given, for the schema of the type. */
  readonly settings: Settings;
}

export const newDraft: NodeDraft = { nodeId: "", displayName: "", tags: [], options: {}, settings: {} };

const label = (title: string, description: string, page = "Location") =>
  z.string().max(128, "At most 128 characters.").default("").meta({ title, description, page });
const coordinate = (title: string, description: string, bound: number) =>
  z.number().min(-bound).max(bound).optional().meta({ title, description, page: "Location" });

const identity = {
  NodeId: z
    .string()
    .min(1)
    .max(identifierCharsMax)
    .regex(
      // Written so that every engine reads it alike: clients check with what they have (DF-VAL-03).
      /^[^\u0000-\u001F\u007F-\u009F]*[^\s\u0000-\u001F\u007F-\u009F][^\u0000-\u001F\u007F-\u009F]*$/,
      "a text without control characters, and not only of blanks",
    )
    .meta({ title: "Node id", description: "Its address: unique in its source.", page: "Node" }),
  Name: label("Name", "As people call it; empty for the node id.", "Node"),
};
const registered = z.boolean().default(true).meta({
  title: "Registered as a thing",
  description: "It can be found and claimed by an owner of its own; otherwise it belongs to the appliance.",
  page: "Node",
});
const historyDays = z.int().min(1).max(36_500).optional().meta({
  title: "Days of history",
  description: "How long its values are kept; empty for as long as the appliance keeps any.",
  page: "Timing",
});

/** Names of labels in the registry, with the settings of a device type that say the same. */
const deviceLabels = {
  CLASS: { of: "class", field: label("Class", "What it is: HeatMeter, WaterMeter, ElectricityMeter.", "Identity") },
  MAN: { of: "manufacturer", field: label("Manufacturer", "As on the device's label.", "Identity") },
  MODEL: { of: "model", field: label("Model", "As on the device's label.", "Identity") },
  SN: { of: "serialNumber", field: label("Serial number", "As on the device's label.", "Identity") },
} as const;
const placeLabels = {
  ROOM: label("Room", "Number or name of the room."),
  APT: label("Apartment", "Number of the apartment."),
  BLD: label("Building", "Number or name of the building."),
  STREETNR: label("Street number", ""),
  STREET: label("Street", ""),
  AREA: label("Area", "Part of the city."),
  CITY: label("City", ""),
  REGION: label("Region", ""),
  COUNTRY: label("Country", "Two letters: SE, DE, CL."),
  LAT: coordinate("Latitude", "Degrees, north positive.", 90),
  LON: coordinate("Longitude", "Degrees, east positive.", 180),
  ALT: coordinate("Altitude", "Metres above the sea.", 20_000),
};

/** Fields of a node of one type, in the order of their pages. */
interface Fields {
  /** Of what every node has, as far as this type has it. */
  readonly common: z.ZodObject;
  readonly list: readonly FormField[];
  readonly labels: readonly string[];
}

export interface NodeForms {
  /** All that is said in the form of such a node, by the names of its fields. */
  values(type: NodeType | undefined, draft: NodeDraft): Settings;
  /** The node these values say; what no field speaks of stays as in `before`. */
  draft(type: NodeType | undefined, values: Settings, before: NodeDraft): NodeDraft;
  /** `locked` says why name and registration stay as they are; "" when they need not. */
  fields(type: NodeType | undefined, values: Settings, locked: string): FilledField[];
  /** The values with the answers in them; what is wrong goes into `errors`, all of it. */
  answered(
    type: NodeType | undefined,
    before: Settings,
    answers: Answers,
    locked: string,
    errors: FormErrors,
  ): Settings;
  /** Every field such a form may have, shown at the moment or not. */
  list(type: NodeType | undefined): readonly FormField[];
}

export const identityNames: readonly string[] = ["NodeId"];
const lockedNames: readonly string[] = ["NodeId", "Registered"];

export function createNodeForms(catalogue: Pick<Catalogue, "form">): NodeForms {
  const byType = new Map<NodeType | undefined, Fields>();
  const of = (type: NodeType | undefined): Fields => {
    const found = byType.get(type) ?? makeFields(type, type === undefined ? [] : catalogue.form(type));
    byType.set(type, found);
    return found;
  };

  return {
    list: type => of(type).list,
    values(type, { nodeId, displayName, tags, options, settings }) {
      const said = new Map(tags.map(({ name, value }) => [name, value]));
      const labels = of(type).labels.flatMap(name => (said.has(name) ? [[name, said.get(name)] as const] : []));
      return {
        ...settings,
        ...(nodeId === "" ? {} : { NodeId: nodeId, Name: displayName }),
        ...Object.fromEntries(labels),
        ...(type?.thing ? { Registered: options.registered !== false } : {}),
        ...(options.historyDays === undefined ? {} : { HistoryDays: options.historyDays }),
      };
    },
    draft(type, values, before) {
      const { common, labels } = of(type);
      const { NodeId: nodeId, Name: name, Registered, HistoryDays } = values;
      const own = new Set(labels);
      const said = labels.flatMap(label => {
        const value = values[label];
        return value === undefined || value === "" ? [] : [{ name: label, value: value as Tag["value"] }];
      });
      return {
        nodeId: nodeId as string,
        displayName: ((name ?? "") as string) || (nodeId as string),
        tags: [...before.tags.filter(tag => !own.has(tag.name)), ...said],
        options: {
          ...(Registered === false ? { registered: false } : {}),
          ...(HistoryDays === undefined ? {} : { historyDays: HistoryDays as number }),
        },
        settings: Object.fromEntries(Object.entries(values).filter(([setting]) => !(setting in common.shape))),
      };
    },
    fields: (type, values, locked) =>
      fillSettings(of(type).list, values).map(field =>
        locked !== "" && lockedNames.includes(field.name) ? { ...field, readOnly: true } : field,
      ),
    answered(type, before, answers, locked, errors) {
      const { common, list } = of(type);
      const next = withAnswers(list, before, answers, errors);
      if (locked !== "") {
        for (const name of lockedNames) if (next[name] !== before[name]) errors.set(name, locked);
      }
      checkSettings(common, next, before, errors);
      if (type !== undefined) checkSettings(type.settings, next, before, errors);
      return next;
    },
  };
}

function makeFields(type: NodeType | undefined, own: readonly FormField[]): Fields {
  const taken = new Set(own.map(({ name }) => name));
  const device = Object.entries(deviceLabels).flatMap(([name, { of, field }]) =>
    taken.has(of) ? [] : [[name, field] as const],
  );
  const labels = type?.thing ? { ...Object.fromEntries(device), ...placeLabels } : {};
  const common = z.object({
    ...identity,
    ...(type?.thing ? { Registered: registered } : {}),
    ...(type?.thing || taken.has("pollSeconds") ? { HistoryDays: historyDays } : {}),
    ...labels,
  });
  // Who and what first, then how it is reached, then where it is.
  const [first, place] = [formOf(common).filter(isFirst), formOf(common).filter(field => !isFirst(field))];
  return { common, list: [...first, ...own, ...place], labels: Object.keys(labels) };
}

const isFirst = ({ page }: FormField): boolean => page === "Node";
