//! From the engine's values to the agent's requests.
//!
//! Secrets are revealed here, and only into fields that the agent keeps with mode 0600. Errors name the field, never its value.

use std::collections::BTreeMap;
use std::net::IpAddr;

use data_encoding::BASE64;
use imm_ir::{Content, Fields, Value};
use imm_runtime::provider::{Request, Result};

use crate::api::{
    Alphabet, Backoff, Container, File, HealthCheck, IsolationWish, Limits, Mount, ObjectSpec, Policy, RoutePort,
    Secret, Stop, StopSignal, Volume, VolumeAccess,
};

use super::failure::permanent;
use super::{bound, handle};

/// What the agent is asked to make.
pub fn spec(request: &Request) -> Result<ObjectSpec> {
    match &*request.kind {
        "container" => Ok(ObjectSpec::Container(Box::new(container(request)?))),
        "file" => Ok(ObjectSpec::File(file(request)?)),
        "route" => Ok(ObjectSpec::Route(route(request)?)),
        "volume" => Ok(ObjectSpec::Volume(volume(request)?)),
        "job" => Ok(ObjectSpec::Container(Box::new(Container { once: true, port: None, ..container(request)? }))),
        "secret" => secret(request).map(ObjectSpec::Secret),
        other => Err(super::not_provided(other)),
    }
}

fn container(request: &Request) -> Result<Container> {
    let inputs = &request.inputs;
    let missing = || permanent(format!("{}: `image` is missing", request.address), None);
    let image = bound(request, field(inputs, "image").ok_or_else(missing)?)?;
    Ok(Container {
        image: handle::image(&image.handle)?.to_string(),
        cmd: if field(inputs, "cmd").is_some() { Some(texts(inputs, "cmd")?) } else { None },
        env: text_map(inputs, "env")?,
        port: number(inputs, "port").and_then(|port| u16::try_from(port).ok()),
        mounts: mounts(request)?,
        limits: limits(inputs),
        user: text(inputs, "user")?,
        isolation: if tag(inputs, "isolation") == Some("require") {
            IsolationWish::Require
        } else {
            IsolationWish::Best
        },
        private: tag(inputs, "network") == Some("private"),
        once: false,
        policy: policy(inputs)?,
    })
}

fn secret(request: &Request) -> Result<Secret> {
    let length = number(&request.inputs, "length").unwrap_or(32);
    let wrong = |said: String| permanent(format!("{}: {said}", request.address), None);
    let length = u32::try_from(length).map_err(|_| wrong(format!("`length` is {length}, which is too long")))?;
    let alphabet = match tag(&request.inputs, "alphabet") {
        None | Some("alnum") => Alphabet::Alnum,
        Some("hex") => Alphabet::Hex,
        Some("ascii") => Alphabet::Ascii,
        Some(other) => return Err(wrong(format!("`alphabet = {other}` is not known to this version"))),
    };
    Ok(Secret { length, alphabet })
}

fn mounts(request: &Request) -> Result<BTreeMap<String, Mount>> {
    let Some(Value::Map(mounts)) = field(&request.inputs, "mounts") else { return Ok(BTreeMap::new()) };
    let mut found = BTreeMap::new();
    for (path, mount) in mounts {
        let wrong = || permanent(format!("{}: the mount at {path} cannot be read", request.address), None);
        let Value::Variant(tag, payload) = mount else { return Err(wrong()) };
        let of = || bound(request, payload.get("of").ok_or_else(wrong)?).map(|bound| bound.object.to_string());
        let mount = match &**tag {
            "volume" => {
                let read_only = payload.get("read_only").and_then(Value::as_bool).unwrap_or(false);
                Mount::Volume { object: of()?, read_only }
            }
            "file" => Mount::File { object: of()? },
            "scratch" => Mount::Scratch { size: number(payload, "size").ok_or_else(wrong)? },
            _ => return Err(wrong()),
        };
        found.insert(path.as_str().to_owned(), mount);
    }
    Ok(found)
}

fn limits(inputs: &Fields<Value>) -> Limits {
    let Some(Value::Record(limits)) = field(inputs, "limits") else { return Limits::default() };
    Limits { cpu_milli: number(limits, "cpu"), memory: number(limits, "memory"), pids: number(limits, "pids") }
}

