// SPDX-License-Identifier: MIT
// Clients in Node with connections that are kept: http_client.js KIND PORT SOCKETS COUNT asks for /0, /1, ...
// and says how many answers were right. KIND is `agent`, Node's own; `fetch`, the undici that is inside
// Node; `pool`, undici as a package, several requests at a time on each connection.
'use strict';

const http = require('node:http');

const [kind, port, sockets, count] = process.argv.slice(2).map((word) => (isNaN(word) ? word : Number(word)));
const origin = 'http://127.0.0.1:' + port;

function withAgent() {
    const agent = new http.Agent({ keepAlive: true, maxSockets: sockets });
    const used = new Set();
    const ask = (path) =>
        new Promise((resolve, reject) => {
            const request = http.get({ host: '127.0.0.1', port, agent, path }, (response) => {
                let body = '';
                response.setEncoding('utf8');
                response.on('data', (piece) => (body += piece));
                response.on('end', () => resolve([response.statusCode, body]));
                response.on('error', reject);
            });
            request.on('socket', (socket) => used.add(socket));
            request.on('error', reject);
        });
    const end = () => agent.destroy();
    return { ask, end, connections: () => used.size };
}

function withFetch() {
    const ask = async (path) => {
        const response = await fetch(origin + path);
        return [response.status, await response.text()];
    };
    return { ask, end: () => process.exit(0), connections: () => 'some' };
}

function withPool() {
    const { Pool } = require('undici');
    const pool = new Pool(origin, { connections: sockets, pipelining: 4 });
    let connections = 0;
    pool.on('connect', () => (connections += 1));
    const ask = async (path) => {
        const { statusCode, body } = await pool.request({ path, method: 'GET' });
        return [statusCode, await body.text()];
    };
    return { ask, end: () => pool.close(), connections: () => connections };
}

function isRight([status, body], path) {
    const times = (body.length - 'this is '.length) / path.length;
    return status === 200 && times > 0 && body === 'this is ' + path.repeat(times);
}

const client = { agent: withAgent, fetch: withFetch, pool: withPool }[kind]();
const paths = Array.from({ length: count }, (_, number) => '/' + number);
Promise.all(paths.map(async (path) => isRight(await client.ask(path), path))).then((answers) => {
    console.log(`${answers.filter(Boolean).length} right over ${client.connections()} connections`);
    client.end();
});
