// Every command of the program, in the order of the overview. Each is loaded when it is called: the appliance shall not carry
// the demonstration in its memory for years.

import type { CommandBody } from "./command.ts";

export interface Listed {
  readonly name: string;
  readonly summary: string;
  load(): Promise<CommandBody>;
}

const owner = () => import("./commands/owner.ts");
const node = () => import("./commands/node.ts");
const execute = () => import("./commands/execute.ts");
const roles = () => import("./commands/roles.ts");
const contacts = () => import("./commands/contacts.ts");
const token = () => import("./commands/token.ts");
const profile = () => import("./commands/profile.ts");

export const commands: readonly Listed[] = [
  {
    name: "setup",
    summary: "Make the boot file of an appliance, from its invite.",
    load: async () => (await import("./commands/setup.ts")).setup,
  },
  { name: "run", summary: "Run the appliance.", load: async () => (await import("./commands/run.ts")).run },
  {
    name: "demo",
    summary: "Show the whole thing on this machine, with simulated devices.",
    load: async () => (await import("./commands/demo.ts")).demo,
  },
  {
    name: "status",
    summary: "Show how the appliance on this machine is doing.",
    load: async () => (await import("./commands/status.ts")).status,
  },
  {
    name: "nodes",
    summary: "List the nodes one may see.",
    load: async () => (await import("./commands/nodes.ts")).nodes,
  },
  {
    name: "tree",
    summary: "Show the nodes as a tree, and how each is doing.",
    load: async () => (await import("./commands/tree.ts")).tree,
  },
  { name: "node types", summary: "List what can be added below a node.", load: async () => (await node()).nodeTypes },
  { name: "node add", summary: "Add a node.", load: async () => (await node()).nodeAdd },
  { name: "node edit", summary: "Change a node, or several together.", load: async () => (await node()).nodeEdit },
  { name: "node move", summary: "Move nodes up or down.", load: async () => (await node()).nodeMove },
  { name: "node remove", summary: "Remove nodes.", load: async () => (await node()).nodeRemove },
  { name: "read", summary: "Read values of nodes, now.", load: async () => (await import("./commands/read.ts")).read },
  {
    name: "watch",
    summary: "Read values of nodes again and again, until Ctrl-C.",
    load: async () => (await import("./commands/read.ts")).watch,
  },
  {
    name: "subscribe",
    summary: "Be told of values as they change, until Ctrl-C.",
    load: async () => (await import("./commands/subscribe.ts")).subscribe,
  },
  {
    name: "set",
    summary: "Set control parameters of a node.",
    load: async () => (await import("./commands/set.ts")).set,
  },
  {
    name: "commands",
    summary: "List what a node can be told to do.",
    load: async () => (await execute()).commandsOf,
  },
  { name: "run-command", summary: "Tell a node to do something.", load: async () => (await execute()).runCommand },
  { name: "query", summary: "Ask a node for a report: a scan, statistics.", load: async () => (await execute()).query },
  {
    name: "doctor",
    summary: "Say how the field lines are doing, and what is likely wrong with them.",
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  {
    name: "sniff",
    summary: "Listen to what is said on a node's line.",
    load: async () => (await import("./commands/sniff.ts")).sniff,
  },
  {
    name: "labels",
    summary: "Make labels with the codes to claim things with.",
    load: async () => (await import("./commands/labels.ts")).labels,
  },
  {
    name: "reset",
    summary: "Make the appliance on this machine as new, when its owner is gone.",
    load: async () => (await import("./commands/reset.ts")).reset,
  },
  {
    name: "why",
    summary: "Say why somebody may, or may not, read or control a node, or be let in.",
    load: async () => (await import("./commands/why.ts")).why,
  },
  { name: "roles list", summary: "List who else has rights here.", load: async () => (await roles()).rolesList },
  { name: "roles grant", summary: "Give somebody a role.", load: async () => (await roles()).rolesGrant },
  { name: "roles revoke", summary: "Take a role back.", load: async () => (await roles()).rolesRevoke },
  {
    name: "search",
    summary: "Find public things in a registry, by what they say of themselves.",
    load: async () => (await import("./commands/search.ts")).search,
  },
  {
    name: "contacts list",
    summary: "List who is let in, asks, or is blocked.",
    load: async () => (await contacts()).contactsList,
  },
  { name: "contacts accept", summary: "Let in who has asked.", load: async () => (await contacts()).contactsAccept },
  {
    name: "contacts decline",
    summary: "Turn away who has asked.",
    load: async () => (await contacts()).contactsDecline,
  },
  {
    name: "contacts block",
    summary: "Keep an address or a domain out.",
    load: async () => (await contacts()).contactsBlock,
  },
  { name: "contacts unblock", summary: "Hear an address again.", load: async () => (await contacts()).contactsUnblock },
  {
    name: "contacts pair",
    summary: "Make a code that lets somebody in once.",
    load: async () => (await contacts()).contactsPair,
  },
  { name: "events to", summary: "Say where events are sent to.", load: async () => (await contacts()).eventsTo },
  {
    name: "owner claim",
    summary: "Claim a thing with the code of its label.",
    load: async () => (await owner()).claim,
  },
  { name: "owner things", summary: "List the things one owns.", load: async () => (await owner()).things },
  {
    name: "owner questions",
    summary: "List what was asked of one's things and not decided yet.",
    load: async () => (await owner()).questions,
  },
  { name: "owner answer", summary: "Decide a question.", load: async () => (await owner()).answer },
  {
    name: "owner rules",
    summary: "List the rules of one's things, or delete them.",
    load: async () => (await owner()).rules,
  },
  {
    name: "owner disown",
    summary: "Give a thing up, so that somebody else can claim it.",
    load: async () => (await import("./commands/disown.ts")).disown,
  },
  {
    name: "decode mbus",
    summary: "Say what an M-Bus telegram means.",
    load: async () => (await import("./commands/decode.ts")).decodeMbusCommand,
  },
  {
    name: "decode modbus",
    summary: "Say what a Modbus frame means.",
    load: async () => (await import("./commands/decode.ts")).decodeModbusCommand,
  },
  {
    name: "profile list",
    summary: "List the meters the program knows.",
    load: async () => (await profile()).profileList,
  },
  {
    name: "profile show",
    summary: "Print a profile, to start one's own from.",
    load: async () => (await profile()).profileShow,
  },
  {
    name: "profile test",
    summary: "Check profiles and run their examples.",
    load: async () => (await profile()).profileTest,
  },
  { name: "token get", summary: "Get a token for a key of one's own.", load: async () => (await token()).tokenGet },
  { name: "token show", summary: "Say what a token stands for.", load: async () => (await token()).tokenShow },
  { name: "token list", summary: "List one's tokens.", load: async () => (await token()).tokenList },
  {
    name: "identity add",
    summary: "Remember an account to act as.",
    load: async () => (await import("./commands/identity.ts")).identityAdd,
  },
  {
    name: "identity list",
    summary: "List the accounts one can act as.",
    load: async () => (await import("./commands/identity.ts")).identityList,
  },
  {
    name: "identity services",
    summary: "List the services one deals with, or have one learned anew.",
    load: async () => (await import("./commands/identity.ts")).identityServices,
  },
];
