'use strict';

// A pet store with nothing but Node's own modules. GET /pets lists who lives
// here, GET /health says whether the store is open. With --check it exits with
// 0 if the store in this container answers.

const http = require('node:http');
const pets = require('./pets.json');

const port = Number(process.env.PORT || 8080);

function answer(path) {
  if (path === '/health') return [200, { status: 'ok' }];
  if (path === '/pets') return [200, { pets }];
  return [404, { error: `nothing at ${path}` }];
}

function serve() {
  const server = http.createServer((req, res) => {
    const [status, body] = answer(new URL(req.url, 'http://store').pathname);
    res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  });
  server.listen(port, () => console.log(`listening on ${port}`));
  process.on('SIGTERM', () => server.close(() => process.exit(0)));
}

function check() {
  fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(2000) })
    .then((res) => process.exit(res.ok ? 0 : 1))
    .catch(() => process.exit(1));
}

if (process.argv[2] === '--check') check();
else serve();
