'use strict';

// GET /time/Europe/Lisbon tells the time there, GET /health that we are up.

const http = require('node:http');

function answer(path) {
  if (path === '/health') return [200, { status: 'ok' }];
  if (!path.startsWith('/time/')) return [404, { error: 'try /time/Europe/Lisbon' }];
  const timeZone = path.slice('/time/'.length);
  try {
    const time = new Intl.DateTimeFormat('en-GB', { timeZone, dateStyle: 'full', timeStyle: 'long' });
    return [200, { timeZone, time: time.format(new Date()) }];
  } catch {
    return [404, { error: `no time zone ${timeZone}` }];
  }
}

const server = http.createServer((req, res) => {
  const [status, body] = answer(new URL(req.url, 'http://clock').pathname);
  res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
});
server.listen(Number(process.env.PORT || 8080), () => console.log('listening'));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
