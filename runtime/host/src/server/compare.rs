//! An object next to what somebody declares it as: which inputs are others. What may be secret is said to differ and not shown.

use crate::api::{ChangedField, Container, ObjectSpec, Policy};
use serde_json::Value;
use std::collections::BTreeMap;

/// Inputs that may hold a secret.
const HIDDEN: [&str; 2] = ["env", "content"];
/// What is switched, and what is put in force without a new object.
const NOT_IDENTITY: [&str; 1] = ["size"];

/// The fields of `made` that are not as `declared`, by their paths.
pub fn differences(made: &ObjectSpec, declared: &ObjectSpec) -> Vec<ChangedField> {
    let (made, declared) = (leaves(made), leaves(declared));
    let names = made.keys().chain(declared.keys()).collect::<std::collections::BTreeSet<_>>();
    let differs = names.into_iter().filter(|name| made.get(*name) != declared.get(*name));
    differs
        .map(|name| {
            let hidden = name.split('.').next().is_some_and(|first| HIDDEN.contains(&first));
            let text = |found: Option<&String>| match found {
                None => "nothing".to_owned(),
                Some(_) if hidden => "something else".to_owned(),
                Some(text) => text.clone(),
            };
            ChangedField { name: name.clone(), recorded: text(declared.get(name)), observed: text(made.get(name)) }
        })
        .collect()
}

fn leaves(spec: &ObjectSpec) -> BTreeMap<String, String> {
    let spec = match spec {
        ObjectSpec::Container(container) => {
            ObjectSpec::Container(Box::new(Container { policy: Policy::default(), ..Container::clone(container) }))
        }
        other => other.clone(),
    };
    let mut found = BTreeMap::new();
    flatten(String::new(), &serde_json::to_value(spec).unwrap_or_default(), &mut found);
    if found.get("kind").is_some_and(|kind| kind == "volume") {
        found.retain(|name, _| !NOT_IDENTITY.contains(&name.as_str()));
    }
    found
}

fn flatten(path: String, value: &Value, found: &mut BTreeMap<String, String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| flatten(below(name), value, found)),
        Value::Array(items) => {
            let words = items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
            found.insert(path, words.collect::<Vec<_>>().join(" "));
        }
        Value::Null => {}
        Value::String(text) => _ = found.insert(path, text.clone()),
        Value::Bool(_) | Value::Number(_) => _ = found.insert(path, value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{File, Limits, Volume, VolumeAccess};

    fn container(env: &str, memory: u64) -> ObjectSpec {
        let json = serde_json::json!({
            "kind": "container", "image": "sha256:1", "cmd": ["a", "b"], "env": { "TOKEN": env },
        });
        let ObjectSpec::Container(container) = serde_json::from_value(json).unwrap() else { panic!("a container") };
        let limits = Limits { memory: Some(memory), ..Limits::default() };
        ObjectSpec::Container(Box::new(Container { limits, ..*container }))
    }

    #[test]
    fn what_differs_is_named_and_what_may_be_secret_is_not_shown() {
        assert!(differences(&container("hunter2", 1), &container("hunter2", 1)).is_empty());
        let found = differences(&container("hunter2", 1), &container("hunter3", 2));
        let told = |name: &str, recorded: &str, observed: &str| ChangedField {
            name: name.to_owned(),
            recorded: recorded.to_owned(),
            observed: observed.to_owned(),
        };
        assert_eq!(found, [told("env.TOKEN", "something else", "something else"), told("limits.memory", "2", "1")]);
        let file = |content: &str| ObjectSpec::File(File { content: content.to_owned(), mode: 0o644, secret: false });
        assert!(!format!("{:?}", differences(&file("c2VjcmV0"), &file("eA=="))).contains("c2VjcmV0"));
    }

    #[test]
    fn a_volume_of_another_size_is_the_same_volume() {
        let volume = |size, owner| ObjectSpec::Volume(Volume { size, owner, access: VolumeAccess::Shared });
        assert!(differences(&volume(1, 0), &volume(2, 0)).is_empty());
        assert_eq!(differences(&volume(1, 0), &volume(2, 7)).len(), 1);
    }
}
