import type { Delivery } from "../../delivery.ts";
import { MessageStream } from "../../message-stream.ts";
import { RunningDelivery } from "../../running-delivery.ts";
import { type Activity, isDropped } from "./activity.ts";

/** A stream of the same deliveries whose taken ones are watched; those from before a `reset()` are passed over. */
export function watchStream(
  stream: MessageStream,
  pattern: string,
  activity: Activity,
  passTime: <T>(ending: Promise<T>) => Promise<T>,
): MessageStream {
  const pull = async (): Promise<RunningDelivery | undefined> => {
    for (;;) {
      const { value }: IteratorResult<Delivery> = await stream.next();
      if (!(value instanceof RunningDelivery)) return undefined;
      if (!isDropped(value)) {
        activity.taken(value, pattern);
        return value;
      }
      await value.ack();
    }
  };
  const unsubscribe = async (): Promise<void> => {
    await passTime(stream.return());
  };
  return new MessageStream(stream.ready().then(() => ({ pull, unsubscribe })));
}
