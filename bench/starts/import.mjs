// A process that loads Tidings.
import "tidings";
