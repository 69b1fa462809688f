//! `std.net`: addresses and networks of IPv4 and IPv6.

use super::{ReduceError, Result};
use crate::Value;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A list of more than 2 to the power of this is refused.
const MOST_BITS: u32 = 16;

/// A function of `std.net`.
pub(super) fn known(function: &str, text: &str, rest: &[&Value]) -> Result<Option<Value>> {
    Ok(Some(match (function, rest) {
        ("is_ip", []) => Value::Bool(text.parse::<IpAddr>().is_ok()),
        ("is_ipv4", []) => Value::Bool(text.parse::<Ipv4Addr>().is_ok()),
        ("is_ipv6", []) => Value::Bool(text.parse::<Ipv6Addr>().is_ok()),
        ("is_cidr", []) => Value::Bool(network(text).is_ok()),
        ("subnet", [Value::Int(bits), Value::Int(number)]) => Value::text(subnet(network(text)?, *bits, *number)?),
        ("subnets", [Value::Int(bits)]) => subnets(network(text)?, *bits)?,
        ("host", [Value::Int(number)]) => Value::text(host(network(text)?, *number)?),
        ("hosts", []) => hosts(network(text)?)?,
        ("prefix", []) => Value::Int(i64::from(network(text)?.prefix_len())),
        ("netmask", []) => Value::text(network(text)?.netmask().to_string()),
        ("contains", [Value::String(other)]) => Value::Bool(match other.parse::<IpAddr>() {
            Ok(address) => network(text)?.contains(&address),
            Err(_no_address) => network(text)?.contains(&network(other)?),
        }),
        ("overlaps", [Value::String(other)]) => {
            let (one, other) = (network(text)?, network(other)?);
            Value::Bool(one.contains(&other) || other.contains(&one))
        }
        _other => return Ok(None),
    }))
}

/// A network without bits behind its prefix.
fn network(text: &str) -> Result<IpNet> {
    let wrong = |why: String| ReduceError::range(format!("`{text}` is not a network: {why}"));
    let net: IpNet = text.parse().map_err(|_unclear| {
        wrong("an address, a slash and the length of the prefix are wanted".to_owned())
            .help("for example `10.0.0.0/16` or `fd00::/48`")
    })?;
    if net.addr() != net.network() {
        return Err(wrong("bits behind the prefix are set".to_owned()).help(format!("write `{}`", net.trunc())));
    }
    Ok(net)
}

/// First address as a number, how many bits addresses have, and how many of them are behind the prefix.
fn parts(net: IpNet) -> (u128, u32, u32) {
    match net {
        IpNet::V4(net) => (u128::from(u32::from(net.network())), 32, 32 - u32::from(net.prefix_len())),
        IpNet::V6(net) => (u128::from(net.network()), 128, 128 - u32::from(net.prefix_len())),
    }
}

fn address(number: u128, bits: u32) -> IpAddr {
    match u32::try_from(number) {
        Ok(short) if bits == 32 => IpAddr::V4(Ipv4Addr::from(short)),
        _long => IpAddr::V6(Ipv6Addr::from(number)),
    }
}

fn subnet(net: IpNet, bits: i64, number: i64) -> Result<String> {
    let (first, width, free) = parts(net);
    let Some(bits) = u32::try_from(bits).ok().filter(|bits| *bits <= free) else {
        let message = format!("the prefix of {net} cannot be made longer by {bits}");
        return Err(ReduceError::range(message).help(format!("0 to {free} bits are free")));
    };
    let fits = |number: &u128| bits == 128 || *number < 1 << bits;
    let Some(index) = u128::try_from(number).ok().filter(fits) else {
        let message = format!("{net} has no network number {number} of {bits} more bits");
        return Err(ReduceError::range(message).help(format!("there are 2^{bits}, counted from 0")));
    };
    let left = free - bits;
    let start = if left == 128 { first } else { first | (index << left) };
    Ok(format!("{}/{}", address(start, width), width - left))
}

fn subnets(net: IpNet, bits: i64) -> Result<Value> {
    if (i64::from(MOST_BITS) + 1..=128).contains(&bits) {
        let message = format!("2^{bits} networks are too many for a list");
        return Err(ReduceError::range(message).help("`net.subnet(cidr, bits, number)` gives one of them"));
    }
    let many = 1_i64 << bits.clamp(0, i64::from(MOST_BITS));
    Ok(Value::List((0..many).map(|number| subnet(net, bits, number).map(Value::text)).collect::<Result<_>>()?))
}

fn host(net: IpNet, number: i64) -> Result<String> {
    let (first, width, free) = parts(net);
    let last = if free == 128 { u128::MAX } else { (1 << free) - 1 };
    let distance = u128::from(number.unsigned_abs());
    let offset = if number < 0 { last.checked_sub(distance - 1) } else { Some(distance).filter(|n| *n <= last) };
    match offset {
        Some(offset) => Ok(address(first | offset, width).to_string()),
        None => Err(ReduceError::range(format!("{net} has no address number {number}"))
            .help(format!("it has 2^{free} addresses"))),
    }
}

fn hosts(net: IpNet) -> Result<Value> {
    let (_, _, free) = parts(net);
    if free > MOST_BITS {
        let message = format!("{net} has 2^{free} addresses, which is too many for a list");
        return Err(ReduceError::range(message).help("`net.host(cidr, number)` gives one of them"));
    }
    Ok(Value::List(net.hosts().map(|address| Value::text(address.to_string())).collect()))
}
