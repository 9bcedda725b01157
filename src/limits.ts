// Every bound in the program, each with its unit and its reason. test/tidy.test.ts checks that each is used.

// Stanzas (COM-STZ-09, COM-LEX-08, stack.md: Prosody ends a stream above 256 KiB).
export const stanzaBytesMax = 262_144;
/** What a broker announces is believed between these (XEP-0478): RFC 6120 demands the first, and the second carries ten thousand
 * nodes without their parameters; more at once would hold up everything else for seconds. */
export const announcedBytesMin = 10_000;
export const announcedBytesMax = 4 * 1_048_576;
/** What a person's client takes in, which lives for one command: all nodes of the largest appliance at once, with everything. */
export const clientStanzaCharsMax = 32 * 1_048_576;
export const clientStanzaElementsMax = 1_000_000;
/** Deeper XML than any interface needs; guards every recursive walk. */
export const stanzaDepthMax = 64;
/** Elements in one stanza: a stanza of minimal elements would otherwise cost fifty times its bytes. */
export const stanzaElementsMax = 20_000;
export const attributesMax = 64;
/** Outgoing payloads are cut to this: well under the broker's limit, a few network round trips at most. */
export const fragmentBytesMax = 65_536;
export const identifierCharsMax = 1024;

// Waiting for others.
/** The clients' default is 15 s: answer before they give up (COM-STZ-12). */
export const requestMs = 10_000;
export const decisionMs = 10_000;
/** Finished by then: `resp` in the iq; otherwise `started` and messages. */
export const quickReplyMs = 500;
/** A readout ends by itself after this, with a fault for each node that is still silent. */
export const readoutMs = 300_000;
export const connectMs = 20_000;
export const shutdownMs = 8_000;

// XMPP session.
/** A ping after this long without a sign of life; half-open links are noticed within pingMs + pingAnswerMs. */
export const pingMs = 60_000;
export const pingAnswerMs = 15_000;
export const reconnectFirstMs = 1_000;
export const reconnectMsMax = 300_000;
/** A wrong password does not become right by asking often (ACC-SASL-03). */
export const loginRefusedMs = 300_000;
/** Further apart, and a form is signed with the time of the broker, which tolerates five minutes. */
export const brokerTimeOffSecondsMax = 120;
/** A link that fits a QR code people can scan. */
export const inviteCharsMax = 2_048;
export const apiKeyCharsMax = 128;
/** Stanzas unacknowledged or waiting for a connection; a full outbox refuses. */
export const outboxStanzasMax = 2_000;
export const outboxBytesMax = 16 * 1_048_576;
export const pendingRequestsMax = 1_000;

// Readouts.
export const readoutsPerCallerMax = 20;
export const scheduleAheadMs = 30 * 86_400_000;
/** Devices read at once in one readout; each line has its own queue besides. */
export const devicesAtOnceMax = 16;
export const nodesPerRequestMax = 10_000;

// Lines.
export const lineQueueMax = 64;
/** Units of one line of which figures are kept; secondary addressing allows more, their sums are counted all the same. */
export const healthUnitsMax = 512;
/** The last round trips of one unit: enough for a median and a 95th percentile. */
export const healthRoundTripsMax = 64;
/** Different faces at one address: two prove the point. */
export const healthIdentitiesMax = 4;
/** The bus doctor asks no sooner after its last question, so that a line is not filled by looking at it. */
export const doctorPauseMs = 100;
export const doctorSecondsMax = 3_600;
/** Meters are no machines for answering: some have a battery that nobody told of. */
export const mbusDoctorAsksMax = 6;
/** Octets heard since the last request that are looked through for requests of others. */
export const overheardOctetsMax = 1_024;
/** Characters of one line of a trace: a kibibyte of octets as text, with room. */
export const traceLineCharsMax = 4_096;

// Store.
/** How long a statement waits for another connection's lock before it fails. */
export const databaseBusyMs = 5_000;
/** The write-ahead log is cut back to this after a checkpoint: a burst must not keep the disk. */
export const walBytesMax = 8 * 1_048_576;
/** Changes after which the log is brought into the file by a thread beside the program (src/registry/sqlite/checkpoints.ts). */
export const checkpointChanges = 250;
/** Of a log that grows all the same, 4 KiB each: 64 MB on the disk, and what a start after a power cut reads. */
export const walPagesMax = 16_000;
/** The thread runs four statements. */
export const checkpointThreadMb = 16;

// Channels of the field drivers (src/drivers/tcp-channel.ts, serial-port.ts).
/** A converter on the local network answers in milliseconds, one behind a mobile router in seconds. */
export const lineConnectMs = 10_000;
/** Idle connections die in address translators after a minute or more. */
export const lineKeepAliveMs = 30_000;
/** Opening a serial port is immediate, unless the adapter hangs. */
export const serialOpenMs = 5_000;
/** A port that is not there is looked for this often, where its folder does not tell. */
export const serialLookMs = 2_000;
/** Ports listed of one machine. */
export const serialPortsMax = 256;
/** A name that takes longer to look up is its own key. */
export const lineLookupMs = 2_000;
/** Octets of one datagram that are looked at: more than the longest frame of any field bus. */
export const datagramBytesMax = 2_048;
/** A socket or port that takes nothing for so long is lost. */
export const lineWriteMs = 5_000;

