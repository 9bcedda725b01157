// The node types of all drivers by name, and what can be said of a type without opening anything.

import type { Driver, NodeType } from "./contract/driver.ts";
import { type FormField, formOf } from "./contract/form.ts";

/** What a device can do, as one may ask for it in `onlyIfDerivedFrom`. */
export const capabilityNames = ["Readable", "Controllable"] as const;

export interface Catalogue {
  find(name: string): NodeType | undefined;
  readonly types: readonly NodeType[];
  /** A type, a base type or a capability of that name exists. */
  knows(name: string): boolean;
  /** Some type may stand below a node of this one; such children have an order that people give them. */
  takesChildren(type: NodeType | undefined): boolean;
  /** The settings as form fields, made once a type. */
  form(type: NodeType): readonly FormField[];
}

export function createCatalogue(drivers: readonly Driver[]): Catalogue {
  const byName = new Map<string, NodeType>();
  const names = new Set<string>(capabilityNames);
  for (const type of drivers.flatMap(driver => driver.nodeTypes as readonly NodeType[])) {
    if (byName.has(type.name)) throw new Error(`two node types are called ${type.name}`);
    byName.set(type.name, type);
    for (const name of [type.name, ...type.inherits]) names.add(name);
  }
  const parents = new Set([...byName.values()].flatMap(type => type.parents));
  const forms = new Map<NodeType, readonly FormField[]>();
  return {
    find: name => byName.get(name),
    types: [...byName.values()],
    knows: name => names.has(name),
    takesChildren: type => type !== undefined && parents.has(type.root ? "" : type.name),
    form(type) {
      const found = forms.get(type) ?? formOf(type.settings);
      forms.set(type, found);
      return found;
    },
  };
}
