// The tests of the example are tests of this suite.
import "../../../examples/testing/vitest.ts";