// Status socket.
export const statusMs = 3_000;
/** People and scripts of one machine that ask at the same moment. */
export const statusReadersMax = 8;
/** 10,000 nodes of a few hundred characters each. */
export const statusBytesMax = 16 * 1_048_576;
/** History is written in one transaction a second at most: an SD card wears by transactions, not by rows. */
export const historyBatchMs = 1_000;
export const historyBatchRows = 500;
/** Rows that may wait for a disk that is full or failing, about five minutes of a busy site; then the oldest go. */
export const historyWaitingMax = 20_000;
/** Rows read at a time, so that a long history neither fills memory nor holds up the event loop. */
export const historyPageRows = 200;
/** About 4 GB of twenty-field samples. */
export const historyRowsMax = 5_000_000;
export const historyPruneMs = 3_600_000;
/** Deleted in one step: some ten milliseconds. */
export const historyPruneRows = 2_000;
/** Nodes whose latest values stay in memory; of others they are read back when asked for. */
export const latestNodesMax = 2_000;
/** Field names kept of one node: a device that makes names up must not fill the memory. */
export const fieldsPerNodeMax = 1_000;

// Sensor data and control over XMPP (src/xmpp/iot).
/** An admission asks its rules, each within decisionMs; the asker gives up after 15 s (COM-STZ-12). */
export const admissionMs = 12_000;
/** The concentrator ends a readout within readoutMs; a face that still waits after this closes it by itself. */
export const readoutEndMs = readoutMs + 10_000;
/** The concentrator ends a control request within controlMs; the asker gives up after 15 s. */
export const controlEndMs = 11_000;
/** Deciding and then doing, together: the answer must be there before the asker gives up (COM-STZ-12). */
export const answerMs = 14_000;
/** Values of slow devices are sent on after this, not held until a fragment is full. */
export const fragmentDelayMs = 250;
/** SD-RESP-16: per readout. */
export const fragmentsPerSecondMax = 20;
/** Of a stanza around its payload: addresses, hints, what the broker adds. */
export const envelopeBytesMax = 4_096;
/** A full outbox is tried again after this, while the readout lasts. */
export const outboxRetryMs = 1_000;
/** A request for later looks at the wall clock at least this often: the clock may be set meanwhile. */
export const scheduleLookMs = 60_000;

// Registry component (DISCO-TAG-03, DISCO-THR, PROV-CLEAR, PROVO-LIM).
/** An operator that holds for no more things than these is answered from its index, thing by thing: some milliseconds. */
export const searchFewRows = 500;
/** Texts of one tag that are listed for an operator; of more, those that things left over have are looked at. */
export const searchTermsMax = 20_000;
/** Texts looked at one by one in a search before it is refused: half a second of work, in pieces. */
export const searchTextsMax = 200_000;
/** Tags that a wildcard in a name may mean. */
export const searchNamesMax = 64;
/** Names of tags held in memory for searches, eight megabytes each for a million things. */
export const searchColumnsMax = 32;
/** Things in one piece of that memory, and looked through without letting others in between. */
export const searchBlockRows = 8_192;
/** A search takes so long at most; right after a start it waits for what is read into memory, ten seconds for a million things. */
export const searchMs = 12_000;
/** Other registries asked in one search, each for so long: the searcher gives up after 15 s. */
export const federationPeersMax = 8;
export const federationMs = 5_000;
/** Questions between registries that are known when they come again. */
export const federationQueriesRemembered = 10_000;
/** DISCO-SEARCH-06. States of one pattern; and of its automaton remembered. */
export const regexCharsMax = 128;
export const regexRepeatMax = 1_000;
export const regexStatesMax = 2_000;
export const regexMemoryMax = 512;
/** Changes written to the disk together: some ten milliseconds of work, and the loss of time when one commit fails. */
export const registryChangesAtOnceMax = 256;
/** Numbers of names and texts, and of things of a JID, that need not be looked up. */
export const registryNumbersRemembered = 10_000;
export const tagsPerThingMax = 64;
/** Names and values of one thing, in UTF-8. */
export const tagBytesPerThingMax = 8_192;
export const thingsPerJidMax = 10_000;
/** Of the secret shared with the broker: 32 random bytes in base64. */
export const linkSecretCharsMin = 43;
/** A shorter KEY can be guessed: the thing is registered but cannot be claimed. */
export const claimKeyCharsMin = 16;
export const searchRowsMax = 100;
export const searchRowsStandard = 20;
export const searchOperatorsMax = 16;
/** Requests of one sender worked on at once. */
export const registryRequestsPerSenderMax = 64;
export const registryRequestsMax = 512;
/** Senders and domains whose use is counted; the longest unused is forgotten. */
export const countedSendersMax = 100_000;
/** An answer over the limit comes late, so that guessing does not pay; so many wait at once. */
export const guessDelayMs = 2_000;
export const guessesDelayedMax = 200;
/** A disown waits so long for the thing: its owner gives up after 15 s. */
export const disownMs = 10_000;
/** A request of a device waits so long for the device's own acknowledgement of what is pending (PROV-CLEAR-02). */
export const clearBeforeAnswerMs = 2_000;
/** One session of a device has refused: others, perhaps mere ghosts at the broker, have so long to agree. */
export const answerGraceMs = 1_500;
export const pushRetriesMs = [10_000, 60_000, 600_000] as const;
/** Pushes are sent right after the answer to whoever caused them; this is when the retries look, should that have been cut short. */
export const pushNetMs = 1_000;
export const clearSpacingMs = 2_000;
/** Probes after a start, and with them the pushes they wake: 20 a second (PROV-CLEAR-05). */
export const probeSpacingMs = 50;
export const pushesAtOnceMax = 16;
/** The service was away for so long: devices may have remembered refusals. */
export const serviceGapMs = 10_000;
export const resourcesPerPeerMax = 16;
export const subscribeAgainMs = 600_000;
export const rulesPerThingMax = 1_000;
/** An owner's rules in one answer, and its size: below what brokers and our own clients take in one stanza. */
export const ruleListMax = 500;
export const ruleListBytesMax = 230_000;
/** Names a rule is limited to, as shown in the list. */
export const ruleLimitsCharsMax = 512;
export const questionTextCharsMax = 256;
export const questionLifeMs = 90 * 86_400_000;
export const questionAgainMs = 86_400_000;
export const questionTriesMax = 5;
/** An owner who comes and goes is not asked anew each time. */
export const questionOnPresenceMs = 3_600_000;
export const openPerThingMax = 10;
export const openPerOwnerMax = 50;
export const openPerDomainMax = 5;
/** FED-05: questions that wait for one domain which cannot be reached; what is asked beyond is refused and forgotten. */
export const waitingPerDomainMax = 1_000;
/** `isthmus-registry check` waits so long for one server. */
export const serverProbeMs = 20_000;
/** When such a domain is tried again; the last holds from then on. */
export const reachAgainMs = [60_000, 300_000, 900_000, 3_600_000] as const;
/** A week of it: then the domain is forgotten, and found to be away anew when somebody has a word for it. */
export const reachTriesMax = 170;
/** Domains that are asked after; what is sent to others comes back each time. */
export const awayDomainsMax = 10_000;
/** Between two looks for questions that could not be sent; and when there are none, for those that have grown too old. */
export const questionRoundMs = 60_000;
export const questionIdleMs = 3_600_000;
/** A log that runs for years: the same is said again after this; who changes more often than that many times in it, less often. */
export const logRepeatMs = 3_600_000;
export const logFlapsMax = 6;
/** The same of events that concern security: who is under attack learns sooner how often. */
export const logSecurityRepeatMs = 600_000;
/** Lines of one kind at once, about however many senders; then one each so long. */
export const logEventsAtOnceMax = 60;
export const logEventGapMs = 10_000;
export const logSubjectsMax = 10_000;
/** CON-NI-09: the newest messages of a node, in one description. */
export const messagesShownMax = 100;

