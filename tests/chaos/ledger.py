# SPDX-License-Identifier: MIT
"""What was asked, what the target heard and what was answered; every promise about that is checked here.

A violation is a sentence and the requests or the client that it is about, whose stories are told with it.
"""

import time

EFFECT_UNKNOWN = 0
VIOLATIONS_KEPT = 12


class Record:
    """The life of one request."""

    def __init__(self, ask, client, floor):
        self.ask = ask
        self.client = client
        self.is_whole = False  # its last byte is being sent, or has been
        self.heard = []  # (time, connection of the target)
        self.floor = floor  # effects that somebody knew of when this was asked
        self.effect = EFFECT_UNKNOWN  # its number among the effects
        self.answered = None
        self.sent_answer = None  # when the target had sent all of an answer
        self.refused = False  # by the target itself, without a name
        self.is_cut = False  # the target ended an answer too early, in a way that looks right


class Ledger:
    def __init__(self, wire, in_flight, ignores_id, ignores_type):
        self.wire = wire
        self.in_flight = in_flight
        self.ignores_id = ignores_id
        self.by_id = wire.by_id and not ignores_id
        self.tells_strays = wire.is_typed and not ignores_type  # nobody gets one, and the connection goes on
        self.began = time.monotonic()
        self.records = [None]  # numbers begin at 1
        self.violations = []
        self.sendings = 0
        self.effects = 0
        self.effects_known = 0
        self.strays = 0  # sent by the target
        self.strays_taken = 0
        self.shared_refusals = 0
        self.answered = 0
        self.errors = 0
        self.closed = 0  # requests whose client was closed instead
        self.stopped = 0.0  # seconds that the multiplexer was made to stand still

    def now(self):
        return time.monotonic() - self.began

    def violate(self, sentence, client=None, numbers=()):
        if len(self.violations) < VIOLATIONS_KEPT:
            self.violations.append((self.now(), sentence, client, tuple(numbers)))

    # ---- asking ----

    def ask(self, client, rng, size, want):
        ask = self.wire.ask(rng, len(self.records), size, want)
        record = Record(ask, client, self.effects_known)
        self.records.append(record)
        return record

    # ---- the target hears ----

    def hear(self, connection, message):
        """A whole request; None if it is nobody's."""
        self.sendings += 1
        shared = self.wire.by_id and message.how[0] == 200
        if message.kind != "ask":
            self.violate("the target got what nobody sent: %s" % message.text)
            return
        if shared:
            return
        if not 0 < message.number < len(self.records):
            self.violate("the target got a request with number %d, which nobody made" % message.number)
            return
        record = self.records[message.number]
        record.heard.append((self.now(), connection.number))
        self.check_heard(record, message)
        if record.ask.has_effect:
            self.effects += 1
            record.effect = self.effects

    def check_heard(self, record, message):
        ask, number, times = record.ask, message.number, len(record.heard)
        if message.want != ask.want and ask.kind != "write":
            self.violate("request %d asks for %d bytes at the target instead of %d" % (number, message.want, ask.want),
                         record.client, [number])  # fmt: skip
        if not record.is_whole:
            sentence = "request %d reached the target, though its end was never sent"
            self.violate(sentence % number, record.client, [number])
        if ask.has_effect and times > 1:
            self.violate("request %d, which has an effect, reached the target %d times" % (number, times),
                         record.client, [number])  # fmt: skip
        elif times > 2 and self.wire.name != "http":  # a pipeline may be cut behind an answer that closes
            self.violate("request %d reached the target %d times" % (number, times), record.client, [number])

    # ---- the client is answered ----

    def answer(self, record, message):
        """An answer to this request has come; whether it is the right one."""
        ask = record.ask
        expected = ask.size if ask.is_shared else ask.number
        if message.number != expected:
            self.violate("request %d got the answer to %d" % (ask.number, message.number), record.client,
                         [ask.number, message.number])  # fmt: skip
            return False
        if ask.want != message.want and ask.answer != "empty" and ask.kind not in ("HEAD", "write"):
            self.violate("the answer to %d has %d bytes instead of %d" % (ask.number, message.want, ask.want),
                         record.client, [ask.number])  # fmt: skip
            return False
        if message.effects < record.floor and ask.kind in ("read", "shared"):
            self.violate("the answer to the read %d knows of %d effects, and %d had ended when it was asked"
                         % (ask.number, message.effects, record.floor), record.client, [ask.number])  # fmt: skip
        record.answered = self.now()
        self.answered += 1
        self.effects_known = max(self.effects_known, record.effect)
        return True

    # ---- stories ----

    def story(self, number):
        if not 0 < number < len(self.records):
            return []
        record = self.records[number]
        lines = ["request %d: %s" % (number, record.ask)]
        lines += ["  %.3f at the target, connection %d" % heard for heard in record.heard]
        if record.sent_answer is not None:
            lines.append("  %.3f the target has sent an answer" % record.sent_answer)
        if record.answered is not None:
            lines.append("  %.3f answered" % record.answered)
        return lines
