// Reads cards with Microsoft's own parser. {"card"} becomes what it read again, and what it found wrong.
import { createRequire } from 'node:module';
import { serve } from './lines.mjs';

// Its ES modules lack the endings of their imports; the bundle beside them is complete.
const AC = createRequire(import.meta.url)('adaptivecards/dist/adaptivecards.js');

async function perform({ card }) {
  const [major, minor] = card.version.split('.').map(Number);
  const context = new AC.SerializationContext(new AC.Version(major, minor));
  const read = new AC.AdaptiveCard();
  read.parse(card, context);
  const wrong = [...Array(context.eventCount).keys()].map((at) => context.getEventAt(at).message);
  wrong.push(...read.validateProperties().validationEvents.map((event) => event.message));
  return { wrong, read: read.toJSON(context) };
}

serve(perform, () => ({}));
