// SPDX-License-Identifier: MIT
//
// What Node's parser of HTTP, llhttp, makes of a stream, in the form that frame_dump prints.
'use strict';

// The module of Node's own http; there is no public name for the parser alone.
const { HTTPParser, methods } = require('_http_common');

// Bodies are in hexadecimal. `end` is as for frame_dump, `code` is llhttp's name for the error.
function parse(stream, isResponse, isToHead) {
  const messages = [];
  let fields = [], early = '';
  const parser = new HTTPParser();
  parser.initialize(isResponse ? HTTPParser.RESPONSE : HTTPParser.REQUEST, {}, 64 * 1024);
  let current = null;
  parser[HTTPParser.kOnMessageBegin | 0] = () => { fields = []; early = ''; };
  parser[HTTPParser.kOnHeaders | 0] = (more, target) => { fields.push(...more); early += target; };
  parser[HTTPParser.kOnHeadersComplete | 0] = (major, minor, more, method, target, status, reason, upgrade, staysOpen) => {
    const all = fields.concat(more || []);
    fields = [];
    current = {
      fields: all.length / 2, body: '', whole: false, closes: !staysOpen,
      method: isResponse ? undefined : methods[method], target: isResponse ? undefined : early + (target || ''), status: isResponse ? status : undefined, upgrade,
    };
    messages.push(current);
    return isResponse && isToHead ? 1 : 0;
  };
  parser[HTTPParser.kOnBody | 0] = (bytes) => { current.body += bytes.toString('hex'); };
  parser[HTTPParser.kOnMessageComplete | 0] = () => { current.whole = true; current = null; };
  const result = parser.execute(stream);
  let end = 'between', code = '';
  const last = messages[messages.length - 1];
  if (result instanceof Error) {
    end = result.code === 'HPE_CLOSED_CONNECTION' ? 'closed' : 'refused';
    code = result.code;
  } else if (last && last.upgrade && last.whole) {
    end = 'upgraded';
  } else if (last && last.whole && last.closes) {
    end = 'closed';
  } else {
    const wasWhole = current === null || current.whole;
    const error = parser.finish();
    if (error instanceof Error) {
      end = 'inside';
    } else if (!wasWhole) {
      end = 'until-end';
      last.whole = false;
    }
  }
  return { messages, end, code };
}

module.exports = { parse };
