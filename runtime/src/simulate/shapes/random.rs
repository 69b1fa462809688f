//! A program drawn from a seed: every class of node, every way to take over, every effect of a job.

use super::{Migration, Program, Rollout};
use crate::random::Random;

const TEXTS: [&str; 3] = ["one", "two", "three"];

impl Program {
    /// Draws one. Two in three have something that acts by itself, takes over, runs once, or is elsewhere.
    #[must_use]
    pub fn random(random: &mut Random) -> Self {
        let mut one_in = |n: u64| random.below(n) == 0;
        let (volume, second_route, broken, stop_first) = (!one_in(3), one_in(3), one_in(6), one_in(3));
        let (shop, owner, disk, secret, twin) = (one_in(5), one_in(12), one_in(5), one_in(5), one_in(3));
        let worker = text(random, 4);
        let database = text(random, 3);
        let migration = text(random, 3).map(|text| Migration {
            text,
            effect: one_of(random, &["none", "compatible", "breaking"]),
            undo: random.below(2) == 0,
            every_apply: random.below(4) == 0,
            idempotent: random.below(3) == 0,
        });
        let (tier, afar) = (text(random, 5), text(random, 5));
        let rollout = match random.below(8) {
            0 => Some(Rollout::Canary(vec![10, 50], 100)),
            1 => Some(Rollout::Canary(vec![25], 100)),
            2 => Some(Rollout::Rolling(1 + random.below(2) as i64)),
            3 => Some(Rollout::BlueGreen),
            _as_usual => None,
        };
        let watch_ms = if random.below(6) == 0 { 2000 } else { 0 };
        Self {
            greeting: one_of(random, &["Hello", "Hi", "Hey", "Moin"]).to_owned(),
            replicas: 1 + random.below(4) as u32,
            service: if shop { "shop" } else { "web" }.to_owned(),
            volume,
            second_route,
            drain_s: 1 + random.below(3) as i64,
            broken,
            fan: random.below(3) as u32,
            chain: random.below(4) as u32,
            worker,
            database,
            port: 5432,
            stop_first,
            migration,
            rollout,
            watch_ms,
            size: 1 + random.below(3) as i64,
            owner: if owner { "1000" } else { "65532" }.to_owned(),
            store: if disk { "disk" } else { "store" }.to_owned(),
            secret: secret.then(|| SECRET.to_owned()),
            tier,
            afar,
            twin,
        }
    }
}

/// What programs of chance keep secret.
pub const SECRET: &str = "correct-horse-battery";

fn text(random: &mut Random, one_in: u64) -> Option<String> {
    let (drawn, which) = (random.below(one_in) == 0, one_of(random, &TEXTS));
    drawn.then(|| which.to_owned())
}

fn one_of(random: &mut Random, texts: &[&'static str]) -> &'static str {
    let which = usize::try_from(random.below(texts.len() as u64)).unwrap_or(0);
    texts.get(which).copied().unwrap_or_default()
}
