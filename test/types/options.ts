/**
 * What options take; it is compiled with the tests, and nothing runs. A secret comes from the environment as it is in most programs,
 * also where `exactOptionalPropertyTypes` tells `undefined` from nothing at all.
 */
import { createBroker } from "../../src/create-broker.ts";
import { http } from "../../src/drivers/http/index.ts";
import { mdns } from "../../src/registries/mdns/index.ts";

createBroker(http({ address: "0.0.0.0:7000", registry: mdns(), secret: process.env.SECRET, storage: "./outbox" }));
createBroker("http://0.0.0.0:7000", { secret: process.env.SECRET });