// Modbus.
/** Attempts of a read after the first; a write is never sent twice. */
export const modbusRetriesMax = 2;
/** A busy unit (exception 6) is asked again after this; it is no failure of the line. */
export const modbusBusyMs = 500;
export const modbusBusyRetriesMax = 3;
/** Silent attempts in a row after which a unit rests. */
export const modbusSilentMax = 3;
/** How long it rests before one probe is spent on it; doubled up to the cap while it stays silent. */
export const modbusRestFirstMs = 10_000;
export const modbusRestMsMax = 320_000;
/** Foreign answers, or silences without any answer, after which a TCP connection is opened anew. */
export const modbusMismatchesMax = 3;
export const modbusReopenMs = 1_000;
/** All units obey a broadcast and none answers: the slowest needs this long. */
export const modbusBroadcastMs = 200;
/** A field that the unit refuses is asked for again after this: a firmware update may have brought it. */
export const modbusRefusedFieldMs = 86_400_000;
/** Unanswered requests of one serial line whose answers may still come; a unit rests after three. */
export const modbusOwedMax = 64;
/** And for how long at least: gateways and radio bridges have been seen to answer this late. */
export const modbusOwedMs = 10_000;
/** A TCP connection not used for so long may be dead without a sign, in translators and in devices: it is opened anew first. */
export const modbusIdleMs = 300_000;
/** Questions for one stream of a unit's identification, which says itself whether more follows. */
export const modbusIdentityAsksMax = 32;
/** Refusals and borders remembered of one table of a model. */
export const modbusLearnedMax = 256;
/** Registers looked at for one value: each has some thirty readings. */
export const modbusBlockMax = 16;
/** Readings to choose from; what is further down fits nothing. */
export const modbusChoicesMax = 20;

// Presence and service discovery.
/** Requests to see us that wait for a decision, the operator's among them (PRES-SUB-06). */
export const subscriptionsPendingMax = 100;
export const subscriptionsPerMinuteMax = 10;
/** Who asks again within this gets the answer he had. */
export const subscriptionAnswerMs = 3_600_000;
export const subscriptionAnswersMax = 1_000;
/** Resources of one contact that are kept: more is no person with his devices. */
export const resourcesPerContactMax = 64;
/** Earlier sessions of our own that a broker may still show after power cuts. */
export const formerSessionsMax = 8;
/** After a new stream, contacts that are there have been told of by then. */
export const presenceSettleMs = 60_000;
/** Services a domain lists; each is asked once. */
export const discoItemsMax = 100;

