//! What is sent, byte by byte, and what comes of it.

/// How the bytes are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Whole,
    ByByte,
    /// The client's half is closed after the last byte.
    HalfClosed,
}

pub struct Case {
    pub name: &'static str,
    /// Each character stands for the byte of its number; `{x*9}` for nine times `x`.
    send: &'static str,
    pub way: Way,
    /// Answers in order: the status; for 200 also what the target got: method, path, `[body]`.
    pub expect: &'static str,
}

impl Case {
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = self.send;
        while let Some((before, repeated)) = rest.split_once('{') {
            let (what, after) = repeated.split_once('}').unwrap();
            let (what, times) = what.rsplit_once('*').unwrap();
            out.extend(before.chars().map(|c| u8::try_from(c).unwrap()));
            out.extend(what.repeat(times.parse().unwrap()).bytes());
            rest = after;
        }
        out.extend(rest.chars().map(|c| u8::try_from(c).unwrap()));
        out
    }
}

const fn case(name: &'static str, send: &'static str, expect: &'static str) -> Case {
    Case { name, send, way: Way::Whole, expect }
}

const fn way(way: Way, name: &'static str, send: &'static str, expect: &'static str) -> Case {
    Case { name, send, way, expect }
}

/// A GET of `/` with more lines in its head.
macro_rules! get {
    ($lines:literal) => {
        concat!("GET / HTTP/1.1\r\nHost: a\r\n", $lines, "Connection: close\r\n\r\n")
    };
}

/// A POST with more lines in its head, and what follows it.
macro_rules! post {
    ($lines:literal, $rest:literal) => {
        concat!("POST / HTTP/1.1\r\nHost: a\r\n", $lines, "Connection: close\r\n\r\n", $rest)
    };
}

macro_rules! chunks {
    ($chunks:literal) => {
        post!("Transfer-Encoding: chunked\r\n", $chunks)
    };
}

