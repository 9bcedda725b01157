// An explanation as sentences for a person. They say nothing that is not in it; times are those of the appliance's zone.

import type { Explained } from "./admission.ts";
import type { Basis, Remembered, ServiceBasis } from "./basis.ts";
import { categoryNames } from "./contract/field.ts";
import { describeNode } from "./contract/node.ts";
import type { Explanation } from "./explaining.ts";
import { isWhole } from "./role-rules.ts";
import { type Line, time } from "./why-line.ts";
import { shownTokens } from "./why-tokens.ts";

const words = {
  whole: "The whole appliance.",
};

export const sentences = (one: Explanation): string[] =>
  [...verdict(one), ...gate(one), ...reasons(one), ...shownTokens(one), ...limits(one), ...device(one)].map(
    ({ text }) => text,
  );

function verdict({ asked: { caller, right, field }, answer, node }: Explanation): Line[] {
  const what = field === undefined ? describeNode(node) : `${field} / ${describeNode(node)}`;
  const said = {
    read: {
      yes: { text: `Yes: ${caller} may read ${what}.` },
      part: { text: `In part: ${caller} may read some of ${what}.` },
      no: { text: `No: ${caller} may not read ${what}.` },
      asked: { text: `Not decided: when ${caller} reads ${what}, the owner's service is asked.` },
    },
    control: {
      yes: { text: `Yes: ${caller} may control ${what}.` },
      part: { text: `In part: ${caller} may control some of ${what}.` },
      no: { text: `No: ${caller} may not control ${what}.` },
      asked: { text: `Not decided: when ${caller} controls ${what}, the owner's service is asked.` },
    },
    friend: {
      yes: { text: `Yes: ${caller} is let in.` },
      part: { text: `Yes: ${caller} is let in.` },
      no: { text: `No: ${caller} is not let in.` },
      asked: { text: `Not decided: when ${caller} asks to be let in, the owner's service is asked.` },
    },
  };
  return [said[right][answer]];
}

function gate({ asked: { caller, right }, letIn, view, decided }: Explanation): Line[] {
  if (right === "friend") {
    const isAnew = typeof decided === "object" && decided.granted !== undefined;
    return letIn && !isAnew
      ? [{ text: `It was decided before, and ${caller} stays in until that is taken back.` }]
      : [];
  }
  if (letIn === false)
    return [{ text: `The appliance does not let ${caller} in: whatever comes from there is refused unread.` }];
  if (view === "nobody" || (view !== undefined && view.granted === undefined))
    return [{ text: `To ${caller} it looks as if there were no such node: no rule lets this be seen.` }];
  return [];
}

function reasons({ asked, decided, view }: Explanation): Line[] {
  if (decided === undefined) return [];
  const seen = view === undefined || view === "nobody" ? [] : seenBy(view, asked.caller, decided);
  if (decided === "nobody")
    return [...seen, { text: `No rule speaks for ${asked.caller}: what nobody allows is refused.` }];
  const { because, deny } = decided;
  return [
    ...seen,
    ...(because === undefined ? [] : basis(because, asked.caller)),
    ...(deny === undefined || isSaid(because) ? [] : [{ text: deny }]),
  ];
}

/** What was to be said of the refusal is in what it goes by. */
function isSaid(because: Basis | undefined): boolean {
  if (because?.kind !== "service") return false;
  const { state, known } = because;
  return state === "open" || (known !== undefined && !known.isOlder && !known.decision.allow);
}

/** Where seeing has another reason than what follows. */
const seenBy = ({ because }: Explained, caller: string, decided: Explained | "nobody"): Line[] =>
  because?.kind === "contact" && (decided === "nobody" || decided.because?.kind !== "contact")
    ? [{ text: `It is seen by ${caller} as by any contact.` }]
    : [];

function basis(because: Basis, caller: string): Line[] {
  switch (because.kind) {
    case "owner":
      if (because.of === "node") return [{ text: `It is owned by ${caller}.` }];
      if (because.of === "appliance")
        return [{ text: `The appliance is owned by ${caller}, and this by nobody else.` }];
      return [{ text: `Something of this appliance is owned by ${caller}.` }];
    case "decider":
      return [
        { text: `It is ${caller} who decides for the owners: he sees whether the appliance is there, and no more.` },
      ];
    case "registry":
      return [{ text: `It is ${caller} who keeps the register: he sees whether the appliance is there, and no more.` }];
    case "contact":
      return [{ text: `It is seen by ${caller} as by any contact.` }];
    case "role":
      return role(because);
    case "service":
      return service(because);
  }
}

