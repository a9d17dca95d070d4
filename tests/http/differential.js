// SPDX-License-Identifier: MIT
//
// Compares our framing of HTTP with that of llhttp, the parser in Node.
//
// usage: node differential.js PATH_OF_FRAME_DUMP [COUNT [SEED]]
//
// Each stream of a generated corpus is framed by both. Where both accept, they must frame it alike:
// as many messages, with the same methods, targets, statuses, numbers of fields and bodies. Where one
// refuses and the other does not, disagreements.json must have a row that says why; a row that
// nothing matches fails the test, too, unless another corpus was asked for. All of that is about --http-strict, since
// llhttp is strict as well. What we accept, strict or not, goes on edited, and llhttp must find the same messages in
// that, so that what the multiplexer sends means to another program what it meant to us.
'use strict';

const { spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const { Maker } = require('./corpus.js');
const { parse } = require('./llhttp.js');

const SHOWN_MAX = 200;

function dump(program, cases, isStrict) {
  const parts = [];
  for (const one of cases) {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(one.stream.length, 0);
    head[4] = (one.isResponse ? 1 : 0) | (one.isToHead ? 2 : 0) | (isStrict ? 8 : 0);
    parts.push(head, one.stream);
  }
  const run = spawnSync(program, [], { input: Buffer.concat(parts), maxBuffer: 1 << 30 });
  if (run.error || run.status !== 0) {
    throw new Error(`${program} failed: ${run.error || run.stderr}`);
  }
  return run.stdout.toString('latin1').trim().split('\n').map((line) => JSON.parse(line));
}

// Our first line, cut as llhttp reports it.
function parts(message, isResponse) {
  const words = message.line.split(' ');
  return isResponse ? { status: Number(words[1]) } : { method: words[0], target: words[1] };
}

// How what both accepted differs; '' if it does not.
function difference(ours, theirs, isResponse, fieldsToo) {
  const [mine, other] = [ours.messages, theirs.messages];
  if (mine.length !== other.length) {
    return `${mine.length} messages and ${other.length}`;
  }
  for (let index = 0; index < mine.length; index++) {
    const expected = { ...parts(mine[index], isResponse), body: mine[index].body, whole: mine[index].whole };
    if (fieldsToo) {
      expected.fields = mine[index].fields;
    }
    for (const key of Object.keys(expected)) {
      if (expected[key] !== other[index][key]) {
        return `message ${index}: ${key} '${expected[key]}' and '${other[index][key]}'`;
      }
    }
  }
  return '';
}

// Half of an empty line in front of the next message is nothing yet.
function isBetween(ours, stream) {
  const tail = stream.subarray(stream.length - ours.left).toString('latin1');
  return ours.end === 'between' || (ours.end === 'inside' && tail === '\r' &&
    ours.messages.every((message) => message.whole));
}

class Table {
  constructor(file) {
    this.rows = JSON.parse(fs.readFileSync(file, 'utf8')).map((row) => (
      { ...row, where: new RegExp(row.where || '', 'si'), line: new RegExp(row.line || '', 'm'), matched: 0 }));
  }

  // Whether there is a row for it; `lines` are the first lines of our messages.
  has(kind, ours, theirs, text, lines) {
    const row = this.rows.find((one) => one.kinds.includes(kind) && one.ours === ours && one.llhttp === theirs &&
      one.where.test(text) && one.line.test(lines));
    if (row) {
      row.matched++;
    }
    return row !== undefined;
  }
}

const UNDECIDED = 'undecided';

function whole(side) {
  return side.messages.filter((message) => message.whole);
}

// What it makes of the stream: it refuses for a reason, or accepts, or wants to see more; or it has
// stopped before the place where the other refuses.
function verdict(outcome, opposite) {
  switch (outcome.end) {
    case 'refused': return outcome.code;
    case 'inside': return UNDECIDED;
    case 'closed': return opposite.end === 'refused' && whole(opposite).length >= whole(outcome).length ? UNDECIDED : 'accepts';
    default: return 'accepts';
  }
}

// Where the part that one side has not accepted begins: before that, the two have to agree.
function agreement(ours, theirs, isResponse, fieldsToo) {
  const count = Math.min(whole(ours).length, whole(theirs).length);
  const cut = (side) => ({ messages: whole(side).slice(0, count) });
  return difference(cut(ours), cut(theirs), isResponse, fieldsToo);
}

// '' if the two agree or the table says why not; else how they differ.
function judge(table, one, ours, theirs, kind) {
  const text = one.stream.toString('latin1');
  const lines = ours.messages.map((message) => message.line).join('\n');
  const fieldsToo = !/^(edited|mended)/.test(kind);
  const state = isBetween(ours, one.stream) ? 'between' : ours.end;
  const [mine, other] = [verdict({ ...ours, end: state }, theirs), verdict(theirs, ours)];
  const isEven = whole(ours).length === whole(theirs).length;
  if (mine === other && (mine === UNDECIDED || (isEven && state === theirs.end))) {
    return isEven ? difference(ours, theirs, one.isResponse, fieldsToo) : `${whole(ours).length} messages and ${whole(theirs).length}`;
  }
  if (mine === other) { // one has stopped where the other has gone on
    const ends = state !== theirs.end ? [state, theirs.end]
      : whole(ours).length > whole(theirs).length ? ['between', 'closed'] : ['closed', 'between'];
    if (!table.has(kind, ...ends, text, lines)) {
      return `ends ${ends[0]} and ${ends[1]}`;
    }
  }
  const isOpen = mine === UNDECIDED || other === UNDECIDED;
  const areBoth = ours.end === 'refused' && theirs.end === 'refused';
  if (mine !== other && !isOpen && !areBoth && !table.has(kind, mine, other, text, lines)) {
    return `we: ${mine}, llhttp: ${other}`;
  }
  return agreement(ours, theirs, one.isResponse, fieldsToo);
}

function makeCases(count, seed) {
  const maker = new Maker(seed);
  const cases = [];
  for (let index = 0; index < count; index++) {
    const isResponse = index % 2 === 1;
    cases.push({ isResponse, isToHead: isResponse && maker.below(8) === 0, stream: maker.stream(isResponse) });
  }
  return cases;
}

function main() {
  const [program, count = '200000', seed = '1'] = process.argv.slice(2);
  const table = new Table(path.join(__dirname, 'disagreements.json'));
  const cases = makeCases(Number(count), Number(seed));
  const strict = dump(program, cases, true);
  const lenient = dump(program, cases, false);
  const failures = [];
  let [accepted, mended] = [0, 0];
  // What goes on is to llhttp what the stream was to us.
  function checkEdited(one, ours, kind) {
    const edited = { ...one, stream: Buffer.from(ours.edited, 'hex') };
    const messages = ours.messages.map((message) => ({ ...message, whole: message.whole || ours.finished }));
    const end = messages.every((message) => message.whole) ? 'between' : ours.end;
    const again = judge(table, edited, { ...ours, messages, left: 0, end },
      parse(edited.stream, one.isResponse, one.isToHead), kind);
    if (again) {
      failures.push(`${kind}: ${again}\n  ${JSON.stringify(one.stream.toString('latin1'))}\n  ${JSON.stringify(edited.stream.toString('latin1'))}`);
    }
  }
  cases.forEach((one, index) => {
    const ours = strict[index];
    const kind = one.isToHead ? 'response to HEAD' : one.isResponse ? 'response' : 'request';
    const found = judge(table, one, ours, parse(one.stream, one.isResponse, one.isToHead), kind);
    if (found) {
      failures.push(`${found}\n  ${JSON.stringify(one.stream.toString('latin1'))}`);
    }
    if (ours.end !== 'refused') {
      accepted++;
      checkEdited(one, ours, `edited ${kind}`);
    }
    if (lenient[index].end !== 'refused' && JSON.stringify(lenient[index]) !== JSON.stringify(ours)) {
      mended++;
      checkEdited(one, lenient[index], `mended ${kind}`);
    }
  });
  const isDefault = process.argv.length === 3;
  for (const row of table.rows.filter((unused) => isDefault && unused.matched === 0)) {
    failures.push(`no stream matches the row ${row.kinds}: ${row.ours}, ${row.llhttp}, ${row.where}, ${row.line}`);
  }
  failures.slice(0, SHOWN_MAX).forEach((failure) => console.log(failure));
  console.log(`node ${process.version}, llhttp ${process.versions.llhttp}: ${cases.length} streams, ${accepted} accepted, ${mended} mended, ` +
    `${failures.length} failures`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}

main();
