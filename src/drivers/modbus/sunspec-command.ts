// The query that lists the models of a SunSpec device: what it has, where, and what of it is read.

import { type Command, query } from "#contract/command.ts";
import { flagCell, integerCell, textCell } from "#contract/report.ts";
import { definitionOf } from "./sunspec-definition.ts";
import { isRead, type ReadModels } from "./sunspec-models.ts";
import type { SunspecMap } from "./sunspec-walk.ts";

const words = {
  title: "List the SunSpec models",
  service: "Service",
  models: "Models of the device",
  model: "Model",
  name: "Name",
  unknown: "Not a published model",
  address: "Address",
  length: "Registers",
  read: "Read",
};

export const modelsCommand = (look: (signal: AbortSignal) => Promise<SunspecMap>, models: ReadModels): Command =>
  query({
    id: "SunspecModels",
    title: words.title,
    sort: { category: words.service, key: "0" },
    async query(report, signal) {
      await report.title(words.models);
      const map = await look(signal);
      const table = await report.table(words.models, [
        { columnId: "model", header: words.model, alignment: "Right" },
        { columnId: "name", header: words.name },
        { columnId: "address", header: words.address, alignment: "Right" },
        { columnId: "length", header: words.length, alignment: "Right" },
        { columnId: "read", header: words.read },
      ]);
      for (const { id, address, length } of map.models) {
        const definition = definitionOf(id);
        await table.row(
          integerCell(id),
          textCell(definition === undefined ? words.unknown : (definition.label ?? definition.name)),
          integerCell(address),
          integerCell(length),
          flagCell(definition !== undefined && isRead(id, models)),
        );
      }
      await table.done();
      if (map.cut !== undefined) await report.message(`The list of models breaks off: ${map.cut}.`, "Warning");
    },
  });
