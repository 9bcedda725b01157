// Software packages offered by a service of the broker: SoftwareUpdates.xsd. We are its client.

import { attr, body, content, element, many, optional, type Value } from "#xml/codec.ts";
import { dateTime, identifier, type Scalar, ScalarError, text } from "#xml/scalars.ts";

/** More bytes than a double counts exactly are no package. */
const count: Scalar<number> = {
  parse(raw) {
    const value = /^\s*\+?\d{1,15}\s*$/.test(raw) ? Number(raw) : Number.NaN;
    if (Number.isNaN(value)) throw new ScalarError(`"${raw.slice(0, 40)}" is not a number of bytes`);
    return value;
  },
  format: value => value.toString(10),
};

const base64: Scalar<string> = {
  parse(raw) {
    const value = raw.replace(/\s+/g, "");
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(value)) throw new ScalarError("not a signature in base64");
    return value;
  },
  format: value => value,
};

const fileName = attr("fileName", identifier);

const described = {
  fileName,
  signature: attr("signature", base64),
  published: attr("published", dateTime),
  supersedes: optional("supersedes", dateTime),
  created: attr("created", dateTime),
  url: attr("url", identifier),
  bytes: attr("bytes", count),
};
export const packageInfo = element("packageInfo", described);
export type PackageInfo = Value<typeof packageInfo>;
export const packageDeleted = element("packageDeleted", described);

export const getPackageInfo = element("getPackageInfo", { fileName });
export const getPackages = element("getPackages", {});
export const packages = content("packages", many(packageInfo));
/** "*" means all of them. */
export const subscribe = element("subscribe", { fileName });
export const unsubscribe = element("unsubscribe", { fileName });
export const getSubscriptions = element("getSubscriptions", {});
export const subscriptions = content("subscriptions", many(content("subscription", body(text))));
