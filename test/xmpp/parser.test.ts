// The parser's rules one by one: what it takes, what it refuses and as what, and what larger than allowed costs.

import { describe, expect, it } from "vitest";
import { type Element, element, textOf } from "#xml/element.ts";
import { createParser, parse, type XmlLimits } from "#xml/parser.ts";
import { XmlError } from "#xml/tags.ts";

const kindOf = (text: string, limits?: XmlLimits): string => {
  try {
    parse(text, limits);
    return "accepted";
  } catch (error) {
    if (error instanceof XmlError) return error.kind;
    throw error;
  }
};
const limits: XmlLimits = { charsMax: 1_000, depthMax: 5, elementsMax: 20, attributesMax: 4 };

/** A stream fed in pieces: what came out of it, in order. */
function feed(
  pieces: Iterable<string>,
  skip = true,
): { elements: Element[]; large: [string, string][]; closed: boolean } {
  const out = { elements: [] as Element[], large: [] as [string, string][], closed: false };
  const parser = createParser(
    {
      element: node => void out.elements.push(node),
      ...(skip && { tooLarge: (node: Element, why: string) => void out.large.push([node.attrs.id ?? "", why]) }),
      closed: () => {
        out.closed = true;
      },
    },
    limits,
    1,
  );
  for (const piece of pieces) parser.write(piece);
  return out;
}

describe("what is taken", () => {
  it("namespaces are resolved and prefixes gone", () => {
    const node = parse("<s:a xmlns:s='urn:s' xmlns='urn:d' x='1'><b/><s:c xmlns='urn:e'><d/></s:c></s:a>");
    expect(node).toEqual(
      element("a", "urn:s", { x: "1" }, [element("b", "urn:d"), element("c", "urn:s", {}, [element("d", "urn:e")])]),
    );
  });

  it("prefixes named like things every object has are prefixes like others", () => {
    for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
      expect(kindOf(`<${name}:a/>`)).toBe("not-well-formed");
      expect(kindOf(`<a ${name}:x='1'/>`)).toBe("not-well-formed");
      expect(parse(`<${name}:a xmlns:${name}='urn:p' ${name}='v'/>`)).toMatchObject({ name: "a", ns: "urn:p" });
      expect(parse(`<a ${name}='v'/>`).attrs[name]).toBe("v");
      expect(Object.keys(parse(`<${name}/>`).attrs)).toEqual([]);
      expect(kindOf(`<a>&${name};</a>`)).toBe("not-well-formed");
    }
    expect(({} as Record<string, unknown>).v).toBeUndefined();
  });

  it("references, CDATA and line ends become the characters they stand for", () => {
    expect(textOf(parse("<a>&lt;&#x1F525;&#9889;&amp;amp;<![CDATA[<&>]]]]><![CDATA[>]]>\r\n\r.</a>"))).toBe(
      "<🔥⚡&amp;<&>]]>\n\n.",
    );
    expect(parse("<a>x<![CDATA[y]]>z</a>").children).toEqual(["xyz"]);
    expect(parse("<a b='1\t2\r\n3&#10;4'/>").attrs.b).toBe("1 2 3\n4");
  });

  it("names as XML has them, which is more than letters and digits", () => {
    for (const name of ["élan", "a·b", "x-1.2_3", "a̧b", "名前", "_", "𐀀"]) expect(parse(`<${name}/>`).name).toBe(name);
  });

  it("COM-STZ-06: attributes in other namespaces are left out, xml:lang stays", () => {
    expect(parse("<a xml:lang='de' xmlns:p='urn:p' p:x='1' x='2'/>").attrs).toEqual({ "xml:lang": "de", x: "2" });
  });
});

