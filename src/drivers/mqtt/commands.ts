// What an MQTT broker and its topics can be told to do: list the topics that are spoken on, and show the last messages. What is
// overheard is shown as text, with what looks like a credential taken out.

import * as z from "zod";
import type { Clock } from "#base/clock.ts";
import { type Command, query, queryWith } from "#contract/command.ts";
import { flagCell, integerCell, type Report, textCell, timeCell } from "#contract/report.ts";
import type { SniffedItem } from "#contract/sniff.ts";
import { frameOctetsShownMax, topicsSeenMax } from "#limits.ts";
import { resetCommand } from "../line-commands.ts";
import { type BrokerSettings, type MqttBroker, type MqttMessage, overhear, type Passing } from "./broker.ts";

const words = {
  search: "Search",
  service: "Service",
  list: "List the topics that are spoken on",
  seconds: "Seconds",
  secondsHelp: "How long to listen; devices that speak rarely need longer.",
  filter: "Topics",
  filterHelp: "# for all, or a filter such as building/+/state.",
  listening: "Listening.",
  found: "Topics",
  topic: "Topic",
  messages: "Messages",
  retained: "Retained",
  last: "Last message",
  time: "Time",
  none: "Nothing was said. Listen longer, or check what the broker lets this user hear.",
  more: "There are more topics than are listed: narrow the filter.",
  show: "Show the last messages",
  nothing: "No message was received since the topic was opened.",
};

const listSettings = z.object({
  seconds: z
    .int()
    .min(1)
    .max(600)
    .default(10)
    .meta({ title: words.seconds, description: words.secondsHelp, page: words.search }),
  filter: z
    .string()
    .min(1)
    .max(1024)
    .regex(/^(?!\$share\/)[^\0]*$/, "a topic filter")
    .default("#")
    .meta({ title: words.filter, description: words.filterHelp, page: words.search }),
});

export function withCommands(broker: MqttBroker, settings: BrokerSettings, clock: Clock): MqttBroker {
  const commands: readonly Command[] = [
    queryWith({
      id: "ListTopics",
      title: words.list,
      sort: { category: words.search, key: "1" },
      settings: listSettings,
      query: (values, report, signal) => listTopics(settings, values, report, clock, signal),
    }),
    resetCommand(async () => broker[Symbol.asyncDispose]()),
  ];
  // Not copied: `isOpen` is asked anew each time.
  return Object.assign(broker, {
    commands,
    sniff: (signal: AbortSignal) => sniffTopic(broker, () => true, signal),
  });
}

export const topicCommands = (recent: () => readonly MqttMessage[]): readonly Command[] => [
  query({
    id: "LastFrames",
    title: words.show,
    sort: { category: words.service, key: "5" },
    async query(report) {
      await report.title(words.show);
      const messages = recent();
      if (messages.length === 0) return report.message(words.nothing);
      const table = await report.table(words.show, [
        { columnId: "time", header: words.time },
        { columnId: "retained", header: words.retained },
        { columnId: "message", header: words.last },
      ]);
      for (const { at, retained, payload } of messages) {
        await table.row(timeCell(at), flagCell(retained), textCell(shown(payload)));
      }
      await table.done();
    },
  }),
];

/** From this call on. */
export function sniffTopic(
  { passing }: MqttBroker,
  isMeant: (topic: string) => boolean,
  signal: AbortSignal,
): AsyncGenerator<SniffedItem> {
  let lost = 0;
  const heard = passing.listen(signal, count => {
    lost += count;
  });
  return items();
  async function* items(): AsyncGenerator<SniffedItem> {
    try {
      for await (const { topic, direction, payload, at } of heard as AsyncIterable<Passing>) {
        if (lost > 0) yield { at, kind: "warning", text: `${lost} messages were dropped.` };
        lost = 0;
        if (isMeant(topic)) yield { at, kind: direction, text: `${topic}: ${shown(payload)}` };
      }
    } finally {
      await heard.return?.();
    }
  }
}

async function listTopics(
  settings: BrokerSettings,
  { seconds, filter }: z.output<typeof listSettings>,
  report: Report,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  await report.title(words.list);
  await report.status(words.listening);
  const seen = new Map<string, { count: number; last: MqttMessage }>();
  let more = false;
  const take = (topic: string, last: MqttMessage) => {
    const known = seen.get(topic);
    if (known === undefined && seen.size >= topicsSeenMax) more = true;
    else seen.set(topic, { count: (known?.count ?? 0) + 1, last });
  };
  await overhear(settings, filter, seconds * 1000, take, clock, signal);
  const table = await report.table(words.found, [
    { columnId: "topic", header: words.topic },
    { columnId: "messages", header: words.messages, alignment: "Right" },
    { columnId: "time", header: words.time },
    { columnId: "retained", header: words.retained },
    { columnId: "last", header: words.last },
  ]);
  for (const [topic, { count, last }] of [...seen].sort(([a], [b]) => (a < b ? -1 : 1))) {
    await table.row(
      textCell(topic),
      integerCell(count),
      timeCell(last.at),
      flagCell(last.retained),
      textCell(shown(last.payload)),
    );
  }
  await table.done();
  if (seen.size === 0) await report.message(words.none, "Warning");
  if (more) await report.message(words.more, "Warning");
}

const credential =
  /("?(?:pass(?:word|wd)?|secret|token|api[_-]?key|psk|wifi_?key|credential)s?"?\s*[:=]\s*)("(?:[^"\\]|\\.)*"|[^\s,;&}]+)/gi;

/** Text where it is text, else its length; cut, and without what looks like a credential (CON-SNIFF-05, -07). */
export function shown(payload: Uint8Array): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(payload);
  } catch {
    return `${payload.length} octets`;
  }
  if (/[\u0000-\u0008\u000e-\u001f]/.test(text)) return `${payload.length} octets`;
  // Masked before it is cut: half a credential is one too.
  const masked = text.replace(credential, "$1***");
  return masked.length > frameOctetsShownMax ? `${masked.slice(0, frameOctetsShownMax)}…` : masked;
}
