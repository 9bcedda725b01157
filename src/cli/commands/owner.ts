// `isthmus owner …`: claiming things, seeing what is asked of them, and deciding.

import { systemClock } from "#base/clock.ts";
import type { Answer, OwnerQuestion } from "#client/questions.ts";
import { type Category, categories, categoryNames } from "#contract/field.ts";
import { describeNode, parseNode, rootRef, sameNode } from "#contract/node.ts";
import { tokenKinds } from "#iot/provisioning-tokens.wire.ts";
import { bareJid, domainOf, isDomainJid } from "#xmpp/jid.ts";
import { confirm, isAsking } from "../ask.ts";
import { claimCode, readCode } from "../codes.ts";
import { type CommandBody, CommandError, type Invocation, UsageError } from "../command.ts";
import { type Client, personOptions, withClient } from "../connect.ts";

export const claim: CommandBody = {
  usage: "URI [--private] [--yes]",
  details: "URI is the text of the label's code: iotdisco:… Quote it, it holds semicolons.",
  options: {
    ...personOptions,
    private: { type: "boolean", help: "Do not list the thing in searches." },
    yes: { type: "boolean", help: "Do not ask whether the code is the right one." },
  },
  words: [1, 1],
  run: async call => {
    const code = claimCode(call.words[0] ?? "");
    return await withClient(call, async client => {
      if (isAsking(call) && !call.flag("yes")) await confirmClaim(call, client);
      const claimed = await client.owner.claim(code, !call.flag("private"), call.signal);
      call.out.value(claimed);
      const { ref, jid } = claimed;
      call.out.note(`You own ${sameNode(ref, rootRef) ? "the appliance" : `${describeNode(ref)} of`} ${jid} now.`);
      return 0;
    });
  },
};

/** A code on a label is anybody's text: where its KEY goes, and what it is said to be, is shown first (URI-SEC-03). */
async function confirmClaim(call: Invocation, client: Client): Promise<void> {
  const code = readCode(call.words[0] ?? "");
  if (code.kind !== "claim") return;
  const registry = await client.finder.registry(code.registry, call.signal);
  const said = code.tags.filter(({ name }) => name.toUpperCase() !== "KEY");
  call.out.line(`Registry: ${registry}`);
  call.out.line(`Thing:    ${said.map(({ name, value }) => `${name}=${value}`).join(" ") || "says nothing of itself"}`);
  call.out.line(`Listed:   ${call.flag("private") ? "no, only you know of it" : "yes, others find it in searches"}`);
  await confirm("Claim it?", "--yes", call);
}

/** Whose service is asked: things may be registered elsewhere than where their owner has his account. */
const placeOptions = {
  ...personOptions,
  at: { type: "string", value: "DOMAIN", help: "Domain of the things; that of the identity's appliance unless said." },
} as const;
function placeOf(client: Client, call: Invocation): string {
  const at = call.text("at");
  if (at !== undefined && !isDomainJid(at)) throw new UsageError(`--at is a domain, such as hub.example, not "${at}"`);
  return at ?? client.thingsDomain;
}

export const things: CommandBody = {
  usage: "[--at DOMAIN]",
  options: placeOptions,
  words: [0, 0],
  run: call =>
    withClient(call, async client => {
      const owned = await client.owner.things(call.signal, placeOf(client, call));
      for (const one of owned) call.out.value(one);
      const rows = owned.map(({ jid, ref, tags }) => [
        jid,
        describeNode(ref),
        tags.map(({ name, value }) => `${name}=${value}`).join(" "),
      ]);
      if (rows.length === 0) call.out.note("You own nothing here yet: claim a thing with `isthmus owner claim`.");
      else call.out.table(["Appliance", "Node", "Tags"], rows);
      return 0;
    }),
};

const settleMs = 1_500;

/** The service repeats open questions when the owner appears; they are in when none came for a while. */
async function openQuestions(client: Client, call: Invocation): Promise<OwnerQuestion[]> {
  const open: OwnerQuestion[] = [];
  using _ = client.owner.onQuestion(question => open.push(question), doubted(call));
  await client.owner.things(call.signal, placeOf(client, call));
  for (let before = -1; before !== open.length; ) {
    before = open.length;
    await systemClock.sleep(settleMs, call.signal);
  }
  return open;
}

