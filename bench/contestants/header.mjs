// The header that messages through engines carry: the same through Tidings and beside it.

/** One entry, such as a trace has. */
export const HEADER = { traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" };
