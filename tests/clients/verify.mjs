// Verifies what a webhook brought. {"library": "svix"|"standardwebhooks", "secret", "headers", "body"}
import { Webhook as Standard } from 'standardwebhooks';
import { Webhook as Svix } from 'svix';
import { serve } from './lines.mjs';

const libraries = { svix: Svix, standardwebhooks: Standard };

await serve(
  async ({ library, secret, headers, body }) => new libraries[library](secret).verify(body, headers),
  () => ({}),
);