/** Said, and not shown: what it asks is anybody's text. */
const doubted =
  (call: Invocation) =>
  ({ service }: OwnerQuestion, why: string): void =>
    call.out.note(`A question of ${service} is not believed: ${why}.`);

export const questions: CommandBody = {
  usage: "[--wait] [--at DOMAIN]",
  options: { ...placeOptions, wait: { type: "boolean", help: "Go on listening until Ctrl-C." } },
  words: [0, 0],
  run: call =>
    withClient(call, async client => {
      const open = await openQuestions(client, call);
      for (const question of open) show(call, question);
      call.out.note(open.length === 0 ? "No open questions." : "Decide one: isthmus owner answer KEY yes|no");
      if (!call.flag("wait")) return 0;
      using _ = client.owner.onQuestion(question => {
        if (!open.some(({ key }) => key === question.key)) show(call, question);
      }, doubted(call));
      await new Promise(resolve => call.signal.addEventListener("abort", resolve, { once: true }));
      return 0;
    }),
};

function show(call: Invocation, question: OwnerQuestion): void {
  call.out.value(question);
  call.out.line(`${nameOf(question).slice(0, 8)}  ${describeQuestion(question)}`);
}

/** The key as it can be typed: one that began with a hyphen would be taken for an option. */
const nameOf = ({ key }: OwnerQuestion): string => key.replace(/^-+/, "");

const verbs = { isFriend: "wants to be let in by", canRead: "wants to read", canControl: "wants to control" } as const;

export function describeQuestion({
  kind,
  remote,
  device,
  node,
  names,
  tokens,
  categories: asked,
}: OwnerQuestion): string {
  const what = kind === "isFriend" ? device : `${describeNode(node)} of ${device}`;
  const shown = tokenKinds.flatMap(of => tokens[of].map(token => `${of} token ${token}`));
  const which = [...names, ...categoryNames.filter(name => asked[name])];
  return `${remote} ${verbs[kind]} ${what}${which.length > 0 ? `: ${which.join(", ")}` : ""}${shown.length > 0 ? ` (${shown.join(", ")})` : ""}`;
}

export const answer: CommandBody = {
  usage: "KEY yes|no [--field NAME] [--for caller|domain|all|user|device|service]",
  details:
    "KEY is the first column of `isthmus owner questions`. Yes without --field or --category grants all that kind of access to that node.",
  options: {
    ...placeOptions,
    field: { type: "string", value: "NAME", multiple: true, help: "Only this field or parameter; may be given again." },
    category: {
      type: "string",
      value: "NAME",
      multiple: true,
      help: `Only this category: ${categoryNames.join(", ")}.`,
    },
    for: {
      type: "string",
      value: "WHOM",
      help: "caller (unless said), domain, all, or who has the shown token of a user, device or service.",
    },
  },
  words: [2, 2],
  run: call => {
    const [key = "", verdict = ""] = call.words;
    const range = call.text("for") ?? "caller";
    if (verdict !== "yes" && verdict !== "no") throw new UsageError(`say yes or no, not "${verdict}"`);
    if (!Object.hasOwn(ranges, range))
      throw new UsageError(`--for is ${Object.keys(ranges).join(", ")}, not "${range}"`);
    const chosen = call.texts("category");
    const unknown = chosen.find(name => !categoryNames.includes(name as Category));
    if (unknown !== undefined) throw new UsageError(`"${unknown}" is no category: say ${categoryNames.join(", ")}`);
    return withClient(call, async client => {
      const found = (await openQuestions(client, call)).filter(one => nameOf(one).startsWith(key));
      const [question, another] = found;
      if (question === undefined)
        throw new CommandError(`There is no open question ${key}: see \`isthmus owner questions\`.`);
      if (another !== undefined) throw new CommandError(`${key} begins several keys: give more of it.`);
      const limits = chosen.length === 0 ? {} : { categories: categories(...(chosen as Category[])) };
      await client.owner.answer(
        question,
        { allow: verdict === "yes", range: rangeOf(question, range as Range), names: call.texts("field"), ...limits },
        call.signal,
      );
      call.out.value({ answered: question.key, allow: verdict === "yes" });
      const only = [...call.texts("field"), ...chosen];
      const part = only.length > 0 ? `, only ${only.join(", ")}` : "";
      const whom = range === "caller" ? "" : `, for ${ranges[range as Range]}`;
      call.out.note(`Answered ${verdict}${part}${whom}: ${describeQuestion(question)}`);
      return 0;
    });
  },
};