// The tree of nodes.
/** 10,000 devices, with the lines and gateways they hang on. */
export const nodesMax = 12_000;
/** Deeper than source, line, gateway, meter, channel. */
export const nodeDepthMax = 16;
/** Newest kept; a node with more has a fault nobody looks at (CON-NI-09). */
export const nodeMessagesMax = 100;
/** An open that takes longer is given up and tried again. */
export const openMs = 30_000;
export const closeMs = 3_000;
/** Children of one line opened at once: fewer than its queue holds. */
export const openedAtOnceMax = 16;
export const reopenFirstMs = 1_000;
export const reopenMsMax = 60_000;
/** Open for this long was health: the next loss begins with the first delay again. */
export const reopenHealthyMs = 60_000;
/** Changes a slow listener may lag behind: all nodes of the largest tree at once, twice. */
export const treeChangesMax = 24_000;

// Discovery as a thing (src/xmpp/iot/registration.ts).
/** DISCO-EDGE-01: a fleet behind one broker does not register in step. */
export const registerJitterMs = 60_000;
/** Changes of nodes within this are looked at together. */
export const thingsLookMs = 250;
/** Five a second: between two words to the registry. */
export const registerGapMs = 200;
/** A registry that is away is asked again after this, doubling up to the second; it is never many things at once. */
export const registryRetryFirstMs = 1_000;
export const registryRetryMsMax = 60_000;
/** A thing the registry refused is offered again after this, should the fault have been the registry's. */
export const registryRefusedMs = 3_600_000;
/** DISCO-DISOWN-02: the registry has our acknowledgement before it hears of the thing again. */
export const disownSettleMs = 1_500;
/** URI-DEC-08, DISCO-TAG-03: 64 terms with KEY and R; 8 KiB with names, KEY and room for the registry's own counting. */
export const thingTagsMax = 62;
export const thingTagBytesMax = 7_680;

// M-Bus.
/** Attempts after the first, with the same frame count bit (EN 13757-2). */
export const mbusRetriesMax = 2;
/** Telegrams of one readout: a meter that never stops saying "more follow" is cut off here. */
export const mbusTelegramsMax = 16;
/** Value information blocks remembered once worked out: all models of a large bus have some dozens (EN 13757-3, 6.4). */
export const mbusVibsKnownMax = 1_024;
/** Failed readouts in a row after which a meter rests. */
export const mbusFailedMax = 2;
/** How long it rests before one cheap try; doubled up to the cap, which is below the usual polling interval: a silent meter's
 * polls are slowed down anyway, and a poll that comes must not be wasted on a rest. */
export const mbusRestFirstMs = 30_000;
export const mbusRestMsMax = 600_000;
/** A busy meter is asked again after this, then after twice as long; by then it is a fault that says so (CI 70, code 8). */
export const mbusBusyMs = 2_000;
export const mbusBusyTriesMax = 3;
/** Reading back what was written must leave time to answer within `controlMs`; a longer telegram leaves it unconfirmed. */
export const mbusReadBackMs = 4_000;
/** A clock that was set is read back a moment later, and shows whole minutes. */
export const mbusClockSetMs = 120_000;
/** A search is written down after so many selects, some half a minute: an SD card wears by writing. */
export const mbusSearchKeepSelects = 20;
/** A line feeds 250 unit loads; what is found beyond is told and not kept. */
export const mbusFoundMax = 500;
/** A line that never falls silent is used all the same after this: the next answer must prove itself anyway. */
export const mbusDrainMsMax = 5_000;
/** A frame that equals one accepted so recently may be that one arriving twice: a different one is waited for. */
export const mbusRecallMs = 10_000;
/** A meter's clock may be this far off before its stored values are flagged. */
export const mbusClockOffMs = 300_000;

// The XMPP stream (src/xmpp/stream.ts and what stands on it).
/** For the other side to close its half, and for a stream error to leave, before the socket is destroyed. */
export const streamCloseMs = 2_000;
/** SRV look-ups; without an answer the usual ports are tried. */
export const dnsMs = 5_000;
export const dialTargetsMax = 6;
/** Elements nobody has read yet in a handshake; those of one chunk may come right behind its last answer. */
export const handshakeElementsMax = 5_000;
/** Characters written that the broker does not take: beyond, the stream is lost. The outbox alone may fill half of it. */
export const streamBufferCharsMax = 2 * outboxBytesMax;
/** An acknowledgement is asked for after so many stanzas, or this long after the first one unasked for (XEP-0198). */
export const ackStanzas = 100;
export const ackMs = 250;
/** A broker or mobile link may be as slow as this: acknowledgements of much text are waited for longer. */
export const slowestLinkCharsPerMs = 4;
export const slowestAnswerMsMax = 600_000;
/** A message unacknowledged for this long goes to disk; on a healthy link none does (wear of SD cards). */
export const outboxSettleMs = 1_000;
/** A stream that was bound for this long was healthy: backoff begins anew. */
export const streamHealthyMs = 60_000;
/** Registration refused: asked again by a patient machine (ACC-IBR-05). */
export const registrationAgainMs = 900_000;
export const registrationAgainMsMax = 21_600_000;
/** Fewer SCRAM iterations protect nothing, more are an attack on our processor (ACC-SASL-02). */
export const scramIterationsMin = 4_096;
export const scramIterationsMax = 1_000_000;

