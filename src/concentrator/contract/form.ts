// Any settings schema as a neutral form, read through JSON Schema and never through zod's insides. The data form of XMPP,
// the app's form, the questions of the CLI and the parameters shown of a node are made of it.

import * as z from "zod";
import type { Conditions } from "./settings.ts";

export type FormFieldKind = "boolean" | "integer" | "number" | "text" | "choice";

export interface FormField {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly page: string;
  readonly kind: FormFieldKind;
  readonly required: boolean;
  /** Written, never shown. */
  readonly secret: boolean;
  /** A text of several lines. */
  readonly lines?: true;
  readonly standard?: unknown;
  readonly min?: number;
  readonly max?: number;
  readonly charsMax?: number;
  readonly pattern?: string;
  /** The values of a choice. */
  readonly options?: readonly (string | number)[];
  /** Shown and heeded only while these other settings have one of these values. */
  readonly when?: Conditions;
}

interface Property {
  type?: string;
  enum?: (string | number)[];
  const?: string | number;
  title?: string;
  description?: string;
  page?: string;
  secret?: boolean;
  lines?: true;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  pattern?: string;
  when?: Conditions;
}

/** The fields in the order of the schema. Throws when the schema is not flat: what wants nesting is a child node or a profile. */
export function formOf(schema: z.ZodObject): readonly FormField[] {
  const json = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as {
    properties?: Record<string, Property>;
    required?: string[];
  };
  return Object.entries(json.properties ?? {}).map(([name, property]) => {
    const options = property.enum ?? (property.const === undefined ? undefined : [property.const]);
    return {
      name,
      title: property.title ?? name,
      description: property.description ?? "",
      page: property.page ?? "General",
      kind: options === undefined ? kindOf(name, property) : "choice",
      required: json.required?.includes(name) ?? false,
      secret: property.secret ?? false,
      ...(property.lines === undefined ? {} : { lines: property.lines }),
      ...(property.default === undefined ? {} : { standard: property.default }),
      ...(property.minimum === undefined ? {} : { min: property.minimum }),
      ...(property.maximum === undefined ? {} : { max: property.maximum }),
      ...(property.maxLength === undefined ? {} : { charsMax: property.maxLength }),
      ...(property.pattern === undefined ? {} : { pattern: property.pattern }),
      ...(options === undefined ? {} : { options }),
      ...(property.when === undefined ? {} : { when: property.when }),
    };
  });
}

function kindOf(name: string, property: Property): FormFieldKind {
  switch (property.type) {
    case "boolean":
    case "integer":
    case "number":
      return property.type;
    case "string":
      return "text";
    default:
      throw new Error(`setting "${name}" is neither a scalar nor a choice`);
  }
}
