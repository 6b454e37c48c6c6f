/**
 * `tidings/testing`: `testBroker` for the tests of programs, and the conformance kit, which shows that a driver keeps every
 * promise of the delivery contract. A driver brings a `ConformanceHarness`; one call makes the kit's checks tests of vitest
 * or node:test.
 */
export type { CheckGroup, ConformanceCheck, PromiseNumber } from "./conformance/check.ts";
export {
  type Conformance,
  type ConformanceOptions,
  conformance,
  type RunnableCheck,
} from "./conformance/conformance.ts";
export { createFaults, type Faults, withFaults } from "./conformance/faults.ts";
export type { ConformanceHarness, EngineControl, ProxiedEngine, ProxyControl } from "./conformance/harness.ts";
export type { ProfileName } from "./conformance/profile.ts";
export {
  type NodeTestLike,
  type RegisterOptions,
  registerWithNodeTest,
  registerWithVitest,
  type VitestLike,
} from "./conformance/register.ts";
export type { CheckOutcome, CheckResult, ConformanceReport } from "./conformance/report.ts";
export { runConformanceWorker } from "./conformance/run-worker.ts";
export { type SequenceAudit, SequenceLog } from "./conformance/sequence-log.ts";
export { type UntilOptions, until } from "./conformance/until.ts";
export { forkConformanceWorker } from "./conformance/worker-process.ts";
export type { WorkerArguments, WorkerRole } from "./conformance/worker-protocol.ts";
export { wrapDelivery, wrapDriver, wrapPublication, wrapRequest, wrapSubscription } from "./conformance/wrap-driver.ts";
export type { FailOptions, Failures } from "./test-broker/failures.ts";
export type { DeadLetteredMessage, PublishedMessage } from "./test-broker/recorded-message.ts";
export { type TestBroker, type TestBrokerOptions, testBroker } from "./test-broker/test-broker.ts";
