// EV: subscriptions to the values of sensors.

import type { Family } from "./family.ts";

export const ev: Family = {
  name: "EV",
  title: "Event subscription",
  requirements: {
    "EV-SUB-01 M": "A subscription is its asker's full JID and id; the same id replaces it, others stay.",
    "EV-SUB-02 M": "An id is required; no nodes means that nothing ever triggers.",
    "EV-SUB-03 M": "An unknown or invisible node is refused; one that cannot be read gives an error when triggered.",
    "EV-SUB-04 M": "Subscribing is decided on like reading, narrowed alike, and again at each trigger.",
    "EV-SUB-05 M": "Intervals are durations; negative or contradicting ones are refused, tiny ones raised.",
    "EV-SUB-06 M": "Thresholds are positive numbers; anything else is refused.",
    "EV-SUB-07 M": "With req the first event follows at once.",
    "EV-SUB-08 M": "Subscriptions are not kept over a restart and are bounded for each bare JID.",
    "EV-TRG-01 M":
      "A listed change beyond its limit triggers, and so does the longest interval, each subscription for itself.",
    "EV-TRG-02 M": "Changes are measured from the given or last known value, and from the new one after each event.",
    "EV-TRG-03 M": "A change as large as the limit counts; several limits are alternatives; none means any change.",
    "EV-TRG-04 M": "Truth, integers, quantities and times are compared as numbers, texts as equal or not.",
    "EV-TRG-05 M": "A changed unit is converted, or counts as a change; what has no value does not trigger.",
    "EV-TRG-06 M": "Without fields any momentary or status value of the chosen categories triggers.",
    "EV-TRG-07 M": "What happens within the shortest interval is told once at its end, with the values of then.",
    "EV-TRG-08 M": "Values of any readout trigger; who asked for them is not told twice.",
    "EV-TRG-09 S": "The longest interval does not wake a battery device; wired ones are polled as often as is needed.",
    "EV-EVT-01 M": "An event is a readout of all that is subscribed, with history as far back as asked.",
    "EV-EVT-02 M": "Events of a subscription do not overlap.",
    "EV-EVT-03 M": "A device that fails is told of at most once in the longest interval.",
    "EV-END-01 M": "A subscription ends with its presence, consent, right or node, at a bounce, and at our restart.",
    "EV-END-02 M": "Unsubscribing what is unknown is not found; after the answer there are no events.",
    "EV-END-03 S": "A client that subscribes again with the same id replaces its subscription.",
    "EV-DISCO-01 M": "The generations of events are announced.",

    "EV-DIS-01 D": "Both iq types are taken: COM-STZ-03.",
    "EV-DIS-02 D": "Limits and intervals have the schema's types: EV-SUB-05, EV-SUB-06.",
    "EV-DIS-03 D": "A node needs an id: COM-LEX-08.",
    "EV-DIS-04 D": "Changes are compared with at least: EV-TRG-03.",
    "EV-DIS-05 D": "No fields means all of them: EV-TRG-06.",
    "EV-DIS-06 D": "Accepting is said in sensor data: EV-SUB-07.",
    "EV-DIS-07 D": "Who is gone has no subscriptions: EV-END-01.",
  },
};
