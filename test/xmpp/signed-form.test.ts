// Signatures of forms (XEP-0348): the vectors of our notes, and the form as the appliance fills it in.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Element, elements, textOf } from "#xml/element.ts";
import { parse } from "#xml/parser.ts";
import { fill, type Signing } from "#xmpp/registration-form.ts";
import { escapeValue, type SignedField, signatureFields, signatureOf, signatureType } from "#xmpp/signed-form.ts";

const asFields = (values: Record<string, string>): SignedField[] =>
  Object.entries(values).map(([name, value]) => ({ name, values: [value] }));
const example = {
  FORM_TYPE: signatureType,
  oauth_version: "1.0",
  oauth_signature_method: "HMAC-SHA1",
  oauth_token: "tok-1",
  oauth_token_secret: "tsec=1",
  oauth_nonce: "00112233445566778899aabbccddeeff",
  oauth_timestamp: "1767225600",
  oauth_consumer_key: "batch-07",
  oauth_signature: "",
  username: "edge-7f3a",
  password: "p@ss w0rd+x",
};
const secrets = { key: "s3cr/et&key", token: "tsec=1" };
const forNobody = "FLS4UvDgtgn3HCDwh3CNQ2DJAgQ%3D";

describe("the signature", () => {
  it("ACC-SIG-02, ACC-SIG-03, ACC-SIG-04: the vectors, for nobody and for the domain", () => {
    expect(escapeValue(signatureOf(asFields(example), "", secrets))).toBe(forNobody);
    expect(escapeValue(signatureOf(asFields(example), "broker.example", secrets))).toBe(
      "BBqY58b0PV%2BcBH%2FRr%2FwEDJrBJRk%3D",
    );
  });

  it("ACC-SIG-02: the order of the fields does not matter, and all but two of them do", () => {
    const right = signatureOf(asFields(example), "", secrets);
    expect(signatureOf(asFields(example).toReversed(), "", secrets)).toBe(right);
    for (const name of Object.keys(example)) {
      const changed = signatureOf(asFields({ ...example, [name]: "other" }), "", secrets);
      const isSigned = name !== "oauth_token_secret" && name !== "oauth_signature";
      expect(changed !== right, name).toBe(isSigned);
    }
    expect(signatureOf(asFields({ ...example, more: "" }), "", secrets)).not.toBe(right);
  });

  it("ACC-SIG-02: values are composed, in UTF-8, all escaped but letters, digits and - . _ ~; several joined by a line feed", () => {
    expect(escapeValue("aZ09-._~")).toBe("aZ09-._~");
    expect(escapeValue("p@ss w0rd+x*'()!")).toBe("p%40ss%20w0rd%2Bx%2A%27%28%29%21");
    expect(escapeValue("e\u0301\u{1f511}")).toBe("%C3%A9%F0%9F%94%91");
    // Half a character is none; it must not end the program.
    expect(escapeValue("\ud800")).toBe("%EF%BF%BD");
    const several = [{ name: "a", values: ["1", "2"] }];
    expect(signatureOf(several, "", secrets)).toBe(signatureOf(asFields({ a: "1\n2" }), "", secrets));
  });

  it("ACC-SIG-05: sorted by code, which is by code of the escaped text, capitals first", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ minLength: 1, maxLength: 6 }), { minLength: 2, maxLength: 6 }), names => {
        const fields = names.map(name => ({ name, values: ["v"] }));
        const turned = [...fields.slice(1), ...fields.slice(0, 1)];
        expect(signatureOf(turned, "", secrets)).toBe(signatureOf(fields, "", secrets));
      }),
    );
    const lower = signatureOf(asFields({ FORM_TYPE: "x", a: "y" }), "", secrets);
    expect(lower).toBe(signatureOf(asFields({ a: "y", FORM_TYPE: "x" }), "", secrets));
  });
});