// MQTT.
export const mqttConnectMs = 10_000;
export const mqttPublishMs = 10_000;
/** A device's message; firmware images and pictures are none of ours. */
export const mqttPayloadBytesMax = 262_144;
/** With a topic of 64 KiB and some properties before it: what a broker that speaks MQTT 5 is asked to keep to. */
export const mqttPacketBytesMax = mqttPayloadBytesMax + 70_000;
/** A field is no document: what is longer could not be passed on in one stanza. */
export const mqttTextCharsMax = 4_096;
/** A device's clock may be this far ahead of ours before its times are marked and replaced by the time of receipt. */
export const mqttClockOffMs = 300_000;
/** A half-open connection is noticed after one and a half times this. */
export const mqttKeepAliveSeconds = 30;
/** Messages a slow reader may fall behind before the oldest go. */
export const mqttSamplesMax = 256;

// Devices.
/** One device in one readout: a slow M-Bus meter with many telegrams at 300 baud is done by then. */
export const deviceReadMs = 120_000;
/** A driver still at work so long after its signal was aborted has a bug, and the log says so. */
export const leftBehindMs = 5_000;
export const samplesPerReadMax = 10_000;
/** Recorded readings of one node in one readout. */
export const historySamplesMax = 100_000;
/** All writes of one request: the answer must be there before `requestMs`, and say which of them were done. */
export const controlMs = 9_000;
export const controlWaitingMax = 16;
export const controlTextCharsMax = 4_096;

// Decision support (src/xmpp/iot/provisioning.ts; PROV-CACHE, PROV-THR-03).
export const decisionsMax = 20_000;
/** So that one caller cannot push out what was learned about the others. */
export const decisionsPerCallerMax = 200;
/** A revocation whose clearCache was lost takes effect after this at the latest. */
export const decisionAllowMs = 86_400_000;
/** Doubling with each repeat up to the second: an owner's later yes gets through, a stranger does not ask every second. */
export const decisionDenyMs = 300_000;
export const decisionDenyMsMax = 21_600_000;
/** After a longer absence a clearCache may have been missed: what was learned is asked for again at its next use. */
export const decisionAbsenceMs = 60_000;
/** A clock that was set back further than this makes what was learned in its future worthless. */
export const decisionClockBackMs = 300_000;
/** Twice this is less than what a rule may take (decisionMs): an answer that rights overtook is asked for again. */
export const decisionAnswerMs = 4_500;
export const decisionQuestionsMax = 8;
export const decisionQueueMax = 100;
/** Questions of which it is known, for who asks why, that they had no answer. */
export const decisionFailuresMax = 500;
/** Up to so many nodes are asked for one by one, which tells most; more in chunks of the second. */
export const decisionNodesAloneMax = 16;
export const decisionNodesPerQuestionMax = 50;
/** A service found away is not waited for again within this time when there is an older answer to go by. */
export const decisionServiceAwayMs = 30_000;
/** A broker that refuses in the name of a service that is not there does it at once. */
export const serviceProbeMs = 1_000;
export const newQuestionsPerCallerMax = 10;
export const newQuestionsPerDomainMax = 60;
export const newQuestionsMax = 300;
export const newQuestionsMs = 60_000;
/** Callers and domains counted at once; those quiet for longest are forgotten first, the total bound stays. */
export const newQuestionsCountedMax = 1_000;
/** So many clears of single nodes within the time become one of all (PROV-CACHE-06). */
export const nodeClearsMax = 3;
export const nodeClearsMs = 10_000;
/** A silent device is polled this many times less often at most. */
export const pollSlowestTimes = 16;
/** The first polls after a start are spread over this. */
export const pollSpreadMs = 60_000;

// Finding the services of the own domain.
export const servicesFirstMs = 5_000;
export const servicesMsMax = 300_000;
export const servicesAgainMs = 86_400_000;

// The log.
/** Of one value in one line: a stack fits, what a peer sends at the stanza limit does not fill the disk. */
export const logValueCharsMax = 4_096;

// The program as a whole.
/** Requests being answered at once, all callers together. */
export const requestsAtOnceMax = 1_000;
/** Of one bare JID: a quarter of them, so that one who asks slow things leaves room for everybody else. */
export const requestsPerCallerMax = 250;
/** A request repeated within this gets the stored reply (COM-STZ-12). */
export const replayMs = 60_000;
export const replaysMax = 1_000;
/** Replies kept for repeated requests, all together: those of a person are a few kilobytes each. */
export const replayBytesMax = 8 * 1_048_576;
/** A task that failed is started again, soon at first. */
export const restartFirstMs = 500;
export const restartMsMax = 60_000;
export const taskHealthyMs = 60_000;
/** The technician's table is printed when all things are registered, or after this. */
export const announceMs = 60_000;
/** Before this release there was no such program: a clock that says so has not been set yet. */
export const clockEarliestMs = Date.UTC(2026, 10, 1);