/// Policy inputs of a container.
pub fn policy(inputs: &Fields<Value>) -> Result<Policy> {
    let health = match field(inputs, "health") {
        Some(Value::Variant(tag, payload)) => health(tag, payload)?,
        Some(_) | None => None,
    };
    let mut policy = Policy { health, ..Policy::default() };
    if let Some(Value::Record(stop)) = field(inputs, "stop") {
        let signal = match tag(stop, "signal") {
            Some("int") => StopSignal::Int,
            Some("quit") => StopSignal::Quit,
            Some(_) | None => StopSignal::Term,
        };
        policy.stop = Stop { signal, grace_ms: number(stop, "grace").unwrap_or(policy.stop.grace_ms) };
    }
    if let Some(Value::Record(backoff)) = field(inputs, "backoff") {
        policy.backoff = Backoff {
            first_ms: number(backoff, "first").unwrap_or(policy.backoff.first_ms),
            most_ms: number(backoff, "max").unwrap_or(policy.backoff.most_ms),
            ..policy.backoff
        };
    }
    Ok(policy)
}

pub fn health(tag: &str, payload: &Fields<Value>) -> Result<Option<HealthCheck>> {
    let interval_ms = number(payload, "interval").unwrap_or(1_000);
    let timeout_ms = number(payload, "timeout").unwrap_or(2_000);
    let healthy = number(payload, "healthy").and_then(|times| u32::try_from(times).ok()).unwrap_or(2);
    let within_ms = number(payload, "within").unwrap_or(60_000);
    match tag {
        "http" => {
            let status = match field(payload, "status") {
                Some(Value::List(codes)) => {
                    codes.iter().filter_map(|code| u16::try_from(code.as_int()?).ok()).collect()
                }
                Some(_) | None => vec![200],
            };
            let path = text(payload, "path")?.unwrap_or_else(|| "/healthz".to_owned());
            Ok(Some(HealthCheck::Http { path, interval_ms, timeout_ms, healthy, within_ms, status }))
        }
        "tcp" => Ok(Some(HealthCheck::Tcp { interval_ms, timeout_ms, healthy, within_ms })),
        "exec" => {
            Ok(Some(HealthCheck::Exec { cmd: texts(payload, "cmd")?, interval_ms, timeout_ms, healthy, within_ms }))
        }
        "running" => Ok(Some(HealthCheck::Running { for_ms: number(payload, "for").unwrap_or(0) })),
        "none_because" => Ok(None),
        other => Err(permanent(format!("`health = {other}` is not provided by platform host in this version"), None)),
    }
}

fn file(request: &Request) -> Result<File> {
    let content = field(&request.inputs, "content");
    let bytes = match content.map(Value::reveal) {
        Some(Value::String(text)) => text.as_bytes(),
        Some(Value::Content(Content::Bytes(blob))) => &blob.bytes,
        Some(_) | None => {
            return Err(permanent(format!("{}: `content` is not the content of one file", request.address), None));
        }
    };
    let mode = text(&request.inputs, "mode")?.unwrap_or_else(|| "0644".to_owned());
    let Ok(mode) = u32::from_str_radix(&mode, 8) else {
        return Err(permanent(format!("{}: mode {mode:?} is not octal, like 0644", request.address), None));
    };
    // Asked of what was given: `field` has revealed it.
    let secret = request.inputs.get("content").is_some_and(Value::has_secret);
    Ok(File { content: BASE64.encode(bytes), mode, secret })
}

fn volume(request: &Request) -> Result<Volume> {
    let owner = text(&request.inputs, "owner")?.unwrap_or_else(|| "65532".to_owned());
    let Ok(owner) = owner.parse() else {
        return Err(permanent(
            format!("{}: owner {owner:?} is not a number; volumes are owned by numeric users", request.address),
            None,
        ));
    };
    let shared = tag(&request.inputs, "access") == Some("shared");
    Ok(Volume {
        size: number(&request.inputs, "size").unwrap_or(0),
        owner,
        access: if shared { VolumeAccess::Shared } else { VolumeAccess::SingleWriter },
    })
}

fn route(request: &Request) -> Result<RoutePort> {
    let bind = text(&request.inputs, "bind")?.unwrap_or_else(|| "127.0.0.1".to_owned());
    let Ok(bind) = bind.parse::<IpAddr>() else {
        return Err(permanent(format!("{}: bind {bind:?} is not an IP address", request.address), None));
    };
    let tcp = tag(&request.inputs, "protocol") == Some("tcp");
    Ok(RoutePort {
        bind,
        listen: number(&request.inputs, "listen").and_then(|port| u16::try_from(port).ok()),
        protocol: if tcp { imm_router::Protocol::Tcp } else { imm_router::Protocol::Http },
        encrypted: !matches!(tag(&request.inputs, "tls"), None | Some("off")),
    })
}

/// A field that is given and not `none`.
pub fn field<'a>(fields: &'a Fields<Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).map(Value::reveal).filter(|value| **value != Value::None)
}

/// A record's fields, as pairs.
pub fn record(fields: &Fields<Value>) -> Vec<(&str, &Value)> {
    fields.iter().map(|(name, value)| (&**name, value)).collect()
}

