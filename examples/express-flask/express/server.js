'use strict';

const express = require('express');

const port = Number(process.env.PORT || 8080);
const flaskUrl = process.env.FLASK_URL || 'http://localhost:5000';
const app = express();

// Says only that this process answers: a bakery without bread still has a page.
app.get('/health', (_req, res) => res.json({ status: 'ok' }));

app.get('/', async (_req, res) => {
  const answer = await fetch(`${flaskUrl}/bread`, { signal: AbortSignal.timeout(3000) });
  if (!answer.ok) throw new Error(`flask answered ${answer.status}`);
  const { bakery, bread } = await answer.json();
  res.type('text').send(`Today at ${bakery}: ${bread.join(', ') || 'nothing, come back tomorrow'}\n`);
});

app.use((err, _req, res, _next) => {
  console.error(err.message);
  res.status(502).type('text').send('The oven does not answer. Please come back later.\n');
});

const server = app.listen(port, () => console.log(`listening on ${port}`));

// ECS sends SIGTERM and waits: finish what has begun, take nothing new.
process.on('SIGTERM', () => server.close(() => process.exit(0)));
