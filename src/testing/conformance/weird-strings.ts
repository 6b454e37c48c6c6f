/**
 * Strings that engines, encodings and object maps get wrong, by name. After the table of Go CDK's conformance tests, with
 * what JavaScript adds to it.
 */
export const WEIRD_STRINGS: Readonly<Record<string, string>> = {
  "forward slashes": "foo/bar/baz",
  "repeated forward slashes": "foo//bar///baz",
  "dot dot slash": "../foo/../bar/../../baz../",
  backslashes: "foo\\bar\\baz",
  "repeated backslashes": "..\\foo\\\\bar\\\\\\baz",
  "dot dot backslash": "..\\foo\\..\\bar\\..\\..\\baz..\\",
  quotes: "foo\"bar'baz`",
  spaces: "foo bar baz",
  "leading spaces": "  leading",
  "trailing spaces": "trailing  ",
  "only a space": " ",
  "leading tab": "\tleading",
  "leading digit": "7up",
  "line breaks": "foo\nbar\r\nbaz\r",
  unicode: "☺☺☺",
  "latin letters": "àéîöû ß",
  "beyond the first plane": "𝒳🚀",
  "combining marks": "e\u0301 is not \u00e9",
  "byte order mark": "\ufefffoo",
  "percent escapes": "foo%20bar%2Fbaz%",
  "an escaped escape": "foo%2520bar",
  "what others escape with": "foo=20bar__0x2f__baz+&#47;",
  colons: "foo:bar::baz:",
  commas: "foo,bar;baz",
  "control characters": Array.from({ length: 32 }, (_, code) => String.fromCharCode(code)).join(""),
  punctuation: "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\u007f",
  "capital letters": "FooBar",
  "small letters": "foobar",
};

/** Header names that are properties of every object, or mean something to an engine or to HTTP. */
export const WEIRD_NAMES: readonly string[] = [
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "toString",
  "Content-Type",
  "content-length",
  "Transfer-Encoding",
  "Host",
  "Connection",
  "Nats-Msg-Id",
  "Micro-Topic",
  "x-delivery-count",
  "Tidings-Id",
  "CC",
  "BCC",
];