describe("the form, filled in", () => {
  const field = (name: string, value?: string, more = "") =>
    `<field var='${name}' ${more}>${value === undefined ? "" : `<value>${value}</value>`}</field>`;
  const formWith = (fields: string) =>
    parse(`<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='form'>${fields}</x></query>`);
  const offered = (change: Record<string, string | undefined> = {}) =>
    formWith(
      Object.entries({
        ...Object.fromEntries(signatureFields.map(name => [name, ""])),
        FORM_TYPE: signatureType,
        oauth_token: "tok-1",
        oauth_token_secret: "tsec=1",
        username: "",
        password: "",
        ...change,
      })
        .map(([name, value]) => (value === undefined ? "" : field(name, value, "type='hidden'")))
        .join(""),
    );
  /** The form with these fields after its own. */
  const withFields = (query: Element, fields: string): Element => {
    const more = elements(parse(`<x xmlns='jabber:x:data'>${fields}</x>`));
    const extended = elements(query).map(x => ({ ...x, children: [...x.children, ...more] }));
    return { ...query, children: extended };
  };
  const credentials = { username: "edge-7f3a", password: "p@ss w0rd+x" };
  const apiKey = { id: "batch-07", secret: "s3cr/et&key" };
  const signing: Signing = {
    apiKey,
    allowUnsigned: false,
    now: 1_767_225_600,
    nonce: "00112233445566778899aabbccddeeff",
  };
  const submitted = (query: ReturnType<typeof parse>): Record<string, string | undefined> =>
    Object.fromEntries(
      elements(elements(query)[0] as never).map(one => [one.attrs.var, elements(one).map(textOf).join("\n")]),
    );

  it("ACC-SIG-01, ACC-SIG-04: key, time, nonce, version and method; token and its secret as they came; the vector's signature", () => {
    expect(submitted(fill(offered(), credentials, signing))).toEqual({ ...example, oauth_signature: forNobody });
  });

  it("ACC-SIG-01: nonces have 128 random bits, and no two are the same", () => {
    const { nonce: _, ...random } = signing;
    const nonces = Array.from({ length: 50 }, () => submitted(fill(offered(), credentials, random)).oauth_nonce ?? "");
    expect(new Set(nonces).size).toBe(50);
    expect(nonces.every(one => /^[0-9a-f]{32}$/.test(one))).toBe(true);
  });

  it("ACC-SIG-05: what has no name, and what is fixed, is neither sent nor signed", () => {
    const query = withFields(
      offered(),
      "<field type='fixed'><value>Hi</value></field><field var='note' type='fixed'><value>Hi</value></field>",
    );
    expect(submitted(fill(query, credentials, signing))).toEqual({ ...example, oauth_signature: forNobody });
  });

  it("ACC-SIG-06: another method than HMAC-SHA1 is refused, one among others taken", () => {
    for (const method of ["PLAINTEXT", "RSA-SHA1"]) {
      const query = offered({ oauth_signature_method: method });
      expect(() => fill(query, credentials, signing)).toThrow(`wants forms signed by ${method}; only HMAC-SHA1`);
    }
    const options = ["PLAINTEXT", "HMAC-SHA1"].map(one => `<option><value>${one}</value></option>`).join("");
    const some = withFields(
      offered({ oauth_signature_method: undefined }),
      `<field var='oauth_signature_method' type='list-single'>${options}</field>`,
    );
    expect(submitted(fill(some, credentials, signing)).oauth_signature_method).toBe("HMAC-SHA1");
  });

  it("ACC-IBR-06: with a key, a form that asks for no signature is not filled in, unless that is allowed", () => {
    const plain = formWith(field("username") + field("password"));
    const legacy = parse("<query xmlns='jabber:iq:register'><username/><password/></query>");
    for (const query of [plain, legacy]) {
      expect(() => fill(query, credentials, signing)).toThrow(/asks for no signature.*Nothing was sent; allowUnsigned/);
      expect(() => fill(query, credentials, { ...signing, allowUnsigned: true })).not.toThrow();
    }
    const lacking = offered({ oauth_nonce: undefined });
    expect(() => fill(lacking, credentials, { ...signing, allowUnsigned: true })).toThrow(/lacks oauth_nonce/);
    expect(() => fill(offered(), credentials)).toThrow(/none is configured here \(apiKey, apiSecretFile\)/);
  });

  it("ACC-THR-06: the time of the broker, verified by TLS, is signed where ours is far from it; nonsense is not", () => {
    const time = (said: string) =>
      submitted(fill(offered({ oauth_timestamp: said }), credentials, signing)).oauth_timestamp;
    expect(time("1767229200")).toBe("1767229200");
    expect(time("1767225630")).toBe("1767225600");
    for (const nonsense of ["", "soon", "-1", "99999999999999"]) expect(time(nonsense)).toBe("1767225600");
  });
});
