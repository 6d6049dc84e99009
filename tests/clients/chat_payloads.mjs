// Reads what chat programs are sent: {"card"} with Microsoft's own parser becomes what it read again and what it
// found wrong, {"markdown"} as Discord reads it becomes a tree.
import { createRequire } from 'node:module';
import { serve } from './lines.mjs';

const require = createRequire(import.meta.url);
// Its ES modules lack the endings of their imports; the bundle beside them is complete.
const AC = require('adaptivecards/dist/adaptivecards.js');
const { parse } = require('discord-markdown-parser');

function readCard(card) {
  const [major, minor] = card.version.split('.').map(Number);
  const context = new AC.SerializationContext(new AC.Version(major, minor));
  const read = new AC.AdaptiveCard();
  read.parse(card, context);
  const wrong = [...Array(context.eventCount).keys()].map((at) => context.getEventAt(at).message);
  wrong.push(...read.validateProperties().validationEvents.map((event) => event.message));
  return { wrong, read: read.toJSON(context) };
}

serve(async ({ card, markdown }) => (card ? readCard(card) : parse(markdown, 'extended')), () => ({}));
