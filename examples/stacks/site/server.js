'use strict';

// A page with nothing but Node's own modules. GET / greets, and GET /health says that
// this process answers.

const http = require('node:http');
const os = require('node:os');

const greeting = process.env.GREETING || 'Hello';

const server = http.createServer((req, res) => {
  const { pathname } = new URL(req.url, 'http://site');
  if (pathname === '/health') res.end('ok\n');
  else if (pathname === '/') res.end(`${greeting} from ${os.hostname()}\n`);
  else res.writeHead(404).end('not found\n');
});

server.listen(8080, () => console.log('listening on 8080'));

// ECS sends SIGTERM and waits: answer the requests that have begun, and take no new ones.
process.on('SIGTERM', () => server.close(() => process.exit(0)));
