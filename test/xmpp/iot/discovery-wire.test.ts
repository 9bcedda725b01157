// What the wire of discovery and provisioning refuses: schema faults that must never pass as something milder.

import { describe, expect, it } from "vitest";
import * as disco from "#iot/discovery.wire.ts";
import * as device from "#iot/provisioning-device.wire.ts";
import * as owner from "#iot/provisioning-owner.wire.ts";
import { type Codec, WireError } from "#xml/codec.ts";
import { parse } from "#xml/parser.ts";

const about = "jid='gw9@hub.example' remoteJid='bob@city.example' key='k'";
const answer = "xmlns='urn:nf:iot:prov:d:1.0' jid='bob@city.example' result='true'";

const faults: [string, Codec<unknown>, string, RegExp][] = [
  [
    "DISCO-TAG-01: a name twice, in another case",
    disco.register,
    "<register xmlns='d'><str name='A' value='1'/><num name='a' value='1'/></register>",
    /A stands twice/,
  ],
  [
    "DISCO-TAG-02: a blank in a name",
    disco.update,
    "<update xmlns='d'><str name='A B' value='1'/></update>",
    /str\[1\]@name/,
  ],
  [
    "DISCO-TAG-02: a colon in a name",
    disco.mine,
    "<mine xmlns='d'><num name='A:B' value='1'/></mine>",
    /num\[1\]@name/,
  ],
  [
    "DISCO-TAG-02: a long name",
    disco.mine,
    `<mine xmlns='d'><str name='${"A".repeat(65)}' value='1'/></mine>`,
    /@name/,
  ],
  [
    "DISCO-TAG-02: a long value",
    disco.register,
    `<register xmlns='d'><str name='A' value='${"x".repeat(129)}'/></register>`,
    /longer than 128/,
  ],
  [
    "COM-LEX-03: a number that is none",
    disco.register,
    "<register xmlns='d'><num name='V' value='NaN'/></register>",
    /finite number/,
  ],
  ["COM-LEX-08: a long id", disco.removed, `<removed xmlns='d' id='${"x".repeat(1025)}'/>`, /removed@id/],
  ["DISCO-ADDR-02: an address that is none", disco.remove, "<remove xmlns='d' jid='/x'/>", /remove@jid/],
  ["DISCO-SEARCH-04: no operator", disco.search, "<search xmlns='d'/>", /no operator/],
  [
    "DISCO-SEARCH-04: an unknown operator",
    disco.search,
    "<search xmlns='d'><strEq name='A' value='1'/><strLike name='A' value='1'/></search>",
    /strLike/,
  ],
  [
    "DISCO-SEARCH-04: maxCount below one",
    disco.search,
    "<search xmlns='d' maxCount='0'><strEq name='A' value='1'/></search>",
    /maxCount/,
  ],
  [
    "DISCO-SEARCH: an empty wildcard",
    disco.search,
    "<search xmlns='d'><strMask name='A' value='1' wildcard=''/></search>",
    /wildcard/,
  ],
  ["PROV-CANREAD-01: a quote in a token", device.canRead, "<canRead xmlns='d' jid='a@b' st='x&quot;y'/>", /canRead@st/],
  [
    "PROV-CANREAD-01: nine tokens",
    device.canRead,
    "<canRead xmlns='d' jid='a@b' ut='1 2 3 4 5 6 7 8 9'/>",
    /more than 8/,
  ],
  [
    "PROV-CANREAD: a node without id",
    device.canRead,
    "<canRead xmlns='d' jid='a@b'><nd src='x'/></canRead>",
    /nd\[1\]@id/,
  ],
  ["PROV-CANREAD: a field without name", device.canRead, "<canRead xmlns='d' jid='a@b'><f name='x'/></canRead>", /f@n/],
  [
    "PROV-CANCONTROL-03: an unknown child",
    device.canControlResponse,
    `<canControlResponse ${answer}><param n='x'/></canControlResponse>`,
    /param: not understood/,
  ],
  [
    "PROV-CANCONTROL-03: a child of another generation",
    device.canControlResponse,
    `<canControlResponse ${answer}><p xmlns='urn:nfi:iot:prov:d:1.0' n='x'/></canControlResponse>`,
    /p: not understood/,
  ],
  [
    "PROV-CANCONTROL-03: a child of the oldest dialect",
    device.canReadResponse,
    `<canReadResponse ${answer} m='1'><node xmlns='urn:xmpp:iot:provisioning' nodeId='x'/></canReadResponse>`,
    /node: not understood/,
  ],
  [
    "PROV-CANCONTROL-03: parameters in an answer about fields",
    device.canReadResponse,
    `<canReadResponse ${answer} m='1'><p n='x'/></canReadResponse>`,
    /p: not understood/,
  ],
  ["PROVO-RULE-06: no origin", owner.canReadRule, `<canReadRule xmlns='o' ${about} result='true'/>`, /no origin/],
  [
    "PROVO-RULE-06: two origins",
    owner.canReadRule,
    `<canReadRule xmlns='o' ${about} result='true'><fromJid/><all/></canReadRule>`,
    /more than one origin/,
  ],
  [
    "PROVO-RULE-06: an origin twice",
    owner.canControlRule,
    `<canControlRule xmlns='o' ${about} result='true'><fromJid/><fromJid/></canControlRule>`,
    /more than one origin/,
  ],
  [
    "PROVO-RULE-06: a token origin without token",
    owner.canReadRule,
    `<canReadRule xmlns='o' ${about} result='true'><fromUser/></canReadRule>`,
    /fromUser@token/,
  ],
  [
    "PROVO-RULE-06: an unknown range",
    owner.isFriendRule,
    `<isFriendRule xmlns='o' ${about} result='true' range='Everybody'/>`,
    /range/,
  ],
  [
    "PROVO-RULE-05: a grant limited to nothing",
    owner.canReadRule,
    `<canReadRule xmlns='o' ${about} result='true'><partial m='false'/><fromJid/></canReadRule>`,
    /limits nothing/,
  ],
  [
    "PROVO-RULE-05: a grant limited to no parameter",
    owner.canControlRule,
    `<canControlRule xmlns='o' ${about} result='true'><partial/><fromJid/></canControlRule>`,
    /limits nothing/,
  ],
  [
    "PROVO-RULE-04: two limits",
    owner.canReadRule,
    `<canReadRule xmlns='o' ${about} result='true'><partial m='1'/><partial p='1'/><fromJid/></canReadRule>`,
    /more than one/,
  ],
  [
    "PROVO-RULE: no result",
    owner.canReadRule,
    `<canReadRule xmlns='o' ${about}><fromJid/></canReadRule>`,
    /@result: missing/,
  ],
];