// Commands, queries and sniffers (src/concentrator/commands.ts, queries.ts, sniffers.ts; CON-EXEC, CON-QRY, CON-SNIFF).
/** A command still at work is answered for after this and goes on (CON-EXEC-02). */
export const commandReplyMs = 5_000;
/** A command that is not done by then is aborted. */
export const commandMs = 600_000;
/** Executions of one caller under way at once. */
export const commandsPerCallerMax = 20;
export const queriesPerCallerMax = 5;
/** Scanning 251 addresses at 300 baud takes some twenty minutes. */
export const queryMs = 3_600_000;
/** A query that does not heed its abort is left behind after this, and its end is told. */
export const queryAbortMs = 5_000;
/** Items a query may be ahead of what was sent. */
export const reportItemsMax = 64;
/** Nodes in one request for common commands: each of them executes. */
export const commonNodesMax = 100;
/** Rows and remarks of a running query are sent on after this, not held until a message is full. */
export const queryDelayMs = 250;
export const queryMessagesPerSecondMax = 20;
/** Rows of a report's table are printed together at the latest after this: long enough to know how wide they are. */
export const tableHeldMs = 500;
export const sniffersPerNodeMax = 5;
/** Of one bare JID at one node: less than all, so that who forgot his does not keep out the one who comes to help. */
export const sniffersPerCallerAndNodeMax = 3;
export const sniffersPerCallerMax = 10;
/** Granted when nothing else is asked for, and at most (CON-SNIFF-02). */
export const snifferMs = 3_600_000;
export const snifferMsMax = 86_400_000;
/** What was overheard within this goes out in one message (CON-SNIFF-06). */
export const sniffWindowMs = 250;
/** Items of one window; more are dropped, and counted. */
export const sniffItemsMax = 200;
/** Frames of one device kept to be looked at. */
export const lastFramesMax = 20;
/** Octets or characters of one message shown of it. */
export const frameOctetsShownMax = 1_024;
/** A scan that finds the queue of its line full looks again after this. */
export const lineBusyMs = 1_000;
/** Topics one look at a broker collects. */
export const topicsSeenMax = 500;
/** Backups kept in the data folder. */
export const backupsMax = 5;
/** A site as text in one form: what a broker carries in one stanza. */
export const siteCharsMax = 150_000;
/** An object of a report is cut into parts of this size, so that each fits a message as base64. */
export const objectPartBytesMax = 40_000;

// Languages (src/concentrator/contract/language.ts).
/** A sentence for a person; longer texts are lists and quotations, which stay as they are. */
export const translatedCharsMax = 2_048;

// Roles given to others (src/concentrator/roles.ts).
export const rolesMax = 1_000;
/** One owner of a meter must not fill the table of the whole house. */
export const rolesPerGiverMax = 100;
/** What has run out counts no more at once; its holder leaves the contacts within this. */
export const rolesSweepMs = 60_000;

// Subscriptions to sensor data (src/concentrator/subscriptions.ts, src/xmpp/iot/events.ts; EV-SUB, EV-TRG).
export const subscriptionsPerCallerMax = 100;
/** Of one caller, all his subscriptions together. */
export const subscribedNodesPerCallerMax = 20_000;
/** All callers together: 10,000 nodes with a few screens each. */
export const eventSubscriptionsMax = 10_000;
/** Wished for more often, events come this often all the same. */
export const eventIntervalMsMin = 1_000;
export const eventSilenceMsMin = 10_000;
/** An event waits this long for what else the same readout says, so that it is one event. */
export const eventGatherMs = 100;
/** Events being made at once; the others wait their turn. Fewer than a line's queue holds. */
export const eventsAtOnceMax = 16;
/** Errors come once so often to a subscriber who named no interval of his own. */
export const eventFaultMs = 60_000;
/** An event that could not be decided on, since the one to ask is busy or away, is tried again after this. */
export const eventRetryMs = 30_000;
/** A node that is subscribed to is polled this often when no interval was wished for, and never more often than the second. */
export const subscribedPollMs = 60_000;
export const subscribedPollMsMin = 10_000;

// Events of data sources (src/concentrator/source-events.ts, src/store/source-events.ts; CON-SUB, CON-EVT).
export const sourceSubscriptionsPerCallerMax = 20;
export const sourceSubscriptionsMax = 1_000;
export const sourceSubscriptionSecondsMax = 604_800;
/** Between two changes of state of one node, for one subscriber. */
export const statusEventMs = 1_000;
/** Events that wait for one subscriber in memory; who is further behind is told from the log. */
export const sourceEventsWaitingMax = 1_000;
/** Told at once; then the others have their turn. */
export const sourceEventsAtOnceMax = 50;
export const sourceEventsPauseMs = 250;
/** Asked for more past events than this, the whole source is fetched sooner. */
export const sourceReplayMax = 20_000;
export const sourceEventsKeepMs = 7 * 86_400_000;
/** Kept of a source, however old. */
export const sourceEventsKeptMin = 10_000;
/** However young: a line that flaps for a week must not fill the disk. About 100 MB. */
export const sourceEventsKeptMax = 200_000;

// Forms (src/concentrator/form-values.ts, src/xmpp/iot/dynamic-forms.ts).
/** Fields that no form has are named in the answer up to this many: it must not grow with what was sent. */
export const formErrorsMax = 20;
/** DF-DYN-02: idle for so long, a form that can be posted back is forgotten. */
export const formIdleMs = 1_800_000;
export const formsPerJidMax = 20;
export const formsMax = 1_000;
/** CTR-FORM-06: a form does not wait longer for a slow device to say what it is set to. */
export const currentValuesMs = 5_000;

// Clock synchronisation (CLK-RESP-05, CLK-MEAS-02, -03).
export const clockRequestsPerSecondMax = 10;
/** Callers counted within one second; more than that at once is no company but an attack. */
export const countedCallersMax = 1_000;
export const clockMeasureMs = 60_000;
export const clockMeasurementsMax = 16;
/** A later answer measures the network. */
export const clockReplyMsMax = 1_000;
/** Further off, and readings are marked. */
export const clockOffsetMsMax = 2_000;

