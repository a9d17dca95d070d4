// SPDX-License-Identifier: MIT
// A target in Node: http_server.js DIRECTORY serves its files and the pages below. It says its port,
// every connection, and when there is more than one at a time.
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

const directory = process.argv[2];
const parts = Array.from({ length: 1000 }, (_, number) => `part ${number},`.repeat(100));

function inParts(response) {
    parts.forEach((part) => response.write(part));
    response.end();
}

function upload(request, response) {
    let size = 0;
    request.on('data', (piece) => (size += piece.length));
    request.on('end', () => response.end(String(size)));
}

const pages = {
    '/': (request, response) => response.end('hello'),
    '/chunked': (request, response) => inParts(response),
    '/until-close': (request, response) => {
        response.useChunkedEncodingByDefault = false;
        response.shouldKeepAlive = false;
        inParts(response);
    },
    '/none': (request, response) => response.writeHead(204).end(),
    '/unchanged': (request, response) => response.writeHead(304, { ETag: '"1"' }).end(),
    '/hints': (request, response) => {
        response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
        response.end('after hints');
    },
    '/close': (request, response) => response.setHeader('Connection', 'close').end('closing'),
    '/upload': upload,
};

function file(request, response) {
    fs.readFile(path.join(directory, path.basename(request.url)), (error, data) => {
        response.writeHead(error ? 404 : 200).end(data);
    });
}

const server = http.createServer({ keepAliveTimeout: 0 }, (request, response) => {
    (pages[request.url] ?? file)(request, response);
});

let open = 0;
server.on('connection', (socket) => {
    open += 1;
    console.log(open === 1 ? 'connected' : 'TOO MANY: ' + open);
    socket.on('close', () => (open -= 1));
});
server.listen(0, '127.0.0.1', () => console.log('listening ' + server.address().port));
