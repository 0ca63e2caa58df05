'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const express = require('express');

const flaskUrl = process.env.FLASK_URL || 'http://localhost:5000';
const posts = require('./posts')(process.env.STORAGE_POSTS_NAME);

// On ECS a secret is a variable, with docker compose a file.
const writeKey = process.env.WRITE_KEY || fs.readFileSync('/run/secrets/WRITE_KEY', 'utf8').trim();

const digest = (text) => crypto.createHash('sha256').update(text).digest();
const mayWrite = (req) => crypto.timingSafeEqual(digest(req.get('x-write-key') || ''), digest(writeKey));

async function countWords(text) {
  const res = await fetch(`${flaskUrl}/words`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text }),
    signal: AbortSignal.timeout(3000),
  });
  if (!res.ok) throw new Error(`flask answered ${res.status}`);
  return (await res.json()).words;
}

const app = express();
app.use(express.json());

app.get('/health', (_req, res) => res.json({ status: 'ok' }));

app.get('/posts', async (_req, res) => res.json(await posts.list()));

app.post('/posts', async (req, res) => {
  const text = req.body?.text;
  if (!mayWrite(req)) return res.status(403).json({ error: 'the header x-write-key has another value' });
  if (typeof text !== 'string') return res.status(400).json({ error: 'the body has no text' });
  const post = { id: crypto.randomUUID(), text, words: await countWords(text) };
  await posts.add(post);
  res.status(201).json(post);
});

app.use((err, _req, res, _next) => {
  console.error(err.message);
  res.status(err.status || 502).json({ error: 'the request failed' });
});

const server = app.listen(8080, () => console.log('listening on 8080'));

// ECS sends SIGTERM and waits: answer the requests that have begun, and take no new ones.
process.on('SIGTERM', () => server.close(() => process.exit(0)));
