//! Words of other languages and tools, and what is written here instead: names, functions, methods, fields, types.
//!
//! Only hints: what is unknown is decided by the checker.

use imm_ir::{Applicability, Diagnostic, Span, Type};

/// What to write for a name that nothing has; where it is a constant of another language, with a fix.
pub fn name(diagnostic: Diagnostic, word: &str, span: Span, want: Option<&Type>) -> Diagnostic {
    let wanted = want.map(super::mismatch::bare);
    let right = match word {
        "null" | "nil" | "undefined" | "NULL" => "none",
        "yes" | "on" if wanted == Some(&Type::Bool) => "true",
        "no" | "off" if wanted == Some(&Type::Bool) => "false",
        "var" | "local" | "params" | "inputs" | "locals" => {
            return diagnostic.help("params and lets are used by their names alone");
        }
        "each" | "count" => return diagnostic.help("a `for` gives its values names: `for key, value in …`"),
        "env" | "ENV" | "os" | "process" => {
            return diagnostic
                .help("a program reads no environment: declare a `param`, and set it with IMM_PARAM_NAME");
        }
        "path" => return diagnostic.help("paths are relative to the file that writes them"),
        "module" => return diagnostic.help("an instance of a component is used by its name: `NAME.output`"),
        _other => {
            return match wanted {
                Some(Type::String | Type::Content) => {
                    diagnostic.help(format!("if the text is meant, write `\"{word}\"`"))
                }
                _unknown => diagnostic,
            };
        }
    };
    let title = format!("write `{right}`");
    diagnostic.help(title.clone()).fix(title, Applicability::Maybe, span, right)
}

/// What to write for a function that is none; `args`: the texts of its arguments.
pub fn function(word: &str, args: &[&str]) -> Option<String> {
    let first = args.first().copied().unwrap_or("x");
    let all = args.join(", ");
    let module = |name: &str, call: &str| Some(format!("write `import std.{name}` and `{call}({all})`"));
    let method = |name: &str| Some(format!("write `{first}.{name}()`"));
    match word {
        "jsonencode" | "to_json" | "json" => module("encode", "encode.json"),
        "yamlencode" | "to_yaml" | "yaml" => module("encode", "encode.yaml"),
        "toml" | "to_toml" => module("encode", "encode.toml"),
        "base64encode" | "base64" | "b64encode" => module("encode", "encode.base64"),
        "sha256" => module("hash", "hash.sha256"),
        "md5" | "sha1" | "sha512" | "hash" => module("hash", "hash.sha256"),
        "cidrsubnet" => module("net", "net.subnet"),
        "cidrhost" => module("net", "net.host"),
        "length" | "size" | "count" => method("len"),
        "keys" | "values" | "flatten" | "distinct" | "sum" | "sorted" | "sort"
            if word != "sorted" && word != "sort" =>
        {
            method(word)
        }
        "sort" | "sorted" => Some(format!("write `{first}.sort_by(x => x)`")),
        "tolist" | "toset" | "tomap" | "list" | "set" | "dict" => {
            Some("lists and maps are what they are: leave it out".into())
        }
        "tostring" | "str" | "string" | "String" | "print" | "println" | "format" | "sprintf" | "concat_ws" => {
            Some("a text is built with holes: `\"…${value}…\"`".into())
        }
        "tonumber" | "int" | "Int" | "float" | "parse" => {
            Some("declare it as an Int or Float in the first place".into())
        }
        "max" | "min" => Some(format!("write `[{all}].{word}()`")),
        "merge" => Some("write `{ ..a, ..b }`".into()),
        "concat" => Some("write `a + b`".into()),
        "lookup" => Some(format!("write `{first}.get(key) ?? default`")),
        "element" => Some(format!("write `{first}[index]`, or `{first}.get(index)`")),
        "coalesce" | "try" | "default" => Some("write `a ?? b`".into()),
        "range" => Some("a range is written `0..n`".into()),
        "abspath" | "path" | "dirname" | "basename" => Some("paths are relative to the file that writes them".into()),
        "env" | "getenv" | "environ" => {
            Some("a program reads no environment: declare a `param`, and set it with IMM_PARAM_NAME".into())
        }
        "now" | "timestamp" | "random" | "uuid" => Some(
            "a program gives the same graph each time: pass the value as a `param`; `secret {}` makes a random text"
                .into(),
        ),
        "templatefile" => Some("write `template(path, { name = value })`".into()),
        "read" | "read_file" | "readFile" | "filebase64" => Some("write `file(path)`".into()),
        "Some" | "just" => Some(format!("a value that is there is written as it is: `{first}`")),
        "isinstance" | "typeof" | "type" | "can" => Some("types are known: there is nothing to ask".into()),
        "sensitive" => Some("declare the param as `Secret[String]`".into()),
        _other => None,
    }
}

