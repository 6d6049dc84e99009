// Fluister has no package: its page shows a function to paste. {"url", "key", "projectId", "args": [text, page]}
import { serve } from './lines.mjs';

async function perform({ url, key, projectId, args: [text, page] }, fetch) {
  async function submitFeedback(text, page) {
    const response = await fetch(`${url}/v1/feedback`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ projectId, text, page, userEmail: 'noor@example.nl' }),
    });
    return response.json(); // whatever the status is, as on Fluister's page
  }
  return submitFeedback(text, page);
}

await serve(perform, () => ({}));
