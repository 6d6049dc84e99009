// A real app of @slack/bolt, on the port it is given, that acknowledges whatever Slack sends.
import { App } from '@slack/bolt';

const app = new App({
  signingSecret: process.env.SECRET,
  authorize: async () => ({ botToken: 'xoxb-1', botId: 'B0BOLT', botUserId: 'U0BOLT' }),
  logLevel: 'error',
});
const anything = /.*/;
app.event(anything, async () => {});
app.command(anything, async ({ ack }) => ack());
app.action(anything, async ({ ack }) => ack());
app.action({ callback_id: anything }, async ({ ack }) => ack());
app.shortcut(anything, async ({ ack }) => ack());
app.view(anything, async ({ ack }) => ack());
app.view({ callback_id: anything, type: 'view_closed' }, async ({ ack }) => ack());
await app.start(Number(process.env.PORT));
console.log('ready');