describe("refused", () => {
  it.each(faults)("%s", (_, codec, xml, message) => {
    expect(() => codec.decode(parse(xml))).toThrow(WireError);
    expect(() => codec.decode(parse(xml))).toThrow(message);
  });

  it("DISCO-TAG-02: a product page may be longer, to 256", () => {
    const page = (chars: number) =>
      parse(`<register xmlns='d'><str name='purl' value='${"x".repeat(chars)}'/></register>`);
    expect(disco.register.decode(page(256)).tags).toHaveLength(1);
    expect(() => disco.register.decode(page(257))).toThrow(WireError);
  });
});

describe("forms of parameter names", () => {
  it("COM-AUTH-11, PROV-CANCONTROL-01: the schema's to the published generation or when told so, both to the others", () => {
    expect([device.askedForm("nfi"), device.askedForm("nf"), device.askedForm("ieee")]).toEqual(["p", "both", "both"]);
    expect(device.askedForm("nf", true)).toBe("p");
  });

  it("PROV-RESP-02: an answer keeps the form of the question; without one, p alone to the published generation only", () => {
    expect(device.answeredForm("nf", "parameter")).toBe("parameter");
    expect(device.answeredForm("nf", "p")).toBe("p");
    expect([
      device.answeredForm("nfi", "none"),
      device.answeredForm("nf", "none"),
      device.answeredForm("ieee", "none"),
    ]).toEqual(["p", "both", "both"]);
  });

  it("PROVO-Q-03: questions to owners name parameters straight, and in the wrapper too for the published generation", () => {
    expect([owner.placementFor("nfi"), owner.placementFor("nf"), owner.placementFor("ieee")]).toEqual([
      "both",
      "direct",
      "direct",
    ]);
  });
});
