// SPDX-License-Identifier: MIT
//
// Streams of HTTP for differential.js: made from a grammar with a seed, right and wrong ones, and
// then mutated. The same seed gives the same streams on every machine.
'use strict';

// A generator of 32-bit numbers (mulberry32).
function randomFrom(seed) {
  let state = seed >>> 0;
  return function below(limit) {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

const methods = ['GET', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH', 'XYZ', 'get', 'CONNECT'];
const targets = ['/', '/a?b=c', '/%20x', '*', 'http://h/', 'http://u:p@h:8/x', '/a#b', '/"<>{}|', 'x', '/\xe9', ''];
const versions = ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/1.2',
  'HTTP/2.0', 'HTTP/0.9', 'http/1.1', 'HTTP/1.1 ', 'HTTP/1.10'];
const odd = ['\0', '\r', '\n', '\r\n', '\t', ' ', '\x0b', '\x7f', '\x80', '\xff', ':', ';', ',', '"', '0', 'a', '-', '+', '_'];
const oddFields = ['X : y', ' X: y', '\tX: y', 'X', ': y', 'X: a\r\n b', 'X: a\rb', 'X: a\nY: b', 'X: \0', 'X: \x01', 'X\xe9: y',
  'Content-Length: 3', 'Content-Length: +3', 'Content-Length: 0x3', 'Content-Length: 3, 3', 'Content-Length: ', 'Content-Length:\t3',
  'Content-Length: 99999999999999999999', 'Content-Length : 3', 'Content-Length: 3 3', 'Transfer-Encoding: chunked',
  'Transfer-Encoding: Chunked', 'Transfer-Encoding:\tchunked', 'Transfer-Encoding : chunked', 'Transfer-Encoding: xchunked',
  'Transfer-Encoding: chunked, identity', 'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: chunked;q=1', 'Transfer-Encoding:',
  'Transfer-Encoding: identity', 'Transfer-Encoding:\x0bchunked', 'Transfer-Encoding: chunked,', 'Transfer-Encoding: "chunked"',
  'Transfer\u005fEncoding: chunked', 'Host: h', 'Host: a b', 'Connection: close', 'Connection: keep-alive', 'Connection: a b',
  'Connection: X, close', 'Proxy-Connection: keep-alive', 'TE: trailers', 'Expect: 100-continue', 'Trailer: Sum',
  'Authorization: NTLM x', 'Authorization: Basic x'];
const plainFields = ['X: y', 'Accept: */*', 'Cookie: a=b; c=d', 'x-empty:', 'X-Space:   a b  ', 'X-Tab:\ta\tb\t', 'X-High: \xe9', 'Keep-Alive: 5'];
const statuses = ['200 OK', '200 OK', '204 No Content', '304 Not Modified', '404 Not Found', '100 Continue', '100 Continue', '103 Early Hints',
  '205 Reset', '200', '200 ', '999 X', '099 X', '20 X', '2000 X', '200\tOK', '101 Switching', '500 \xe9', '200 OK\r'];
const chunkLines = ['5', '05', '5;a=b', '5;a', '5 ;a', '5;a="b;\\"c"', '5;a=b;c', '0x5', '5 ', '+5', '-5', '5;', '5;a=', '5_', 'g',
  '', ' 5', '5\t', '5;a b', 'FFFFFFFFFFFFFFFFF', '00000000000000000005'];

class Maker {
  constructor(seed) {
    this.below = randomFrom(seed);
  }

  one(list) {
    return list[this.below(list.length)];
  }

  // Mostly the first of the list.
  mostly(list, odds) {
    return this.below(odds) > 0 ? list[0] : this.one(list);
  }

  field(odds) {
    return (this.below(odds) > 0 ? this.one(plainFields) : this.one(oddFields)) + '\r\n';
  }

  chunks() {
    let text = '';
    for (let count = this.below(4); count > 0; count--) {
      text += `${this.mostly(chunkLines, 10)}\r\nhello${this.mostly(['\r\n', '\r\n', '\n', '\r', 'xx', ''], 25)}`;
    }
    const trailer = this.below(3) > 0 ? '' : this.field(4);
    return `${text}${this.mostly(['0', '000', '0;a', '0 '], 6)}\r\n${trailer}\r\n`;
  }

  // Fields that frame, and a body that mostly fits them.
  body() {
    switch (this.below(5)) {
      case 0: return ['', ''];
      case 1: return ['Content-Length: 5\r\n', 'hello'];
      case 2: return ['content-length:  05 \r\n', 'hello'];
      case 3: return ['Content-Length: 0\r\n', ''];
      default: return ['Transfer-Encoding: chunked\r\n', this.chunks()];
    }
  }

  fields(odds) {
    let text = '';
    for (let count = this.below(4); count > 0; count--) {
      text += this.field(odds);
    }
    return text;
  }

  request() {
    const odds = this.one([3, 30, 1000]);
    const [framing, body] = this.body();
    const host = this.mostly(['Host: h\r\n', 'host: h:80\r\n', 'Host:\r\n', '', 'Host: a\r\nHost: b\r\n'], 8);
    const line = `${this.mostly(methods, 3)}${this.mostly([' ', '  ', '\t'], 30)}${this.mostly(targets, 4)} ${this.mostly(versions, 4)}`;
    return `${this.mostly(['', '\r\n', '\r\n\r\n', '\n'], 20)}${line}\r\n${host}${this.fields(odds)}${framing}${this.fields(odds)}\r\n${body}`;
  }

  response() {
    const odds = this.one([3, 30, 1000]);
    const [framing, body] = this.body();
    return `${this.mostly(versions, 4)} ${this.mostly(statuses, 3)}\r\n${this.fields(odds)}${framing}${this.fields(odds)}\r\n${body}`;
  }

  mutate(text) {
    const at = this.below(text.length + 1);
    switch (this.below(5)) {
      case 0: return text.slice(0, at) + this.one(odd) + text.slice(at);
      case 1: return text.slice(0, at) + this.one(odd) + text.slice(at + 1);
      case 2: return text.slice(0, at) + text.slice(at + 1 + this.below(3));
      case 3: return this.below(3) > 0 ? text : text.slice(0, at);
      default: {
        const from = this.below(text.length + 1);
        return text.slice(0, at) + text.slice(from, from + 1 + this.below(12)) + text.slice(at);
      }
    }
  }

  // One to three messages, about half of them mutated.
  stream(isResponse) {
    let text = '';
    for (let count = 1 + this.below(3); count > 0; count--) {
      text += isResponse ? this.response() : this.request();
    }
    for (let count = this.below(2) * (1 + this.below(3)); count > 0; count--) {
      text = this.mutate(text);
    }
    return Buffer.from(text, 'latin1');
  }
}

module.exports = { Maker };
