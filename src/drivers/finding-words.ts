// The findings of the bus doctor in words, for somebody who stands before the cabinet: a likely cause, what it is concluded
// from, and what to do about it. `{1}` and so on stand for figures and units.

export const words = {
  twoMasters: {
    cause: "A second master speaks on this line.",
    evidence: "Requests that this appliance did not send: {1}.",
    advice: "Find the other master (a PLC, a logger, a service laptop, a second gateway) and disconnect it.",
  },
  strangeAnswers: {
    cause: "Somebody else's traffic is on this line.",
    evidence: "Sound frames that answer nothing this appliance asked: {1}.",
    advice: "Look for a second master, two converters on one line, or other clients of the gateway.",
  },
  duplicate: {
    cause: "Two units have the address {1}.",
    evidence: "Damaged answers from it: {1} of {2}; from all others: {3} of {4}.",
    advice: "Disconnect it and ask again: if somebody still answers, give one of the two another address.",
  },
  faces: {
    cause: "Several units answer at the address {1}.",
    evidence: "Different devices answered there: {1}.",
    advice: "Give one of them another address, or address them by their serial numbers.",
  },
  wrongRate: {
    cause: "The baud rate or the parity is wrong.",
    evidence: "Octets come back, but never a frame that can be read: {1} requests, {2} damaged answers.",
    advice: "Compare baud rate, parity and stop bits with the units: all on one line have the same.",
  },
  parity: {
    cause: "The parity or the number of stop bits is wrong.",
    evidence: "Octets that the port reports with wrong parity or framing: {1}.",
    advice: "Compare parity and stop bits with the manual of the units.",
  },
  deadLine: {
    cause: "The line is dead: nobody on it answers.",
    evidence: "Requests without any answer: {1}, units asked: {2}.",
    advice: "Check that the bus has power, its two wires (try them swapped), and the baud rate.",
  },
  deadBehind: {
    cause: "Nobody behind the converter answers.",
    evidence: "The network connection stands. Requests without any answer: {1}, units asked: {2}.",
    advice: "Check the converter's serial side: baud rate, parity, the two wires (try them swapped), bus power.",
  },
  onlyEcho: {
    cause: "Only the converter itself is heard.",
    evidence: "Every request came back as an echo ({1}), and no unit answered.",
    advice: "The converter works, the bus behind it does not: check terminals, power and the first metre of cable.",
  },
  silent: {
    cause: "Unit {1} is not there.",
    evidence: "Requests it left without an answer: {1}, all of them. Others on the line answered.",
    advice: "Check its power, its address and its connection to the line.",
  },
  silentSeveral: {
    cause: "Several units are not there: {1}.",
    evidence: "Requests they left without an answer: {1}, all of them. Others on the line answered.",
    advice: "If they hang next to each other, look for a break in the cable before them; else check power and address.",
  },
  gatewayAway: {
    cause: "The gateway does not reach unit {1}.",
    evidence: "Times it said so itself (exception 10 or 11): {1}.",
    advice: "The network is well: check the unit's address, its power and the serial side of the gateway.",
  },
  late: {
    cause: "The timeout is too short for unit {1}.",
    evidence: "Late answers: {1}, the latest {2} ms after its request.",
    advice: "Set the timeout of the line to at least {1} ms.",
  },
  overloaded: {
    cause: "The gateway is overloaded.",
    evidence: "Late answers from {1} units: {2}, the latest {3} ms after its request. The connection itself stands.",
    advice: "Poll less often and look for other clients of it; a timeout of {1} ms would hear these answers.",
  },
  gap: {
    cause: "The pause is too short when the unit changes.",
    evidence: "Of {1} missing answers, {2} were to the first request after one to another unit.",
    advice: "Set the pause on change of unit to 50 ms or more; some meters need 100 ms.",
  },
  noiseRs485: {
    cause: "Disturbances on the cable: termination missing or doubled, a loose wire, or noise.",
    evidence: "Damaged answers: {1} of {2}; stray octets: {3}. Most of all from: {4}.",
    advice:
      "120 ohm at both ends of the cable and nowhere else, one bias, screen earthed once, away from motor cables.",
  },
  noiseMbus: {
    cause: "Disturbances on the cable: a loose wire, damp, too long a cable, or noise.",
    evidence: "Damaged answers: {1} of {2}; stray octets: {3}. Most of all from: {4}.",
    advice: "Check terminals, insulation to earth and how many meters the converter can feed; a lower rate may help.",
  },
  noiseNetwork: {
    cause: "Answers come that cannot be read, over a network that does not damage octets.",
    evidence: "Damaged answers: {1} of {2}; stray octets: {3}. Most of all from: {4}.",
    advice: "Check that this is the protocol that is spoken there, and the firmware of the device or gateway.",
  },
  stray: {
    cause: "Stray octets are on the line.",
    evidence: "Octets that belong to no frame: {1}. No answer was damaged.",
    advice: "Harmless so far: a converter that switches direction, or a missing bias. Look again when damage begins.",
  },
  echo: {
    cause: "The converter returns what is sent.",
    evidence: "Echoes taken off: {1}.",
    advice: "Nothing to do, this is recognised. Some converters have a switch that turns it off.",
  },
  full: {
    cause: "The line has hardly any time left.",
    evidence: "It was taken {1} % of the time by others than the doctor.",
    advice: "Poll less often, raise the baud rate of all units, or divide the line.",
  },
  refuses: {
    cause: "Unit {1} refuses what it is asked.",
    evidence: "Refusals: {1} (exceptions {2}).",
    advice: "Check that profile, addresses and functions are those of this model and firmware.",
  },
  failing: {
    cause: "Unit {1} is busy or reports a failure of its own.",
    evidence: "Refusals: {1} (exceptions {2}).",
    advice: "Poll it less often; if it stays so, the unit needs service.",
  },
} as const;
