// Drives FLORA's own client. {"options": {"baseURL", "apiKey", ...}, "call": "feedback.record", "args": [...]}
import FLORA from '@flora-ai/flora';
import { serve } from './lines.mjs';

async function perform({ options, call, args }, fetch) {
  const client = new FLORA({ ...options, logLevel: 'off', fetch });
  const names = call.split('.');
  const method = names.pop();
  const resource = names.reduce((part, name) => part[name], client);
  const pending = resource[method](...args);
  if (Symbol.asyncIterator in pending) return { data: await all(pending) };
  if (!('withResponse' in pending)) return { data: await pending };
  const { data, response } = await pending.withResponse();
  return { data, status: response.status, headers: Object.fromEntries(response.headers) };
}

async function all(pages) {
  const items = [];
  for await (const item of pages) items.push(item);
  return items;
}

await serve(perform, (error) => ({
  status: error.status ?? null,
  body: error.error ?? null,
  headers: Object.fromEntries(error.headers ?? []),
}));