function role({ role: { jid, role: name, by, at, until, node } }: Extract<Basis, { kind: "role" }>): Line[] {
  const place = isWhole(node) ? words.whole : describeNode(node);
  const given: Line =
    name === "installer"
      ? { text: `Since ${time(at)}, ${jid} is an installer by the word of ${by}. Place: ${place}` }
      : { text: `Since ${time(at)}, ${jid} is a viewer by the word of ${by}. Place: ${place}` };
  const end: Line =
    until === undefined
      ? { text: "The role holds until it is taken back." }
      : { text: `The role ends on ${time(until)}.` };
  return [given, end];
}

function service({ service: jid, known, state, failed, isAsked }: ServiceBasis): Line[] {
  const lines: Line[] =
    known === undefined ? [{ text: `Of ${jid} there is no answer that still holds.` }] : heard(jid, known);
  if (known?.isOlder) {
    lines.push(
      state === "open"
        ? { text: "It is an older answer: the service is asked anew before it counts." }
        : { text: "It is an older answer, and counts because the service cannot be reached." },
    );
  }
  if (failed !== undefined) lines.push(failure(failed.failed, time(failed.at), jid));
  if (isAsked) lines.push({ text: `At this moment ${jid} is being asked.` });
  return lines;
}

function heard(jid: string, { decision }: Remembered): Line[] {
  const { allow, fetchedAt, expiresAt, denials } = decision;
  if (allow) return [{ text: `On ${time(fetchedAt)}, ${jid} said yes; that holds until ${time(expiresAt)}.` }];
  const said = { text: `On ${time(fetchedAt)}, ${jid} said no; from ${time(expiresAt)} on it is asked again.` };
  return denials > 1 ? [said, { text: `It said so ${denials} times in a row.` }] : [said];
}

function failure(failed: "away" | "invalid" | "refused" | "overtaken", at: string, jid: string): Line {
  switch (failed) {
    case "away":
      return { text: `On ${at}, ${jid} was asked and could not be reached.` };
    case "invalid":
      return { text: `On ${at}, ${jid} was asked and gave no valid answer.` };
    case "refused":
      return { text: `On ${at}, ${jid} was asked and answered with an error.` };
    case "overtaken":
      return { text: `On ${at}, ${jid} was asked, and rights changed before it answered.` };
  }
}

function limits(one: Explanation): Line[] {
  const { asked, isAsLast } = one;
  if (asked.right === "friend") return [];
  const { left, cut } = limitsOf(one);
  const last: Line[] = isAsLast ? [{ text: `As last asked: ${list(one.question, asked.right)}` }] : [];
  const isNamed = typeof one.decided === "object" && (one.decided.granted?.names.length ?? 0) > 0;
  const others: Line[] =
    one.question.names.length === 0 && isNamed ? [{ text: "No other fields or parameters are granted." }] : [];
  const gone: Line[] = cut.length === 0 ? [] : [{ text: `Not granted: ${cut.join(", ")}` }];
  if (gone.length + others.length === 0) return last;
  return [...last, { text: `Left of it: ${left.join(", ")}` }, ...gone, ...others];
}

/** "Energy, momentary"; "all" where nothing limits it. */
function list({ categories, names }: Explanation["question"], right: string): string {
  const limited = [...names, ...(right === "read" ? categoryNames.filter(name => categories[name]) : [])];
  return limited.length === 0 ? "all" : limited.join(", ");
}

/** What of the question was granted and what was not, by name; both empty where all was, or nothing. */
export function limitsOf({ decided, question, asked: { right } }: Explanation): { left: string[]; cut: string[] } {
  const granted = typeof decided === "object" ? decided.granted : undefined;
  if (granted === undefined) return { left: [], cut: [] };
  const asked = right === "read" ? categoryNames.filter(name => question.categories[name]) : [];
  const isGranted = (name: string) => granted.names.length === 0 || granted.names.includes(name);
  const cut = [...question.names.filter(name => !isGranted(name)), ...asked.filter(name => !granted.categories[name])];
  return { left: [...granted.names, ...asked.filter(name => granted.categories[name])], cut };
}

/** How its line treats it, as the breaker of a line says it; other drivers may say it in other words. */
export function treatment(state: string): Line {
  const [, span] = /^resting, next try in (.+)$/.exec(state) ?? [];
  if (span !== undefined) return { text: `Its line lets it rest after failures. Next try in: ${span}` };
  if (state === "resting, next try when asked")
    return { text: "Its line lets it rest after failures, and tries it when somebody asks." };
  if (state === "being tried") return { text: "Its line is trying it at this moment." };
  return { text: `Its line says of it: ${state}` };
}

function device({ fault, state, answer }: Explanation): Line[] {
  if (answer === "no") return [];
  return [
    ...(fault === undefined ? [] : [{ text: `Who may ask gets no values now: ${fault}` }]),
    ...(state === undefined ? [] : [treatment(state)]),
  ];
}