describe("what is refused", () => {
  it.each([
    ["an attribute twice", "<a x='1' x='2'/>"],
    ["an attribute twice by namespace", "<a xmlns:p='urn:p' xmlns:q='urn:p' p:x='1' q:x='2'/>"],
    ["a namespace twice", "<a xmlns='urn:1' xmlns='urn:2'/>"],
    ["an undeclared prefix", "<p:a/>"],
    ["an undeclared prefix of an attribute", "<a p:x='1'/>"],
    ["a prefix out of scope", "<a><b xmlns:p='urn:p'/><p:c/></a>"],
    ["an empty prefix", "<a xmlns:='urn:p'/>"],
    ["a prefix undone", "<a xmlns:p=''/>"],
    ["xml as another namespace", "<a xmlns:xml='urn:x'/>"],
    ["the namespace of xml by another name", "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>"],
    ["xmlns declared", "<a xmlns:xmlns='urn:x'/>"],
    ["two colons", "<a:b:c xmlns:a='urn:x'/>"],
    ["a name that begins with a digit", "<1a/>"],
    ["no name", "< a/>"],
    ["an attribute without quotes", "<a x=1/>"],
    ["an attribute without value", "<a x/>"],
    ["attributes without space between", "<a x='1'y='2'/>"],
    ["a strange blank between attributes", "<a\u00A0x='1'/>"],
    ["'<' in an attribute", "<a x='<'/>"],
    ["'<' in a tag", "<a <b/>"],
    ["end tags crossed", "<a><b></a></b>"],
    ["an end tag with another prefix for the same namespace", "<p:a xmlns:p='u' xmlns:q='u'></q:a>"],
    ["an end tag alone", "</a>"],
    ["a second root", "<a/><b/>"],
    ["text after the root", "<a/>x"],
    ["text before the root", "x<a/>"],
    ["']]>' in text", "<a>]]></a>"],
    ["CDATA outside", "<![CDATA[x]]><a/>"],
    ["a bare '&'", "<a>a & b</a>"],
    ["an unknown entity", "<a>&nbsp;</a>"],
    ["an endless reference", "<a>&aaaaaaaaaaaaaaaa;</a>"],
    ["a null character", "<a>\u0000</a>"],
    ["a reference to a null character", "<a>&#0;</a>"],
    ["a reference to a surrogate", "<a>&#xD800;</a>"],
    ["a reference beyond Unicode", "<a>&#x110000;</a>"],
    ["a control character in an attribute", "<a x='\u0001'/>"],
    ["the end before the end", "<a><b></b>"],
    ["nothing", ""],
  ])("%s", (_, text) => expect(kindOf(text)).toBe("not-well-formed"));

  it.each([
    ["a comment", "<a><!-- x --></a>"],
    ["a document type", "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"],
    ["a processing instruction", "<a><?php x?></a>"],
    ["an XML declaration late", "<a/><?xml version='1.0'?>"],
    ["an XML declaration twice", "<?xml version='1.0'?><?xml version='1.0'?><a/>"],
    ["an XML declaration after a blank", " <?xml version='1.0'?><a/>"],
  ])("RFC 6120 section 11.1: %s", (_, text) => expect(kindOf(text)).toBe("restricted-xml"));
});