// Harmonized interfaces (src/concentrator/offered.ts).
/** Kinds of devices whose fields are remembered once for all nodes of the kind. */
export const shapesRememberedMax = 1_000;

// Software updates (src/edge/updates.ts; SWU-CLI-05 to -11).
export const downloadBytesMax = 1_073_741_824;
/** The disk keeps so much for what the appliance itself has to write. */
export const downloadReserveBytes = 64 * 1_048_576;
export const downloadRedirectsMax = 3;
export const downloadIdleMs = 60_000;
/** A gigabyte over a slow mobile link. */
export const downloadMs = 6 * 3_600_000;
/** Spreads a fleet over the server. */
export const downloadDelayMsMax = 600_000;
/** Upper bounds of the random wait after a failure, doubling from the first to the second. */
export const downloadAgainFirstMs = 300_000;
export const downloadAgainMsMax = 86_400_000;

// Clients that follow something (src/client/keeping.ts).
/** Questions whose service is being asked about them; what comes beside is not shown. */
export const questionsJudgedMax = 50;
/** Domains whose services a person's program remembers: of more than he will ever own things at. */
export const trustedDomainsMax = 200;
/** Items a reader may fall behind before he is told that he is too slow. */
export const clientItemsWaitingMax = 20_000;
/** Events may come so much later than the greatest interval before a subscription is taken for lost (EV-END-03). */
export const clientLatencyMs = 15_000;
/** A subscription that cannot be made anew is tried again after this. */
export const clientRetryMs = 5_000;

// Published values (src/concentrator/publishing.ts).
export const publishedNodesMax = 1_000;
/** A service that is away or refuses is tried again after the first, doubling to the second. */
export const publishingRetryFirstMs = 10_000;
export const publishingRetryMsMax = 900_000;
/** Owners and forgotten places are looked at this often when nothing else is to do. */
export const publishingIdleMs = 60_000;

// What drivers learn (src/store/driver-memory.ts).
/** Products one driver remembers something of; the longest unchanged go first. */
export const memoryEntriesMax = 500;
export const memoryKeyCharsMax = 256;
/** The refusals of a unit with a thousand registers. */
export const memoryTextCharsMax = 16_384;

// SunSpec (src/drivers/modbus/sunspec*.ts).
/** A chain of models that does not end is no chain. */
export const sunspecModelsMax = 200;
/** Of one model: a string combiner with a hundred inputs has some 1,400; a length beyond is a damaged one. */
export const sunspecModelWordsMax = 4_000;
/** Points of one model: a count that was read wrongly must not fill the memory. */
export const sunspecPointsMax = 4_000;

// Profiles (src/drivers/profile*.ts).
/** A thousand fields of two hundred characters. */
export const profileBytesMax = 262_144;
/** Of one file: the first ones are repaired first. */
export const profileFaultsMax = 20;
/** Of the owner, in one folder. */
export const profileFilesMax = 500;

// Accounts by API key (src/registry/accounts; ACC-SRV-03, -04).
export const keyAccountsMax = 1_000_000;
export const keyNetworksMax = 64;
export const keyPrefixCharsMax = 20;
export const keyRatePerMinuteMax = 6_000;
/** Keys whose rate is known at the same time. */
export const ratedKeysMax = 1_000;
export const signatureTimeMs = 300_000;
/** For keys whose devices have no clock. */
export const signatureClocklessMs = 86_400_000;
/** Longer than a form may be early and late together, so that it cannot outlive the memory of its nonce. */
export const nonceKeepMs = (clockless: boolean): number => 3 * (clockless ? signatureClocklessMs : signatureTimeMs);
/** Remembered for minutes, for keys without a clock for three days: so many accounts in that time. */
export const accountNoncesMax = 100_000;
export const accountNameCharsMax = 64;
/** Of one key, on a terminal. */
export const listedAccountsMax = 1_000;
export const formFieldsMax = 64;
export const formValueCharsMax = 1_024;

// Labels (src/labels, src/edge/label-commands.ts).
/** URI-SEC-04: 97 modules a side; more are too small on any label. */
export const codeVersionMax = 20;
/** Fonts of all Chinese characters have some 20 MB. */
export const fontBytesMax = 64 * 1_048_576;