/// What to write for a method that a value does not have; `source`: the value's text.
pub fn method(word: &str, source: &str) -> Option<String> {
    let call = |name: &str| Some(format!("write `{source}.{name}(…)`"));
    match word {
        "length" | "size" | "count" => Some(format!("write `{source}.len()`")),
        "iter" | "into_iter" | "collect" | "to_vec" | "to_owned" | "clone" | "copy" | "as_str" | "to_list" => {
            Some(format!("leave it out: write `{source}`"))
        }
        "to_string" | "toString" | "str" => {
            Some(format!("write `\"${{{source}}}\"`, or `{source}.text()` for a quantity"))
        }
        "unwrap" | "expect" | "unwrap_or" | "or" | "get_or_insert" | "unwrap_or_default" => {
            Some(format!("write what to use when it is `none`: `{source} ?? other`"))
        }
        "is_some" => Some(format!("write `{source} != none`")),
        "is_none" => Some(format!("write `{source} == none`")),
        "is_empty" | "isEmpty" => Some(format!("write `{source}.len() == 0`")),
        "push" | "append" | "concat" | "extend" | "add" => Some(format!("write `{source} + [value]`")),
        "reduce" | "inject" | "foldl" => call("fold"),
        "each" | "forEach" | "for_each" | "collectMap" | "select" => call("map"),
        "where" | "grep" => call("filter"),
        "find" => Some(format!("write `{source}.filter(x => …).first()`")),
        "sort" | "sorted" => Some(format!("write `{source}.sort_by(x => x)`")),
        "unique" | "uniq" | "dedup" => call("distinct"),
        "items" | "entries" => Some(format!("write `for key, value in {source}`")),
        "startswith" | "startsWith" | "hasPrefix" => call("starts_with"),
        "endswith" | "endsWith" | "hasSuffix" => call("ends_with"),
        "toLowerCase" | "to_lowercase" | "lowercase" | "downcase" => call("lower"),
        "toUpperCase" | "to_uppercase" | "uppercase" | "upcase" => call("upper"),
        "strip" | "trimspace" => call("trim"),
        "sub" | "gsub" | "replaceAll" => call("replace"),
        "splitlines" => call("lines"),
        "substring" | "substr" | "slice" => Some("there are no slices: use `split`, `replace` or `matches`".into()),
        "format" => Some("a text is built with holes: `\"…${value}…\"`".into()),
        "apply" | "then" | "await" => Some(format!("what is known later is used as it is: write `{source}`")),
        "merge" | "update" | "assign" => Some(format!("write `{{ ..{source}, … }}`")),
        "has" | "has_key" | "containsKey" | "includes" => Some(format!("write `key in {source}`")),
        "mod" | "rem" => None,
        _other => None,
    }
}

/// The field that is meant by one of another tool.
pub fn meant(word: &str) -> Option<&'static str> {
    Some(match word {
        "healthcheck" | "health_check" | "livenessProbe" | "readinessProbe" => "health",
        "ports" | "expose" => "port",
        "targets" | "target" | "backend" | "upstream" | "service" => "to",
        _other => return None,
    })
}

/// What to write for a field that a node does not have. `with`: what stands in `with { … }` instead.
pub fn field(word: &str) -> Option<&'static str> {
    Some(match word {
        "count" | "instances" | "scale" => "`replicas` is how many; several nodes are `resource NAME for x in xs = …`",
        "for_each" => "write it in the head: `resource NAME for key, value in map = …`",
        "depends_on" | "dependsOn" => {
            "what a node uses comes first by itself; else write `with { needs = [NODE] }` behind the fields"
        }
        "lifecycle" | "timeouts" => "how the engine treats a node is written behind the fields: `with { … }`",
        "needs" | "timeout" | "retries" | "replace" | "protect" => "it stands behind the fields: `with { … }`",
        "name" | "metadata" => "the name of a node is what stands before the `=`",
        "kind" | "type" => "the kind is what stands behind the `=`",
        "environment" | "environment_variables" | "envs" | "variables" => {
            "environment variables are `env = { NAME = \"value\" }`"
        }
        "volumes" | "volume_mounts" | "volumeMounts" => "write `mounts = { \"/path\" = volume { of = NODE } }`",
        "command" | "entrypoint" | "args" | "run" => "write `cmd = [\"/bin/program\", \"argument\"]`",
        "ports" | "expose" => "write `port = 8080`; what is open to the outside is a `route`",
        "healthcheck" | "health_check" | "livenessProbe" | "readinessProbe" => {
            "write `health = http { path = \"/healthz\" }`"
        }
        "resources" | "cpu" | "memory" | "mem_limit" => "write `limits = { cpu = 0.5cpu, memory = 64MiB }`",
        "restart" | "restart_policy" => "a program that ends is started again by itself; `backoff` says how soon",
        "tags" | "annotations" => "an image has `labels`",
        "secrets" => "a secret goes into `env`, `cmd` or a `file` like any other value",
        "targets" | "target" | "backend" | "upstream" | "service" => "write `to = NODE`",
        "domain" | "hostname" => "write `host = \"example.org\"`",
        "certificate" | "ssl" | "https" => "write `tls = dev`, or `tls = pem { cert = …, key = … }`",
        _other => return None,
    })
}
