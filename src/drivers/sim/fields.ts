// The values of a simulated meter: made from the time alone, so that the same moment always gives the same values.

import { type Category, categories, type Field, type Quality } from "#contract/field.ts";

interface Channel {
  readonly name: string;
  readonly unit: string;
  readonly decimals: number;
  readonly category: Category;
  /** Of the hours since 2026. */
  readonly value: (hours: number) => number;
}

const channels: readonly Channel[] = [
  { name: "Energy", unit: "kWh", decimals: 2, category: "momentary", value: hours => hours * 1.25 },
  { name: "Volume", unit: "m3", decimals: 3, category: "momentary", value: hours => hours * 0.031 },
  { name: "Power", unit: "W", decimals: 0, category: "momentary", value: hours => 1250 + 1000 * Math.sin(hours / 24) },
  { name: "Flow", unit: "m3/h", decimals: 3, category: "momentary", value: hours => 0.031 + Math.sin(hours / 24) / 99 },
  { name: "Supply Temperature", unit: "Cel", decimals: 1, category: "momentary", value: hours => 60 + Math.sin(hours) },
  { name: "Return Temperature", unit: "Cel", decimals: 1, category: "momentary", value: hours => 40 + Math.cos(hours) },
  { name: "Power, Max", unit: "W", decimals: 0, category: "peak", value: () => 2250 },
];

const begin = Date.UTC(2026, 0, 1);
const quality: Quality = { automaticReadout: true };

/** `count` fields, the set point among them when there is room: the meter's own, then numbered channels. */
export function simulatedFields(count: number, at: number, setPoint: number): Field[] {
  const hours = (at - begin) / 3_600_000;
  const fields: Field[] = channels.slice(0, count).map(channel => ({
    name: channel.name,
    value: { kind: "quantity", value: channel.value(hours), decimals: channel.decimals, unit: channel.unit },
    categories: categories(channel.category),
    quality,
  }));
  if (fields.length < count) {
    fields.push({
      name: "Set Point",
      value: { kind: "quantity", value: setPoint, decimals: 1, unit: "Cel" },
      categories: categories("momentary"),
      quality,
    });
  }
  for (let number = 1; fields.length < count; number++) {
    const value = { kind: "quantity", value: (hours * number) % 1000, decimals: 2, unit: "" } as const;
    fields.push({ name: `Channel ${number}`, value, categories: categories("momentary"), quality });
  }
  return fields;
}
