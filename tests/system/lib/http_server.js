// SPDX-License-Identifier: MIT
// A target in Node: says its port, every connection, and when there is more than one at a time.
'use strict';

const http = require('node:http');

const pages = {
    '/chunked': (request, response) => {
        response.write('first,');
        response.write('second,');
        response.end('third');
    },
    '/none': (request, response) => response.writeHead(204).end(),
    '/unchanged': (request, response) => response.writeHead(304, { ETag: '"1"' }).end(),
    '/hints': (request, response) => {
        response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
        response.end('after hints');
    },
    '/close': (request, response) => {
        response.setHeader('Connection', 'close');
        response.end('closing');
    },
    '/upload': (request, response) => {
        let size = 0;
        request.on('data', (piece) => (size += piece.length));
        request.on('end', () => response.end(String(size)));
    },
    '/': (request, response) => response.end('hello'),
};

const server = http.createServer({ keepAliveTimeout: 0 }, (request, response) => {
    pages[request.url](request, response);
});

let open = 0;
server.on('connection', (socket) => {
    open += 1;
    console.log(open === 1 ? 'connected' : 'TOO MANY: ' + open);
    socket.on('close', () => (open -= 1));
});
server.listen(0, '127.0.0.1', () => console.log('listening ' + server.address().port));