// Tokens (src/base/certificates.ts, src/xmpp/iot/token-*.ts, src/registry/token*.ts, src/client/tokens.ts).
export const rsaBitsMin = 2_048;
/** Of keys made here. */
export const tokenKeyBits = 3_072;
/** Of a common name (RFC 5280, upper bounds). */
export const certificateNameCharsMax = 64;
/** A certificate with a key of 8192 bits has 2,400. */
export const certificateBytesMax = 8_192;
/** Of a challenge before it is encrypted; a key of 2048 bits takes 214 with OAEP and SHA-1. */
export const tokenPlainBytes = 32;
/** A holder decrypts nothing longer or shorter: he is no oracle for other messages (TOK-CHAL-04). */
export const challengeBytesMin = 16;
export const challengeBytesMax = 128;
/** The answer to `getToken`'s challenge may come this long. */
export const tokenRequestMs = 120_000;
export const tokenRequestsPerJidMax = 5;
export const tokenRequestsMax = 10_000;
/** Requests for tokens and certificates, of one JID, a minute. */
export const tokenQuestionsPerMinute = 30;
/** Different certificates of one account that have a token. */
export const tokensPerAccountMax = 20;
/** A challenge is answered within this, or the token counts for nothing (TOK-CHAL-01). */
export const tokenChallengeMs = 30_000;
/** Who passes a challenge on waits so much less than who sent it to him (TOK-CHAL-03). */
export const tokenHopMs = 5_000;
export const tokenHopsMax = 4;
/** A proof is good for so long. */
export const tokenProofMs = 86_400_000;
/** A proof that is older is renewed when the token is shown again, while it still counts. */
export const tokenProofFreshMs = 43_200_000;
/** A challenge that failed is not repeated sooner. */
export const tokenFailedMs = 60_000;
export const tokenProofsMax = 5_000;
/** Callers of whom it is remembered which tokens they showed last, for explanations. */
export const tokenShowersMax = 1_000;
/** A holder answers, and who got a token passes on, for so long after it was sent (TOK-CHAL-02). */
export const tokenSentMs = 60_000;
export const tokensSentMax = 2_000;
/** Of one sender, within `tokenSentMs`: so many different tokens are looked at. */
export const tokensPerSenderMax = 24;
/** Challenges to one sender, a minute. */
export const tokenChallengesPerMinute = 24;
/** A request waits so long for the proof of its tokens, then goes on without (decisionMs is for this and the decision). */
export const tokenWaitMs = 4_000;
/** The service asks back within the time a device waits for its decision (decisionAnswerMs). */
export const tokenServiceWaitMs = 3_000;
/** Certificates that have expired are looked for this often. */
export const tokenRoundMs = 3_600_000;
/** Of a name; what is longer is cut before it is measured. */
export const labelTextCharsMax = 400;
/** A phone in bad light; and what label printers print well. */
export const codeModuleMmMin = 0.3;
export const codeModuleMmWished = 0.36;
/** Read from a metre away. */
export const codeModuleMmMax = 1;
/** Size of the type: below it nobody reads it on a ladder, above it is a poster. */
export const labelTextMmMin = 1.6;
/** Words are broken sooner than smaller than this. */
export const labelTextMmWished = 2.2;
export const labelTextMmMax = 6;

// The event log (src/xmpp/iot/event-log.ts).
/** Events that wait while nobody can be told: what a bad day makes; then the oldest go, and are counted. */
export const eventLogWaitingMax = 1_000;
/** Ten a second, after a hundred at once. */
export const eventLogAtOnceMax = 100;
export const eventLogGapMs = 100;
/** Who sent one back is left alone so long. */
export const eventLogRefusedMs = 600_000;
/** Of one event, in UTF-8. */
export const eventLogTextBytesMax = 4_096;
export const eventLogStackBytesMax = 8_192;
export const eventLogTagsMax = 32;
/** Received by the registry component: so many are kept, in so many octets, whoever sends them. */
export const receivedEventsMax = 100_000;
export const receivedEventsBytesMax = 268_435_456;
/** Of one sender: five hundred at once, then twenty a second. */
export const receivedAtOnceMax = 500;
export const receivedGapMs = 50;
/** Characters of a name or of the value of one tag. */
export const receivedNameCharsMax = 1_024;
/** Lines that are printed in one go. */
export const receivedListMax = 10_000;
/** Of a label: below the first no code fits, above the second no printer prints. */
export const labelSideMmMin = 15;
export const labelSideMmMax = 300;
export const labelDotsMin = 150;
export const labelDotsMax = 1_200;
export const labelCopiesMax = 100;
/** 10,000 devices and their appliance; a file of more is no file for a printer. */
export const labelsMax = 20_000;

// Contacts of the appliance (src/edge/contacts.ts).
/** Addresses kept out; whole domains are blocked as one. */
export const blockedMax = 1_000;
/** Pairing codes that nobody has used yet, and how long one is good at most. */
export const pairingsMax = 16;
export const pairingMsMax = 604_800_000;
/** New codes that wait for their turn with the registry: askers, not things, for each asks for one after the other. */
export const rekeysWaitingMax = 100;

// The appliance's account (src/edge/account.ts; ACC-IBR-07).
export const accountLookMs = 1_000;
/** Passwords are looked at by the calendar. */
export const accountIdleMs = 600_000;
/** The report of who took the appliance out of service is with him by then. */
export const accountLeaveAfterMs = 3_000;
/** Things are taken out of the registry one after the other, five a second; so long in all, and for each. */
export const thingsLeaveMs = 30_000;
export const thingsLeaveEachMs = 1_000;
/** A change of the password that failed is tried again after the first, doubling to the second. */
export const passwordAgainMs = 60_000;
export const passwordAgainMsMax = 86_400_000;

// What is left of a former owner (src/edge/parting.ts).
/** What could not be taken away, such as a contact while the broker is away, is tried again after this. */
export const partingAgainMs = 600_000;
/** Nodes named in one question: a thousand of a hundred characters. */
export const labelNodesCharsMax = 100_000;
/** Nodes asked for in one form. */
export const labelsAskedMax = 200;
/** Lines of text whose letters stay in memory. */
export const linesRememberedMax = 500;

// Looking for a broker in the local network (src/cli/local-brokers.ts; ACC-FIND-01).
export const dnsRecordsMax = 256;
/** Those who answer do so within a second, slow ones twice that; a question is said again in between. */
export const localBrokersMs = 3_000;
export const localBrokersAgainMs = 1_000;
export const localBrokersMax = 32;
