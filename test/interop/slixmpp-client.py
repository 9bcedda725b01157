# A client that we did not write: slixmpp, driven by JSON lines. One command a line on standard input
# ({"id": 1, "do": "iq", ...}), one answer a line on standard output ({"id": 1, "ok": ...} or {"id": 1, "error": {...}}), and
# between them what came unasked ({"event": "message", ...}). All XMPP is slixmpp's own: log-in, roster, disco, caps, forms.

import asyncio
import inspect
import json
import logging
import sys
import xml.etree.ElementTree as ET

import slixmpp
from slixmpp.exceptions import IqError, IqTimeout
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
PLUGINS = ["xep_0004", "xep_0030", "xep_0050", "xep_0115", "xep_0122", "xep_0199"]


def say(value):
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def text_of(node):
    return ET.tostring(node, encoding="unicode")


class Client(slixmpp.ClientXMPP):
    def __init__(self, jid, password, ca):
        super().__init__(jid, password)
        self.ca_certs = ca
        # The port is that of STARTTLS; slixmpp 1.10 would try TLS from the first octet on, and report that as a failure.
        self.enable_direct_tls = False
        self.auto_authorize = True
        self.auto_subscribe = True
        for plugin in PLUGINS:
            self.register_plugin(plugin)
        self.online = asyncio.get_event_loop().create_future()
        self.add_event_handler("session_start", self.started)
        self.add_event_handler("failed_auth", lambda _: self.fail("the log-in was refused"))
        self.add_event_handler("connection_failed", lambda why: self.fail(f"no connection: {why}"))
        self.add_event_handler("ssl_invalid_cert", lambda _: self.fail("the certificate is not trusted"))
        for kind in ("available", "unavailable", "subscribed", "unsubscribed"):
            self.add_event_handler("presence_" + kind, self.presence(kind))
        self.register_handler(Callback("every message", MatchXPath("{jabber:client}message"), self.message))

    def fail(self, why):
        if not self.online.done():
            self.online.set_exception(Exception(why))

    async def started(self, _):
        self.send_presence()
        await self.get_roster()
        if not self.online.done():
            self.online.set_result(self.boundjid.full)

    def presence(self, kind):
        def tell(stanza):
            say({"event": "presence", "kind": kind, "from": str(stanza["from"])})

        return tell

    def message(self, stanza):
        payloads = [text_of(child) for child in stanza.xml]
        say({"event": "message", "from": str(stanza["from"]), "type": stanza.xml.get("type"), "payloads": payloads})


def described(form):
    """A form as slixmpp's own classes read it."""
    fields = {}
    for var, field in form.get_fields().items():
        validate = field["validate"]
        fields[var] = {
            "type": field["type"],
            "label": field["label"],
            "desc": field["desc"],
            "required": field["required"],
            "value": field["value"],
            "options": [{"label": one["label"], "value": one["value"]} for one in field["options"]],
            "datatype": validate["datatype"],
            "range": validate["range"],
        }
    return {"type": form["type"], "title": form["title"], "fields": fields}


class Commands:
    def __init__(self):
        self.client = None
        self.forms = {}

    async def login(self, jid, password, host, port, ca):
        self.client = Client(jid, password, ca)
        # One word in slixmpp 1.8 (Debian 12), two in 1.10 (Debian 13).
        if "address" in inspect.signature(self.client.connect).parameters:
            self.client.connect((host, port))
        else:
            self.client.connect(host, port)
        return await asyncio.wait_for(self.client.online, 20)

    async def subscribe(self, to):
        self.client.send_presence_subscription(pto=to)

    async def disco(self, to):
        info = (await self.client["xep_0030"].get_info(jid=to, timeout=15))["disco_info"]
        return {"identities": [list(one) for one in info["identities"]], "features": sorted(info["features"])}

    async def items(self, to):
        found = (await self.client["xep_0030"].get_items(jid=to, timeout=15))["disco_items"]
        return sorted(str(one[0]) for one in found["items"])

    async def caps(self, of):
        """The verification string that slixmpp has checked against the features of that full JID; None before it has."""
        return await self.client["xep_0115"].get_verstring(of)

    async def ping(self, to):
        return await self.client["xep_0199"].ping(to, timeout=15)

    async def ask(self, to, type, payload):
        iq = self.client.make_iq_get(ito=to) if type == "get" else self.client.make_iq_set(ito=to)
        iq.append(ET.fromstring(payload))
        return await iq.send(timeout=15)

    async def iq(self, to, type, payload):
        children = list((await self.ask(to, type, payload)).xml)
        return [text_of(child) for child in children]

    async def form(self, to, type, payload, name):
        """The form in an answer, kept under a name to be filled in."""
        answer = await self.ask(to, type, payload)
        found = answer.xml.find(".//{jabber:x:data}x")
        self.forms[name] = slixmpp.plugins.xep_0004.stanza.Form(xml=found)
        return described(self.forms[name])

    async def submit(self, to, payload, name, values):
        """The kept form's fields with these values, as slixmpp writes a submission, inside the payload. (Its `reply` of a form
        that was received fails in 1.8.3 over fields without options.)"""
        form = self.client["xep_0004"].make_form(ftype="submit")
        for var, field in self.forms[name].get_fields().items():
            if field["type"] != "fixed":
                form.add_field(var=var, ftype=field["type"], value=values.get(var, field["value"]))
        envelope = ET.fromstring(payload)
        envelope.append(form.xml)
        return await self.iq(to, "set", text_of(envelope))

    async def commands(self, to):
        found = (await self.client["xep_0050"].get_commands(jid=to, timeout=15))["disco_items"]
        return sorted(str(one[1]) for one in found["items"])


def explained(error):
    if isinstance(error, IqError):
        stanza = error.iq["error"]
        found = error.iq.xml.find(".//{jabber:x:data}x")
        form = described(slixmpp.plugins.xep_0004.stanza.Form(xml=found)) if found is not None else None
        return {
            "condition": stanza["condition"],
            "type": stanza["type"],
            "text": stanza["text"],
            "form": form,
            "xml": text_of(error.iq.xml),
        }
    return {"condition": "timeout" if isinstance(error, IqTimeout) else "failed", "text": f"{type(error).__name__}: {error}"}


async def work(commands, order):
    try:
        name = order.pop("do")
        number = order.pop("id")
        say({"id": number, "ok": await getattr(commands, name)(**order)})
    except Exception as error:
        say({"id": number, "error": explained(error)})


async def main():
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=16 * 1024 * 1024)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    commands = Commands()
    running = set()
    while line := await reader.readline():
        task = loop.create_task(work(commands, json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)
    if commands.client is not None:
        await commands.client.disconnect(wait=1)


asyncio.run(main())
