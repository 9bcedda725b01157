// A stream before log-in, by hand, and a signer of forms that shares no line with ours: what an attacker with a text editor has.

import { createHmac } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:tls";
import { systemClock } from "#base/clock.ts";
import { within } from "#base/deadline.ts";
import { forever } from "../../lab/scene.ts";

export interface Talk extends Disposable {
  readonly features: string;
  /** Sends an iq without an address and resolves with the raw answer; "closed" when the stream was closed instead. */
  ask(type: "get" | "set", payload: string, to?: string): Promise<string>;
  /** Asks for the form: its fields by name. */
  form(): Promise<Record<string, string>>;
  submit(fields: Record<string, string>): Promise<string>;
}

export async function openTalk(port: number, ca: string, domain: string, localAddress = "127.0.0.1"): Promise<Talk> {
  const socket = connect({ port, host: "127.0.0.1", ca, servername: domain, localAddress } as never);
  await once(socket, "secureConnect");
  let received = "";
  let ids = 0;
  socket.setEncoding("utf8").on("data", chunk => {
    received += chunk;
  });
  let isClosed = false;
  socket
    .on("error", () => {})
    .on("close", () => {
      isClosed = true;
    });
  const say = async (words: string, until: RegExp) => {
    received = "";
    socket.write(words);
    await within(systemClock, 30_000, `an answer to ${words}`, forever, async signal => {
      while (!until.test(received) && !isClosed) await systemClock.sleep(5, signal);
    });
    return received;
  };
  const header = `<?xml version='1.0'?><stream:stream to='${domain}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`;
  const talk: Talk = {
    features: await say(header, /<\/stream:features>/),
    async ask(type, payload, to) {
      const id = `q${++ids}`;
      const words = `<iq type='${type}' id='${id}'${to === undefined ? "" : ` to='${to}'`}>${payload}</iq>`;
      const answer = await say(words, /<iq [^>]*(\/>|.*<\/iq>)|<\/stream:stream>/s);
      return answer.includes("<iq ") ? answer : "closed";
    },
    async form() {
      const answer = await talk.ask("get", "<query xmlns='jabber:iq:register'/>");
      const fields = [...answer.matchAll(/<field ([^>]*?)(?:\/>|>(.*?)<\/field>)/gs)].map(
        ([, attrs = "", inner = ""]) => [
          /var=['"]([^'"]*)/.exec(attrs)?.[1] ?? "",
          /<value>(.*?)<\/value>/s.exec(inner)?.[1] ?? "",
        ],
      );
      return Object.fromEntries(fields);
    },
    submit: fields => {
      const said = Object.entries(fields).map(
        ([name, value]) => `<field var='${name}'><value>${value}</value></field>`,
      );
      return talk.ask(
        "set",
        `<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'>${said.join("")}</x></query>`,
      );
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
  return talk;
}

const percent = (text: string): string =>
  [...Buffer.from(text)]
    .map(byte => {
      const char = String.fromCharCode(byte);
      return /[A-Za-z0-9._~-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    })
    .join("");

export interface SignOptions {
  readonly key: string;
  readonly secret: string;
  readonly username: string;
  readonly password?: string;
  readonly time?: number;
  readonly nonce?: string;
  readonly to?: string;
  readonly method?: string;
  /** Escaped once more in its field, unless said otherwise. */
  readonly escaped?: boolean;
}

let nonces = 0;

/** The fields of the form, filled in and signed as the document says. */
export function signByHand(form: Record<string, string>, how: SignOptions): Record<string, string> {
  const fields: Record<string, string> = {
    ...form,
    oauth_version: "1.0",
    oauth_signature_method: how.method ?? "HMAC-SHA1",
    oauth_consumer_key: how.key,
    oauth_nonce: how.nonce ?? `00112233445566778899aabb${String(++nonces).padStart(8, "0")}`,
    oauth_timestamp: String(how.time ?? Math.floor(systemClock.now() / 1_000)),
    username: how.username,
    password: how.password ?? "correct horse battery staple",
  };
  const signed = Object.keys(fields)
    .filter(name => name !== "oauth_token_secret" && name !== "oauth_signature")
    .sort()
    .map(name => `${percent(name)}=${percent(fields[name] ?? "")}`);
  const text = ["submit", percent(how.to ?? ""), percent(signed.join("&"))].join("&");
  const key = `${percent(how.secret)}&${percent(fields.oauth_token_secret ?? "")}`;
  const signature = createHmac("sha1", key).update(text).digest("base64");
  return { ...fields, oauth_signature: how.escaped === false ? signature : percent(signature) };
}
