// Drives orq's own client. {"options": {"serverURL", "apiKey", ...}, "call": "create", "args": [...]}
import { HTTPClient, Orq } from '@orq-ai/node';
import { serve } from './lines.mjs';

async function perform({ options, call, args }, fetch) {
  const orq = new Orq({ ...options, httpClient: new HTTPClient({ fetcher: fetch }) });
  return orq.feedback[call](...args);
}

await serve(perform, (error) => ({
  status: error.statusCode ?? null,
  body: error.body ?? null,
  headers: Object.fromEntries(error.headers ?? []),
}));
