'use strict';

// A pet store with nothing but Node's own modules. GET /petstore/pets lists the pets,
// GET /petstore/pets/ID one of them. The API passes the whole path. With --check, it
// exits with 0 if the store in this container answers.

const http = require('node:http');
const pets = require('./pets.json');

function answer(path) {
  const [first, second, wanted] = path.split('/').filter(Boolean);
  if (path === '/health') return [200, { status: 'ok' }];
  if (first !== 'petstore' || second !== 'pets') return [404, { error: `nothing at ${path}` }];
  if (!wanted) return [200, pets];
  const pet = pets.find(({ id }) => String(id) === wanted);
  return pet ? [200, pet] : [404, { error: `no pet ${wanted}` }];
}

function serve() {
  const server = http.createServer((req, res) => {
    const [status, body] = answer(new URL(req.url, 'http://store').pathname);
    res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  });
  server.listen(8080, () => console.log('listening on 8080'));
  process.on('SIGTERM', () => server.close(() => process.exit(0)));
}

function check() {
  fetch('http://127.0.0.1:8080/health', { signal: AbortSignal.timeout(2000) })
    .then((res) => process.exit(res.ok ? 0 : 1))
    .catch(() => process.exit(1));
}

if (process.argv[2] === '--check') check();
else serve();
