// The words that stand on labels, in English; the language of a label is its maker's choice (src/languages).

export const words = {
  serial: "Serial number",
  node: "Node",
  room: "Room",
  registered: "Unclaimed: scan to claim",
  claimed: "Claimed: no code on this label",
  unregistered: "Not registered yet: no code",
};
