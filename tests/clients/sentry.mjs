// Drives Sentry's own SDK. {"options": {"dsn", ...}, "user": {...}, "calls": [["captureMessage", ...args], ...]}
import http from 'node:http';
import * as Sentry from '@sentry/node';
import { serve } from './lines.mjs';

// Node's http, noting every request and the status it was answered with.
function noting(requests) {
  return {
    request(options, answered) {
      const noted = { path: options.path, headers: options.headers, status: null };
      requests.push(noted);
      return http.request(options, (answer) => {
        noted.status = answer.statusCode;
        answered(answer);
      });
    },
  };
}

// JSON has no errors: {"name", "message"} is thrown, so that it has a stack.
function thrown({ name, message }) {
  try {
    throw Object.assign(new Error(message), { name });
  } catch (error) {
    return error;
  }
}

// The ids of the events, and the requests they made.
async function perform({ options, user, calls }) {
  const requests = [];
  const ids = [];
  Sentry.init({
    ...options,
    integrations: (usual) => usual.filter(({ name }) => name !== 'ProcessSession'), // it sends of itself
    transportOptions: { httpModule: noting(requests) },
  });
  Sentry.setUser(user ?? null);
  for (const [name, first, ...rest] of calls) {
    const argument = name === 'captureException' ? thrown(first) : first;
    ids.push(Sentry[name](argument, ...rest));
    await Sentry.flush(20_000);
  }
  await Sentry.close(20_000);
  return { ids, requests };
}

await serve(perform, () => ({}));
