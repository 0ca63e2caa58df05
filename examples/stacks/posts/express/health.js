'use strict';

// Exits with 0 if the server in this container answers.
fetch('http://127.0.0.1:8080/health', { signal: AbortSignal.timeout(2000) })
  .then((res) => process.exit(res.ok ? 0 : 1))
  .catch(() => process.exit(1));