/// A variant's tag.
pub fn tag<'a>(fields: &'a Fields<Value>, name: &str) -> Option<&'a str> {
    match field(fields, name) {
        Some(Value::Variant(tag, _)) => Some(tag),
        Some(_) | None => None,
    }
}

/// A number that is not negative.
pub fn number(fields: &Fields<Value>, name: &str) -> Option<u64> {
    field(fields, name)?.as_int().and_then(|number| u64::try_from(number).ok())
}

/// Text.
pub fn text(fields: &Fields<Value>, name: &str) -> Result<Option<String>> {
    match field(fields, name) {
        None => Ok(None),
        Some(value) => value.as_text().map(|text| Some(text.to_owned())).ok_or_else(|| no_text(name)),
    }
}

/// A list of text.
pub fn texts(fields: &Fields<Value>, name: &str) -> Result<Vec<String>> {
    match field(fields, name) {
        Some(Value::List(items)) => {
            items.iter().map(|item| item.as_text().map(str::to_owned).ok_or_else(|| no_text(name))).collect()
        }
        Some(_) => Err(no_text(name)),
        None => Ok(Vec::new()),
    }
}

/// A map of text.
pub fn text_map(fields: &Fields<Value>, name: &str) -> Result<BTreeMap<String, String>> {
    match field(fields, name) {
        Some(Value::Map(map)) => {
            let pair = |(key, value): (&imm_ir::Key, &Value)| {
                value.as_text().map(|text| (key.as_str().to_owned(), text.to_owned())).ok_or_else(|| no_text(name))
            };
            map.iter().map(pair).collect()
        }
        Some(_) => Err(no_text(name)),
        None => Ok(BTreeMap::new()),
    }
}

fn no_text(name: &str) -> imm_runtime::provider::Error {
    permanent(format!("`{name}` holds something that is not text"), None)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn fields(pairs: &[(&str, Value)]) -> Fields<Value> {
        pairs.iter().map(|(name, value)| (Arc::from(*name), value.clone())).collect()
    }

    #[test]
    fn a_policy_is_read_with_its_defaults() {
        let http = Value::Variant(Arc::from("http"), fields(&[("interval", Value::Duration(200))]));
        let stop = Value::Record(fields(&[("signal", Value::tag("quit")), ("grace", Value::Duration(5))]));
        let read = policy(&fields(&[("health", http), ("stop", stop), ("backoff", Value::None)])).unwrap();
        let expected = HealthCheck::Http {
            path: "/healthz".to_owned(),
            interval_ms: 200,
            timeout_ms: 2000,
            healthy: 2,
            within_ms: 60_000,
            status: vec![200],
        };
        assert_eq!(read.health, Some(expected));
        assert_eq!(read.stop, Stop { signal: StopSignal::Quit, grace_ms: 5 });
        assert_eq!(read.backoff, Backoff::default());
    }

    #[test]
    fn secrets_are_revealed_into_the_environment_and_not_into_errors() {
        let secret = Value::text("hunter2").into_secret();
        let env = Value::Map(BTreeMap::from([(imm_ir::Key::from("TOKEN"), secret.clone())]));
        assert_eq!(text_map(&fields(&[("env", env)]), "env").unwrap()["TOKEN"], "hunter2");
        let cause = texts(&fields(&[("cmd", secret)]), "cmd").unwrap_err();
        assert!(!cause.message.contains("hunter2"), "{cause}");
    }

    #[test]
    fn a_file_of_a_secret_is_a_secret_file() {
        let made = |content: Value| {
            let request = Request {
                object: imm_runtime::id::ObjectId(imm_ir::Digest([1; 32])),
                address: imm_ir::Addr::root("conf"),
                kind: Arc::from("file"),
                spec: imm_ir::Digest([2; 32]),
                inputs: fields(&[("content", content)]),
                bound: BTreeMap::new(),
                dormant: false,
            };
            file(&request).unwrap()
        };
        assert!(made(Value::text("hunter2").into_secret()).secret);
        assert!(!made(Value::text("plain")).secret);
    }

    #[test]
    fn a_check_by_a_program_is_read() {
        let cmd = Value::List(vec![Value::text("/bin/check"), Value::text("-q")]);
        let exec = Value::Variant(Arc::from("exec"), fields(&[("cmd", cmd), ("healthy", Value::Int(1))]));
        let Some(HealthCheck::Exec { cmd, healthy, .. }) = policy(&fields(&[("health", exec)])).unwrap().health else {
            panic!("it is one by a program")
        };
        assert_eq!((cmd.join(" ").as_str(), healthy), ("/bin/check -q", 1));
    }
}
