// PUB: sensor data over publish/subscribe.

import type { Family } from "./family.ts";

export const pub: Family = {
  name: "PUB",
  title: "Sensor data over publish/subscribe",
  requirements: {
    "PUB-GEN-01 M": "Nothing is published unless the owner said so for that node.",
    "PUB-GEN-02 M": "An item is one whole answer, under the name of its node.",
    "PUB-GEN-03 M": "Neither identities nor internal errors are published.",
    "PUB-NODE-01 S": "Each device has a pubsub node of its own, open to a list, that keeps the last item.",
    "PUB-NODE-02 M": "A pubsub node that exists is used only if it is ours.",
    "PUB-NODE-03 S": "The list follows who may read the node without limits; with the node goes its pubsub node.",
    "PUB-PEP-01 Y": "Personal eventing is written in the namespace of its node.",
    "PUB-PEP-02 M": "A concentrator does not publish to all its contacts.",
    "PUB-PRES-01 M": "Presence carries no values, and values in presence are passed over.",
    "PUB-RATE-01 M":
      "Changes are published, not too often and never not at all; a failure is tried again with the last value.",
    "PUB-RECV-01 S": "What is received is taken from the expected service and trusted as far as that.",
  },
  exempt: {
    "PUB-PEP-01": "Not used: personal eventing reaches every contact, which a concentrator must not (PUB-PEP-02).",
  },
};
