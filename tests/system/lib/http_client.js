// SPDX-License-Identifier: MIT
// Node's agent with connections that are kept: http_client.js PORT SOCKETS COUNT asks for /0, /1, ... and
// says how many answers were right and how many connections they took.
'use strict';

const http = require('node:http');

const [port, sockets, count] = process.argv.slice(2).map(Number);
const agent = new http.Agent({ keepAlive: true, maxSockets: sockets });
const used = new Set();

function ask(number) {
    return new Promise((resolve, reject) => {
        const request = http.get({ host: '127.0.0.1', port, agent, path: '/' + number }, (response) => {
            let body = '';
            response.setEncoding('utf8');
            response.on('data', (piece) => (body += piece));
            response.on('end', () => resolve(response.statusCode === 200 && body.endsWith('/' + number)));
            response.on('error', reject);
        });
        request.on('socket', (socket) => used.add(socket));
        request.on('error', reject);
    });
}

Promise.all(Array.from({ length: count }, (_, number) => ask(number))).then((answers) => {
    console.log(`${answers.filter(Boolean).length} right over ${used.size} connections`);
    agent.destroy();
});
