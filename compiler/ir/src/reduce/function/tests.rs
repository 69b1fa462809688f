//! The standard functions against the crates that everybody trusts with these formats.

use super::*;
use crate::{Fields, Key};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr};

fn call(name: &str, args: &[Value]) -> Result<Value> {
    known(name, &args.iter().collect::<Vec<_>>())
}

fn text(result: Result<Value>) -> String {
    match result.unwrap() {
        Value::String(text) => text.to_string(),
        other => panic!("{other:?} is no text"),
    }
}

/// Values of every form that other programs can read, without `none` where TOML has none.
fn values(none: bool) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (0..i64::MAX).prop_map(Value::Bytes),
        (-1e9..1e9).prop_map(Value::Float),
        any::<String>().prop_map(Value::text),
        "[a-z]{1,4}".prop_map(|tag| Value::Variant(tag.into(), Fields::new())),
        Just(if none { Value::None } else { Value::Bool(false) }),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let fields = || proptest::collection::btree_map("[a-z]{1,5}", inner.clone(), 1..4);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            proptest::collection::btree_map(any::<String>(), inner.clone(), 0..4).prop_map(|map| Value::Map(
                map.into_iter().map(|(key, value)| (Key::from(key.as_str()), value)).collect()
            )),
            fields().prop_map(|fields| Value::Record(fields.into_iter().map(|(k, v)| (k.into(), v)).collect())),
            ("[a-z]{1,4}", fields()).prop_map(|(tag, fields)| Value::Variant(
                tag.into(),
                fields.into_iter().map(|(k, v)| (k.into(), v)).collect()
            )),
        ]
    })
}

/// What a reader of the text should see.
fn seen(value: &Value) -> serde_json::Value {
    use serde_json::Value as J;
    fn object<'a>(fields: impl Iterator<Item = (&'a str, &'a Value)>) -> serde_json::Value {
        J::Object(fields.map(|(key, value)| (key.to_owned(), seen(value))).collect())
    }
    match value {
        Value::None => J::Null,
        Value::Bool(b) => J::Bool(*b),
        Value::Int(n) | Value::Bytes(n) => J::from(*n),
        Value::Float(f) => J::from(*f),
        Value::String(text) => J::from(&**text),
        Value::Variant(tag, fields) if fields.is_empty() => J::from(&**tag),
        Value::Variant(tag, fields) => {
            J::Object([(tag.to_string(), object(fields.iter().map(|(k, v)| (&**k, v))))].into_iter().collect())
        }
        Value::List(items) => J::Array(items.iter().map(seen).collect()),
        Value::Map(map) => object(map.iter().map(|(k, v)| (k.as_str(), v))),
        Value::Record(fields) => object(fields.iter().map(|(k, v)| (&**k, v))),
        other => panic!("{other:?} is not made here"),
    }
}