describe("limits", () => {
  it("depth, elements, attributes and characters, with an error where nobody takes what is too large", () => {
    expect(kindOf("<a><a><a><a><a/></a></a></a></a>", limits)).toBe("accepted");
    expect(kindOf("<a><a><a><a><a><a/></a></a></a></a></a>", limits)).toBe("limit");
    expect(kindOf(`<a>${"<b/>".repeat(19)}</a>`, limits)).toBe("accepted");
    expect(kindOf(`<a>${"<b/>".repeat(20)}</a>`, limits)).toBe("limit");
    expect(kindOf("<a b='' c='' d='' e=''/>", limits)).toBe("accepted");
    expect(kindOf("<a b='' c='' d='' e='' f=''/>", limits)).toBe("limit");
    expect(kindOf(`<a>${"x".repeat(993)}</a>`, limits)).toBe("accepted");
    expect(kindOf(`<a>${"x".repeat(994)}</a>`, limits)).toBe("limit");
    expect(kindOf(`<a b='${"x".repeat(1000)}'/>`, limits)).toBe("limit");
  });

  it("elements 20 000 deep and tags without end cost no more than the limit", () => {
    expect(kindOf("<a>".repeat(20_000))).toBe("limit");
    const parser = createParser({ element: () => {} }, limits, 1);
    expect(() => {
      for (let n = 0; n < 1_001; n++) parser.write(n === 0 ? "<a b='" : "x");
    }).toThrow(XmlError);
    expect(() => feed(["<s><m>", "<x a='", ...Array.from({ length: 300 }, () => "x".repeat(1_000))])).toThrow(XmlError);
  });

  it("a stanza that is too large is read to its end and thrown away, and the next is whole", () => {
    const deep = `<m id='deep'>${"<x>".repeat(9)}<![CDATA[</m>]]>&amp;${"</x>".repeat(9)}</m>`;
    const many = `<m id='many'>${"<x/>".repeat(30)}</m>`;
    const wide = "<m id='wide'><x a='' b='' c='' d='' p:e='' xmlns:p='u'/></m>";
    const long = `<m id='long'>${"x & ".repeat(10).replaceAll("&", "&amp;").repeat(40)}</m>`;
    const top = "<m id='top' a='' b='' c='' d=''/>";
    const stream = `<s>${deep}<ok id='1'/>${many}<ok id='2'/>${wide}${long}${top}<ok id='3'>x</ok></s>`;
    for (const pieces of [[stream], stream, stream.match(/.{1,7}/gs) ?? []]) {
      const { elements, large, closed } = feed(pieces);
      expect(large.map(([id]) => id)).toEqual(["deep", "many", "wide", "long", "top"]);
      expect(elements.map(one => one.attrs.id)).toEqual(["1", "2", "3"]);
      expect(closed).toBe(true);
    }
    // A single tag, or one section, larger than all that is allowed: of the stanza itself, of one inside, of an end.
    const wordy = "x>/'y\n".repeat(400);
    const said = wordy.replaceAll("\n", " ");
    const tags = [
      `<m id='inner'><x a="${wordy}"/><x a="${wordy}"><y/></x></m>`,
      `<m id='section'><x><![CDATA[${wordy}</m>]]]]></x></m>`,
      `<m id='end'><x></x${" ".repeat(2_000)}></m>`,
      `<c:m id="${wordy}" xmlns:c='u'><x/>${wordy.replaceAll(">", "")}</c:m>`,
      `<m id="${wordy}"/>`,
    ];
    const long_ = `<s>${tags.map((one, at) => `${one}<ok id='${at}'/>`).join("")}</s>`;
    for (const pieces of [[long_], long_, long_.match(/.{1,7}/gs) ?? [], long_.match(/.{1,1500}/gs) ?? []]) {
      const { elements, large, closed } = feed(pieces);
      // An id can be answered if it is not what is too large itself.
      expect(large.map(([id]) => id)).toEqual(["inner", "section", "end", said, said]);
      expect(elements.map(one => one.attrs.id)).toEqual(["0", "1", "2", "3", "4"]);
      expect(closed).toBe(true);
    }
    expect(feed([stream]).large.map(([, why]) => why)).toEqual([
      "elements nested more than 5 deep",
      "more than 20 elements in one",
      "more than 4 attributes",
      "an element of more than 1000 characters",
      "more than 4 attributes",
    ]);
  });

  it("of a stanza too large in its own start tag it is known who is to be answered, wherever that stands", () => {
    const much = "x>/' id='9' from='eve' ".repeat(100);
    const nodes: Element[] = [];
    const read = (text: string, size: number) => {
      const parser = createParser({ element() {}, tooLarge: node => void nodes.push(node) }, limits, 1);
      for (let at = 0; at < text.length; at += size) parser.write(text.slice(at, at + size));
      return nodes.splice(0);
    };
    const known = { id: "a&b", type: "get", from: "bob@b.example/x", to: "a@b.example" };
    const who = `id = 'a&amp;b'  type="get" from='bob@b.example/x'\n\tto='a@b.example'`;
    for (const size of [1, 7, 1_500, 100_000]) {
      for (const tag of [
        `<iq ${who} y="${much}"/>`,
        `<iq y="${much}" ${who}></iq>`,
        `<iq y="${much}" ${who} z="${much}"><x/></iq>`,
        `<iq ${" ".repeat(2_000)} ${who}/>`,
        `<iq xid='1' id2="2" x:from="z@b" ${who} ${"long".repeat(500)}='1'/>`,
      ])
        expect(read(`<s>${tag}`, size).map(({ name, attrs }) => ({ name, ...attrs }))).toEqual([
          { name: "iq", ...known },
        ]);
      // What is too large is the id itself: there is no answer that could carry it.
      expect(read(`<s><iq from='bob@b.example/x' id='${"i".repeat(5_000)}'/>`, size)[0]?.attrs).toEqual({
        from: "bob@b.example/x",
      });
      expect(() => read(`<s><iq id='1' id='2' y="${much}"/>`, size)).toThrow(XmlError);
      expect(() => read(`<s><iq id='&nbsp;' y="${much}"/>`, size)).toThrow(XmlError);
    }
  });

  it("what never ends is not thrown away for ever", () => {
    const pieces = function* () {
      yield "<s><m>";
      for (let n = 0; n < 3_200; n++) yield "<x>some text</x>".repeat(10);
    };
    expect(() => feed(pieces())).toThrow(XmlError);
    expect(() => feed(["<s><m>", "<x>".repeat(9)], false)).toThrow(XmlError);
  });

  it("white space between stanzas is free", () => {
    const { elements } = feed(["<s>", ...Array.from({ length: 3_000 }, () => " \n"), "<ok id='1'/>"]);
    expect(elements).toHaveLength(1);
  });
});