pub const CASES: &[Case] = &[
    // Well formed.
    case("a GET", get!(""), "200 GET / []"),
    case("two pipelined GETs", concat!("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n", get!("")), "200 GET /1 [], 200 GET / []"),
    case(
        "a pipelined POST and GET",
        concat!("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", get!("")),
        "200 POST /1 [abc], 200 GET / []",
    ),
    case(
        "a pipelined chunked POST and GET",
        concat!("POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", get!("")),
        "200 POST /1 [abc], 200 GET / []",
    ),
    way(Way::ByByte, "a GET byte by byte", get!(""), "200 GET / []"),
    way(Way::ByByte, "a POST byte by byte", post!("Content-Length: 3\r\n", "abc"), "200 POST / [abc]"),
    way(Way::ByByte, "chunks byte by byte", chunks!("3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"), "200 POST / [abcd]"),
    way(Way::HalfClosed, "a half-closed connection after a GET", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "200 GET / []"),
    way(
        Way::HalfClosed,
        "a half-closed connection after a POST",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
        "200 POST / [hi]",
    ),
    case("chunks", chunks!("3\r\nabc\r\n0\r\n\r\n"), "200 POST / [abc]"),
    case("a chunk extension", chunks!("3;a=\"b\"\r\nabc\r\n0\r\n\r\n"), "200 POST / [abc]"),
    case(
        "a chunk size in capitals with zeros in front",
        chunks!("00A\r\n0123456789\r\n000\r\n\r\n"),
        "200 POST / [0123456789]",
    ),
    case("a trailer", chunks!("3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"), "200 POST / [abc]"),
    case(
        "Transfer-Encoding: Chunked",
        post!("Transfer-Encoding: Chunked\r\n", "1\r\na\r\n0\r\n\r\n"),
        "200 POST / [a]",
    ),
    case("empty lines before a request", concat!("\r\n\r\n", get!("")), "200 GET / []"),
    case("absolute form", "GET http://a/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "200 GET /x []"),
    case(
        "absolute form, another Host",
        "GET http://a/host HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n",
        "200 GET /host [a]",
    ),
    case(
        "absolute form without a path",
        "GET http://a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "200 GET / []",
    ),
    case("HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", "200 GET / []"),
    case(
        "HTTP/1.0 keep-alive",
        concat!("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"),
        "200 GET /1 [], 200 GET / []",
    ),
    case("HEAD, then GET", concat!("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", get!("")), "200, 200 GET / []"),
    case("an answer 204, then GET", concat!("GET /204 HTTP/1.1\r\nHost: a\r\n\r\n", get!("")), "204, 200 GET / []"),
    case("an answer 304, then GET", concat!("GET /304 HTTP/1.1\r\nHost: a\r\n\r\n", get!("")), "304, 200 GET / []"),
    case("Content-Length: 0", post!("Content-Length: 0\r\n", ""), "200 POST / []"),
    case("space around a length", post!("Content-Length: \t 3 \t\r\n", "abc"), "200 POST / [abc]"),
    case("a GET with a body", get!("Content-Length: 0\r\n"), "200 GET / []"),
    case(
        "a request inside of a body",
        post!("Content-Length: 28\r\n", "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"),
        "200 POST / [GET /x HTTP/1.1\r\nHost: a\r\n\r\n]",
    ),
    case(
        "Expect: 100-continue",
        post!("Expect: 100-continue\r\nContent-Length: 3\r\n", "abc"),
        "100, 200 POST / [abc]",
    ),
    case("OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "200 OPTIONS * []"),
    case("a method of one's own", "BREW / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "200 BREW / []"),
    case("a method in small letters", "get / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "200 get / []"),
    case(
        "an encoded path",
        "GET /a%2f..%2F%2e/?x=%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "200 GET /a%2f..%2F%2e/?x=%00 []",
    ),
    case("a path with two slashes", "GET //x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "200 GET //x []"),
    case("a path with dots", "GET /a/../x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "200 GET /a/../x []"),
    case("a field without a value", get!("X:\r\n"), "200 GET / []"),
    case("a field with a tab and high bytes", get!("X: a\tb\u{e4}\u{ff}\r\n"), "200 GET / []"),
    case("a field with an underscore", get!("X_Y: 1\r\n"), "200 GET / []"),
    case("a field of 20,000 bytes", get!("X: {y*20000}\r\n"), "200 GET / []"),
    case(
        "a Host with a port in capitals",
        "GET /host HTTP/1.1\r\nHost: A.b:81\r\nConnection: close\r\n\r\n",
        "200 GET /host [A.b:81]",
    ),
    case(
        "Connection names Content-Length",
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close, content-length\r\nContent-Length: 3\r\n\r\nabc",
        "200 POST / [abc]",
    ),
    case(
        "an upgrade that the target refuses",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nGET / HTTP/1.1\nHost: a\n\n",
        "200 GET / []",
    ),
    case(
        "a wish for h2c",
        concat!(
            "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
            get!("")
        ),
        "200 GET /1 [], 200 GET / []",
    ),
    // Lines.
    case("bare LF everywhere", "GET / HTTP/1.1\nHost: a\nConnection: close\n\n", "400"),
    case("bare LF after the start line", "GET / HTTP/1.1\nHost: a\r\nConnection: close\r\n\r\n", "400"),
    case("bare LF after a field", get!("X: y\n"), "400"),
    case("bare LF as the empty line", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\n", "400"),
    case("bare CR in a value", get!("X: y\rz\r\n"), "400"),
    case("bare CR for a line end", get!("X: y\rContent-Length: 3\r\n"), "400"),
    case("NUL in a value", get!("X: y\0z\r\n"), "400"),
    case("NUL in a name", get!("X\0: y\r\n"), "400"),
    case("a control byte in a value", get!("X: y\u{1}z\r\n"), "400"),
    case("a folded field", get!("X: y\r\n z\r\n"), "400"),
    case("a folded Transfer-Encoding", post!("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), "400"),
    case("space before the first field", "GET / HTTP/1.1\r\n Host: a\r\nConnection: close\r\n\r\n", "400"),
    case("space before a colon", get!("X : y\r\n"), "400"),
    case("a tab before a colon", get!("X\t: y\r\n"), "400"),
    case("a field without a colon", get!("X\r\n"), "400"),
    case("a field without a name", get!(": y\r\n"), "400"),
    case("a parenthesis in a name", get!("X(: y\r\n"), "400"),
    case("a high byte in a name", get!("X\u{e4}: y\r\n"), "400"),
    // Start lines.
    case("HTTP/0.9", "GET /\r\n", "400"),
    case("HTTP/2.0 in a start line", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "400"),
    case("HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", "400"),
    case("the version in small letters", "GET / http/1.1\r\nHost: a\r\n\r\n", "400"),
    case("two spaces in a start line", "GET  / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "400"),
    case("a tab in a start line", "GET\t/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "400"),
    case("space after the version", "GET / HTTP/1.1 \r\nHost: a\r\nConnection: close\r\n\r\n", "400"),
    case("space in the path", "GET /a b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "400"),
    case("a path without a slash", "GET x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "400"),
    case("a fragment", "GET /x#y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "400"),
    case("a control byte in the path", "GET /\u{1} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "400"),
    case("a parenthesis in the method", "G(T / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "400"),
    case("CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\n\r\n", "400"),
    case("a TLS greeting", "\u{16}\u{3}\u{1}\0\u{5}\u{1}\0\0\u{1}\0\r\n\r\n", "400"),
    case("noise", "\u{1}\u{2}\u{3}\r\n\r\n", "400"),
    // Hosts.
    case("no Host", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "400"),
    case("two Hosts", get!("Host: b\r\n"), "400"),
    case("the same Host twice", get!("Host: a\r\n"), "400"),
    case("a slash in the Host", "GET / HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n", "400"),
    case("a space in the Host", "GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n", "400"),
    case("an @ in the Host", "GET / HTTP/1.1\r\nHost: x@a\r\nConnection: close\r\n\r\n", "400"),
    // Lengths.
    case("two lengths", post!("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"), "400"),
    case("the same length twice", post!("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), "400"),
    case("a list of lengths", post!("Content-Length: 3, 3\r\n", "abc"), "400"),
    case("a length with a plus", post!("Content-Length: +3\r\n", "abc"), "400"),
    case("a length below zero", post!("Content-Length: -1\r\n", ""), "400"),
    case("a hexadecimal length", post!("Content-Length: 0x3\r\n", "abc"), "400"),
    case("two numbers for a length", post!("Content-Length: 3 4\r\n", "abc"), "400"),
    case("an empty length", post!("Content-Length:\r\n", ""), "400"),
    case("a length beyond 64 bits", post!("Content-Length: 18446744073709551619\r\n", "abc"), "400"),
    way(Way::HalfClosed, "a body that ends early", post!("Content-Length: 9\r\n", "abc"), "400"),
    // Codings.
    case(
        "a length, then chunks (CL.TE)",
        post!("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n"),
        "400",
    ),
    case(
        "chunks, then a length (TE.CL)",
        post!("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "8\r\nSMUGGLED\r\n0\r\n\r\n"),
        "400",
    ),
    case(
        "two Transfer-Encodings (TE.TE)",
        post!("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", "0\r\n\r\n"),
        "400",
    ),
    case(
        "the same Transfer-Encoding twice",
        post!("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        "400",
    ),
    case("chunked, chunked", post!("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), "400"),
    case("chunked, identity", post!("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), "400"),
    case("gzip, chunked", post!("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), "400"),
    case("identity", post!("Transfer-Encoding: identity\r\n", ""), "400"),
    case("xchunked", post!("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), "400"),
    case("a vertical tab before chunked", post!("Transfer-Encoding: \u{b}chunked\r\n", "0\r\n\r\n"), "400"),
    case("chunked in quotes", post!("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), "400"),
    case("an empty Transfer-Encoding", post!("Transfer-Encoding:\r\n", ""), "400"),
    case("space before the colon of Transfer-Encoding", post!("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), "400"),
    case("chunks in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"),
    // Chunks.
    case("an empty chunk size", chunks!("\r\nabc\r\n0\r\n\r\n"), "400"),
    case("a chunk size that is no number", chunks!("g\r\nabc\r\n0\r\n\r\n"), "400"),
    case("a chunk size below zero", chunks!("-1\r\nabc\r\n0\r\n\r\n"), "400"),
    case("a chunk size with 0x", chunks!("0x3\r\nabc\r\n0\r\n\r\n"), "400"),
    case("a chunk size with a plus", chunks!("+3\r\nabc\r\n0\r\n\r\n"), "400"),
    case("space before a chunk size", chunks!(" 3\r\nabc\r\n0\r\n\r\n"), "400"),
    case("space after a chunk size", chunks!("3 \r\nabc\r\n0\r\n\r\n"), "400"),
    case("a chunk size beyond 64 bits", chunks!("10000000000000003\r\nabc\r\n0\r\n\r\n"), "400"),
    case("bare LF after a chunk size", chunks!("3\nabc\r\n0\r\n\r\n"), "400"),
    case("bare LF in a chunk extension", chunks!("3;a\nb\r\nabc\r\n0\r\n\r\n"), "400"),
    case("bare CR in a chunk extension", chunks!("3;a\rb\r\nabc\r\n0\r\n\r\n"), "400"),
    case("bare LF after a chunk", chunks!("3\r\nabc\n0\r\n\r\n"), "400"),
    case("a chunk that is longer than its size", chunks!("2\r\nabc\r\n0\r\n\r\n"), "400"),
    case("a chunk that is shorter than its size", chunks!("4\r\nabc\r\n0\r\n\r\n"), "400"),
    case("bare LF after the last chunk", chunks!("3\r\nabc\r\n0\n\n"), "400"),
    case("bare LF after a trailer", chunks!("3\r\nabc\r\n0\r\nX: y\n\r\n"), "400"),
    case("a trailer without a colon", chunks!("3\r\nabc\r\n0\r\nX\r\n\r\n"), "400"),
    way(Way::HalfClosed, "chunks that end early", chunks!("3\r\nab"), "400"),
    // Sizes.
    case("a head of 100,000 bytes", get!("X: {y*100000}\r\n"), "431"),
    case("a path of 100,000 bytes", "GET /{y*100000} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "431"),
    case("200 fields", get!("{X: y\r\n*200}"), "431"),
    // What is cut off.
    way(Way::HalfClosed, "nothing at all", "", ""),
    way(Way::HalfClosed, "half a head", "GET / HTTP/1.1\r\nHo", ""),
];