proptest! {
    #[test]
    fn json_is_read_back(value in values(true)) {
        let read: serde_json::Value = serde_json::from_str(&text(call("encode.json", std::slice::from_ref(&value)))).unwrap();
        prop_assert_eq!(read, seen(&value));
    }

    #[test]
    fn yaml_is_read_back_by_another_library(value in values(true)) {
        let written = text(call("encode.yaml", std::slice::from_ref(&value)));
        let read: serde_json::Value = serde_yaml_ng::from_str(&written)
            .map_err(|error| TestCaseError::fail(format!("{error} in\n{written}")))?;
        prop_assert_eq!(read, seen(&value), "{}", written);
    }

    #[test]
    fn toml_is_read_back(fields in proptest::collection::btree_map("[a-z]{1,5}", values(false), 0..4)) {
        let value = Value::Record(fields.into_iter().map(|(k, v)| (k.into(), v)).collect());
        let read: toml::Table = toml::from_str(&text(call("encode.toml", std::slice::from_ref(&value)))).unwrap();
        prop_assert_eq!(serde_json::to_value(read).unwrap(), seen(&value));
    }

    #[test]
    fn base64_is_read_back_by_another_library(given in any::<String>()) {
        use base64::Engine as _;
        let read = base64::engine::general_purpose::STANDARD.decode(text(call("encode.base64", &[Value::text(&*given)])));
        prop_assert_eq!(read.unwrap(), given.as_bytes());
    }

    #[test]
    fn subnets_are_those_of_ipnet(address in any::<u32>(), prefix in 0u8..=32, longer in 0u8..=8) {
        let net = Ipv4Net::new(Ipv4Addr::from(address), prefix).unwrap().trunc();
        let cidr = Value::text(net.to_string());
        let bits = Value::Int(longer.into());
        match net.subnets(prefix + longer) {
            Ok(subnets) => {
                let all: Vec<Value> = subnets.map(|subnet| Value::text(subnet.to_string())).collect();
                for (number, subnet) in (0..).zip(&all) {
                    let one = call("net.subnet", &[cidr.clone(), bits.clone(), Value::Int(number)]);
                    prop_assert_eq!(&one.unwrap(), subnet);
                }
                prop_assert!(call("net.subnet", &[cidr.clone(), bits.clone(), Value::Int(all.len() as i64)]).is_err());
                prop_assert_eq!(call("net.subnets", &[cidr, bits]).unwrap(), Value::List(all));
            }
            Err(_too_long) => prop_assert!(call("net.subnets", &[cidr, bits]).is_err()),
        }
    }

    #[test]
    fn wide_networks_are_those_of_ipnet(address in any::<u128>(), prefix in 0u8..=128, longer in 0u8..=40, number in 0i64..1 << 40) {
        let net = Ipv6Net::new(Ipv6Addr::from(address), prefix).unwrap().trunc();
        let cidr = Value::text(net.to_string());
        let given = call("net.subnet", &[cidr.clone(), Value::Int(longer.into()), Value::Int(number)]);
        let exists = prefix + longer <= 128 && number < 1 << longer;
        prop_assert_eq!(given.is_ok(), exists);
        if let Ok(Value::String(subnet)) = given {
            let subnet: Ipv6Net = subnet.parse().unwrap();
            prop_assert_eq!(subnet, subnet.trunc());
            prop_assert!(net.contains(&subnet));
            prop_assert_eq!(subnet.prefix_len(), prefix + longer);
        }
        let last = text(call("net.host", &[cidr, Value::Int(-1)]));
        prop_assert_eq!(last, net.broadcast().to_string());
    }

    #[test]
    fn networks_overlap_where_ipnet_says(a in any::<u32>(), b in any::<u32>(), one in 0u8..=12, other in 0u8..=12) {
        let nets = [(a, one), (b, other)]
            .map(|(address, prefix)| IpNet::V4(Ipv4Net::new(Ipv4Addr::from(address), prefix).unwrap().trunc()));
        let [first, second] = nets.map(|net| Value::text(net.to_string()));
        let common = nets[0].contains(&nets[1]) || nets[1].contains(&nets[0]);
        prop_assert_eq!(call("net.overlaps", &[first, second]).unwrap(), Value::Bool(common));
    }

    #[test]
    fn versions_are_ordered_as_semver_orders_them(a in version(), b in version()) {
        let expected = semver::Version::parse(&a).unwrap().cmp_precedence(&semver::Version::parse(&b).unwrap()) as i64;
        prop_assert_eq!(call("semver.compare", &[Value::text(&*a), Value::text(&*b)]).unwrap(), Value::Int(expected));
        let sorted = call("semver.sort", &[Value::List(vec![Value::text(&*a), Value::text(&*b)])]).unwrap();
        let order = if expected > 0 { [&b, &a] } else { [&a, &b] };
        prop_assert_eq!(sorted, Value::List(order.map(|v| Value::text(&**v)).to_vec()));
    }

    #[test]
    fn nothing_that_is_given_as_text_panics(name in 0..crate::builtin::functions().len(), given in any::<String>(), number in any::<i64>()) {
        let function = &crate::builtin::functions()[name];
        for other in [Value::text(&*given), Value::Int(number), Value::Bool(true)] {
            let mut args = vec![Value::text(&*given)];
            args.resize(function.params.len(), other);
            let _ = call(function.name, &args);
        }
    }
}

fn version() -> impl Strategy<Value = String> {
    (
        0u8..3,
        0u8..12,
        0u8..12,
        proptest::option::of("[a-z]{1,3}(\\.(0|[1-9][0-9]?))?"),
        proptest::option::of("[a-z0-9]{1,3}"),
    )
        .prop_map(|(major, minor, patch, pre, build)| {
            let mut text = format!("{major}.{minor}.{patch}");
            pre.iter().for_each(|pre| text.push_str(&format!("-{pre}")));
            build.iter().for_each(|build| text.push_str(&format!("+{build}")));
            text
        })
}