/** What `--for` may say, and whom it means. */
const ranges = {
  caller: "him alone",
  domain: "everybody of his domain",
  all: "everybody",
  user: "who has the user token",
  device: "who has the device token",
  service: "who has the service token",
} as const;
type Range = keyof typeof ranges;

/** The one token of that kind that was shown: which of several is meant cannot be said in one word. */
function rangeOf({ tokens, kind }: OwnerQuestion, range: Range): Answer["range"] {
  if (range === "caller" || range === "domain" || range === "all") return range;
  const [token, another] = kind === "isFriend" ? [] : tokens[range];
  if (token === undefined) throw new CommandError(`No token of a ${range} came with this question.`);
  if (another !== undefined) throw new CommandError(`Several tokens of a ${range} came with this question.`);
  return { kind: range, token };
}

const rights: Readonly<Record<string, string>> = { isFriend: "be let in", canRead: "read", canControl: "control" };

export const rules: CommandBody = {
  usage: "[--delete [--all]] [--thing JID] [--node NODE[@PARTITION]] [--at DOMAIN]",
  details: "Deleting rules makes the next request a question again.",
  options: {
    ...placeOptions,
    delete: { type: "boolean", help: "Delete the rules of the thing that is named." },
    all: { type: "boolean", help: "With --delete: those of all one's things, without being asked." },
    thing: { type: "string", value: "JID", help: "Only this appliance." },
    node: { type: "string", value: "NODE", help: "Only this node of it." },
  },
  words: [0, 0],
  run: async call => {
    const jid = call.text("thing");
    const node = call.text("node");
    if (jid !== undefined && (bareJid(jid) === undefined || !/[@.]/.test(jid)))
      throw new UsageError(`--thing is the JID of an appliance, such as box@hub.example, not "${jid}"`);
    if (node !== undefined && jid === undefined) throw new UsageError("--node needs --thing: whose node is it?");
    if (call.flag("all") && !call.flag("delete"))
      throw new UsageError("--all goes with --delete: without it all are listed");
    if (call.flag("all") && jid !== undefined) throw new UsageError("say --all or --thing, not both");
    const of = { ...(jid === undefined ? {} : { jid }), ...(node === undefined ? {} : { ref: parseNode(node) }) };
    if (call.flag("delete") && jid === undefined && !call.flag("all"))
      await confirm("This deletes the rules of all your things. Continue?", "--all, or --thing JID", call);
    return withClient(call, async client => {
      if (call.flag("delete")) {
        await client.owner.deleteRules(of, call.signal, placeOf(client, call));
        call.out.value({ deleted: true });
        const whose = jid === undefined ? "all your things" : node === undefined ? jid : `${node} of ${jid}`;
        call.out.note(`All rules of ${whose} are deleted.`);
        return 0;
      }
      const list = await client.owner.rules(call.signal, jid === undefined ? placeOf(client, call) : domainOf(jid));
      const rows = list
        .filter(
          one => (jid === undefined || one.jid === jid) && (of.ref === undefined || one.ref.nodeId === of.ref.nodeId),
        )
        .map(one => {
          call.out.value(one);
          return [
            one.jid,
            describeNode(one.ref),
            rights[one.kind] ?? one.kind,
            one.origin,
            one.allow ? "yes" : "no",
            one.limits,
          ];
        });
      if (rows.length === 0) call.out.note("No rules yet: they are made by answering questions.");
      else call.out.table(["Appliance", "Node", "Right", "For", "Allowed", "Limits"], rows);
      return 0;
    });
  },
};
