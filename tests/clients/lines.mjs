// One call as JSON per line of standard input, its outcome as JSON per line of standard output.
import { createInterface } from 'node:readline';

// A fetch that notes every request it makes, and the status it was answered with (null: no answer).
function recording(requests) {
  return async (input, init) => {
    const request = new Request(input, init);
    const { method, url, headers } = request;
    const noted = { method, path: new URL(url).pathname, headers: Object.fromEntries(headers), status: null };
    requests.push(noted);
    const response = await fetch(request);
    noted.status = response.status;
    return response;
  };
}

// `perform(call, fetch)` returns what the client returned; `describe(error)` says what it threw.
export async function serve(perform, describe) {
  for await (const line of createInterface({ input: process.stdin })) {
    const requests = [];
    const outcome = { requests };
    try {
      outcome.value = (await perform(JSON.parse(line), recording(requests))) ?? null;
    } catch (error) {
      outcome.error = { name: error.constructor.name, message: error.message, ...describe(error) };
    }
    console.log(JSON.stringify(outcome));
  }
}
