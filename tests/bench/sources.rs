//! Seeded programs of any size: the same seed and size give the same text on every machine.

use std::fmt::Write as _;

/// How the nodes of a program depend on each other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// None does.
    Flat,
    /// None does, and each is written out, as those of a chain and of layers are.
    Written,
    /// Each on the one before it.
    Chain,
    /// Each on two of the level below; a level has a hundred.
    Layered,
    /// Uses of one component, three nodes each.
    Components,
}

impl Shape {
    pub const ALL: [Shape; 5] = [Shape::Flat, Shape::Written, Shape::Chain, Shape::Layered, Shape::Components];

    pub fn name(self) -> &'static str {
        match self {
            Shape::Flat => "flat",
            Shape::Written => "flat, written out",
            Shape::Chain => "chain",
            Shape::Layered => "layered",
            Shape::Components => "components",
        }
    }
}

/// A generator of numbers that are good enough to vary a text.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let index = self.below(from.len() as u64);
        from.get(usize::try_from(index).unwrap_or(0)).copied().unwrap_or("")
    }
}

/// A program of `count` files in a shape, with a param that one leaf of them depends on. Flat and component programs come
/// from a `for`, so that a million nodes are a few lines.
pub fn shaped(shape: Shape, count: usize, seed: u64) -> String {
    let mut text = String::from("param word: String = \"a\"\n\nresource leaf = file { content = word }\n");
    let rest = count.saturating_sub(1);
    let mut seeded = Seeded(seed | 1);
    match shape {
        Shape::Flat => {
            let _infallible = write!(
                text,
                "\nresource unit for n in 0..{rest} = file {{ content = \"unit ${{n}}\\n\", mode = \"0640\" }}\n"
            );
        }
        Shape::Written => {
            for n in 0..rest {
                let _infallible = write!(text, "\nresource unit_{n} = file {{ content = \"unit {n}\\n\" }}");
            }
            text.push('\n');
        }
        Shape::Chain => {
            text.push_str("\nresource unit_0 = file { content = \"first\\n\" }\n");
            for n in 1..rest {
                let _infallible = writeln!(text, "resource unit_{n} = file {{ content = unit_{}.path }}", n - 1);
            }
        }
        Shape::Layered => {
            text.push('\n');
            for n in 0..rest {
                let _infallible = if n < 100 {
                    writeln!(text, "resource unit_{n} = file {{ content = \"unit {n}\\n\" }}")
                } else {
                    let below = n / 100 * 100 - 100;
                    let (a, b) = (below as u64 + seeded.below(100), below as u64 + seeded.below(100));
                    writeln!(
                        text,
                        "resource unit_{n} = file {{ content = \"{n} ${{unit_{a}.path}} ${{unit_{b}.path}}\\n\" }}"
                    )
                };
            }
        }
        Shape::Components => {
            let uses = rest / 3;
            let _infallible = write!(
                text,
                r#"
component cell {{
  param n: Int

  resource base = file {{ content = "cell ${{n}}\n" }}
  resource left = file {{ content = base.path }}
  resource right = file {{ content = "${{base.path}} right\n" }}
}}

use cells for n in 0..{uses} = cell {{ n }}
"#
            );
        }
    }
    text
}

/// The same number of flat resources for the usual tool, and the state that it would have recorded for them.
pub fn for_terraform(count: usize) -> (String, String) {
    let (mut text, mut resources) = (String::new(), Vec::with_capacity(count));
    for n in 0..count {
        let _infallible = write!(
            text,
            "# What unit {n} has to know.\nresource \"terraform_data\" \"unit_{n}\" {{\n  input = \"unit {n} of the team\"\n}}\n\n"
        );
        let value = format!("{{\"value\":\"unit {n} of the team\",\"type\":\"string\"}}");
        resources.push(format!(
            "{{\"mode\":\"managed\",\"type\":\"terraform_data\",\"name\":\"unit_{n}\",\"provider\":\"provider[\\\"terraform.io/builtin/terraform\\\"]\",\"instances\":[{{\"schema_version\":0,\"attributes\":{{\"id\":\"{n:08}-0000-4000-8000-000000000000\",\"input\":{value},\"output\":{value},\"triggers_replace\":null}}}}]}}"
        ));
    }
    let state = format!(
        "{{\"version\":4,\"terraform_version\":\"1.5.0\",\"serial\":1,\"lineage\":\"00000000-0000-4000-8000-000000000000\",\"outputs\":{{}},\"resources\":[{}]}}",
        resources.join(",")
    );
    (text, state)
}

/// A program of `count` resources written one by one, about 300 bytes each: images, configuration files, services,
/// routes and volumes, as people write them.
pub fn written_out(count: usize, seed: u64) -> String {
    let mut seeded = Seeded(seed | 1);
    let mut text = String::with_capacity(count * 320);
    text.push_str("//! A landscape of services.\n\n");
    text.push_str("resource app = image { cmd = [\"/bin/app\"], clock = 0 }\n");
    for n in 1..count {
        let team = seeded.pick(&["billing", "search", "shop", "identity", "reports"]);
        let region = seeded.pick(&["eu-west", "eu-north", "us-east"]);
        let (small, grace) = (16 << seeded.below(5), 5 + seeded.below(30));
        match n % 5 {
            0 => {
                let _infallible = write!(
                    text,
                    r#"
/// Where the {team} team keeps what unit {n} writes; grown by hand when the alarm says so.
durable data_{n} = volume {{
  access   = shared
  size     = {small}GiB
  snapshot = before_apply
  owner    = "65532"
}} with {{
  protect = true
  timeout = {grace}m
  retries = 5
}}
"#
                );
            }
            1 => {
                let _infallible = write!(
                    text,
                    r#"
/// What the {team} team wants unit {n} to know.
resource conf_{n} = file {{
  content = "team = {team}\nregion = {region}\nunit = {n}\nlog.level = info\nlog.format = json\ncache.mib = {small}\n"
  mode    = "0640"
}} with {{
  timeout = {grace}s
  retries = 2
}}
"#
                );
            }
            2 => {
                let conf = n - 1;
                let _infallible = write!(
                    text,
                    r#"
/// Unit {n} of the {team} team.
resource web_{n} = service {{
  image    = app
  replicas = 1
  port     = 8080
  env      = {{ TEAM = "{team}", REGION = "{region}", UNIT = "{n}" }}
  mounts   = {{ "/etc/unit.conf" = file {{ of = conf_{conf} }} }}
  limits   = {{ cpu = 0.25cpu, memory = {small}MiB }}
  health   = http {{ path = "/healthz", interval = 500ms }}
  stop     = {{ signal = term, grace = {grace}s }}
}}
"#
                );
            }
            3 => {
                let web = n - 1;
                let _infallible = write!(
                    text,
                    r#"
/// The way in to unit {web} of the {team} team.
pointer edge_{n} = route {{
  listen  = 8080
  host    = "unit{web}.{team}.example"
  path    = "/"
  to      = web_{web}
  rollout = blue_green {{ hold = {grace}s }}
  drain   = {grace}s
  timeout = 30s
}}
"#
                );
            }
            _image => {
                let _infallible = write!(
                    text,
                    r#"
/// What the {team} team ships to {region}.
resource image_{n} = image {{
  files   = {{ "/etc/motd" = "unit {n} of {team}\n" }}
  cmd     = ["/bin/unit", "--team", "{team}", "--region", "{region}"]
  env     = {{ TEAM = "{team}", REGION = "{region}" }}
  labels  = {{ team = "{team}", unit = "{n}" }}
  user    = "65532"
  workdir = "/srv"
}}
"#
                );
            }
        }
    }
    text
}
