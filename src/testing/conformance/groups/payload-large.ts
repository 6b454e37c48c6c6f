import assert from "node:assert/strict";
import type { CheckDefinition } from "../check.ts";
import { LargeMessages, largeMessage } from "../large-bodies.ts";

const SENDERS = 16;

/** C. Payload: large bodies, which drivers may carry in another way than small ones. */
export const largeBodyChecks: readonly CheckDefinition[] = [
  {
    name: "large bodies that are on their way at once arrive as they were sent, from a buffer that was used for each",
    promises: ["D9"],
    async run(context) {
      const count = 3 * context.profile.few;
      const [sender, receiver] = [await context.open(), await context.open()];
      const topic = context.topic();
      const messages = new LargeMessages();
      await receiver.subscribe(topic, messages.handler, { concurrency: SENDERS });
      const buffer = Buffer.alloc(100_000);
      let next = 0;
      const sendThem = async () => {
        while (next < count) {
          const { header, body } = largeMessage(next);
          next += 1;
          body.copy(buffer);
          await sender.publish(topic, { header, body: buffer.subarray(0, body.byteLength) });
        }
      };
      await Promise.all(Array.from({ length: SENDERS }, sendThem));
      const { arrived, changed } = messages;
      await context.until("all have come", () => arrived.size + changed.length >= count);
      assert.deepEqual(changed, [], "messages with these numbers arrived changed");
    },
  },
];
