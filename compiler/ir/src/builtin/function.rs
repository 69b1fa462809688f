//! Functions of the standard modules that imm cannot express in itself.

use super::signature::{Bound, Row, Shape, Signature, boolean, int, list_of, string, var};
use crate::Type;
use std::sync::LazyLock;

/// All functions of the standard modules, by `module.name`.
pub fn functions() -> &'static [Signature] {
    static FUNCTIONS: LazyLock<Vec<Signature>> = LazyLock::new(|| {
        let mut all = encode();
        all.extend(digest());
        all.extend(net());
        all.extend(semver());
        all
    });
    &FUNCTIONS
}

/// The functions of one standard module, by their name in it.
pub fn functions_of(module: &str) -> impl Iterator<Item = (&'static str, &'static Signature)> {
    let of =
        move |f: &'static Signature| f.name.split_once('.').filter(|(m, _)| *m == module).map(|(_, name)| (name, f));
    functions().iter().filter_map(of)
}

/// The function with this full name, for example `encode.json`.
pub fn function(name: &str) -> Option<&'static Signature> {
    functions().iter().find(|f| f.name == name)
}

fn named(name: &'static str) -> Row {
    Row(Signature {
        name,
        builtin: name,
        receiver: None,
        params: Vec::new(),
        result: Shape::Is(Type::Never),
        bounds: Vec::new(),
        doc: "",
    })
}

fn of_text(name: &'static str, param: &'static str) -> Row {
    named(name).param(param, string())
}

fn encode() -> Vec<Signature> {
    let any = |name| named(name).bounds(&[Bound::Equal]).param("value", var(0));
    vec![
        any("encode.json").gives(string(), "JSON in one line, keys in map order. Quantities are numbers of their base unit (ms, bytes, ppm, thousandths of a cpu), variants are their name or an object with their name as its key."),
        any("encode.yaml").gives(string(), "YAML in block style, as `encode.json` has it."),
        any("encode.toml").gives(string(), "TOML of a record or map, as `encode.json` has it; fields that are `none` are left out."),
        of_text("encode.base64", "text").gives(string(), "Base64 of the UTF-8 bytes, with padding."),
        of_text("encode.hex", "text").gives(string(), "Lower-case hexadecimal of the UTF-8 bytes."),
    ]
}

fn digest() -> Vec<Signature> {
    vec![
        of_text("hash.blake3", "text").gives(string(), "BLAKE3 of the UTF-8 bytes in hexadecimal, 64 digits."),
        of_text("hash.sha256", "text").gives(string(), "SHA-256 of the UTF-8 bytes in hexadecimal, 64 digits."),
        of_text("secret.fingerprint", "secret")
            .gives(string(), "A short public digest of a secret, to tell two apart. The secret cannot be found from it unless it can be guessed."),
    ]
}

fn net() -> Vec<Signature> {
    let network = |name| of_text(name, "cidr");
    vec![
        of_text("net.is_ip", "text").gives(boolean(), "Whether this is an IPv4 or IPv6 address."),
        of_text("net.is_ipv4", "text").gives(boolean(), "Whether this is an IPv4 address."),
        of_text("net.is_ipv6", "text").gives(boolean(), "Whether this is an IPv6 address."),
        of_text("net.is_cidr", "text").gives(boolean(), "Whether this is a network such as `10.0.0.0/16`: no bits set behind the prefix."),
        network("net.subnet")
            .param("bits", int())
            .param("number", int())
            .gives(string(), "The network number `number` of those that a prefix longer by `bits` makes: `net.subnet(\"10.0.0.0/16\", 8, 3)` is `10.0.3.0/24`."),
        network("net.subnets")
            .param("bits", int())
            .gives(list_of(string()), "All networks that a prefix longer by `bits` makes, in order. At most 65,536."),
        network("net.host")
            .param("number", int())
            .gives(string(), "The address at `number` in the network, counted from 0, which is the network's own; negative numbers count from the end: -1 is the last."),
        network("net.hosts").gives(list_of(string()), "The addresses that hosts may have: of an IPv4 network all but the first and the last, from /31 on all. At most 65,536."),
        network("net.prefix").gives(int(), "How long the prefix is: 16 of `10.0.0.0/16`."),
        network("net.netmask").gives(string(), "The mask: `255.255.0.0` of `10.0.0.0/16`."),
        network("net.contains").param("address", string()).gives(boolean(), "Whether an address, or the whole of another network, is in the network."),
        network("net.overlaps").param("other", string()).gives(boolean(), "Whether two networks have an address in common."),
    ]
}

fn semver() -> Vec<Signature> {
    let of_version = |name| of_text(name, "version");
    let numbers = ["major", "minor", "patch"].map(|name| (name, int()));
    let parts = numbers.into_iter().chain(["pre", "build"].map(|name| (name, string()))).collect();
    vec![
        of_text("semver.is_version", "text")
            .gives(boolean(), "Whether this is a version by semver.org, such as `1.4.2` or `2.0.0-rc.1`."),
        of_text("semver.is_requirement", "text")
            .gives(boolean(), "Whether this is a requirement such as `^1.4` or `>=1.2, <3`."),
        of_version("semver.parse")
            .gives(Shape::Record(parts), "The parts of a version; `pre` and `build` are empty when they are absent."),
        of_version("semver.compare")
            .param("other", string())
            .gives(int(), "-1, 0 or 1: older, as old, newer. Build metadata does not count."),
        of_version("semver.satisfies").param("requirement", string()).gives(
            boolean(),
            "Whether a version fits a requirement as Cargo reads it: `1.4` means `^1.4`, a comma means `and`.",
        ),
        named("semver.sort")
            .param("versions", list_of(string()))
            .gives(list_of(string()), "From the oldest to the newest."),
    ]
}
