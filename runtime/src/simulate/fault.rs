//! What goes wrong in the world, from a seed. Chances are parts per thousand of the calls with an effect.

use crate::random::Random;
use imm_ir::Addr;

/// Longest time in which one version of a provider takes the place of another, milliseconds.
const TAKING_MS: u64 = 500;

/// How often what goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Fails before the effect and may be tried again.
    pub transient: u64,
    /// Fails before the effect, for good.
    pub permanent: u64,
    /// Has its effect and says that it cannot tell.
    pub unanswered: u64,
    /// A create makes something unusable.
    pub tainted: u64,
    /// A create or switch says that it cannot tell, and arrives later.
    pub delayed: u64,
    /// Has its effect, is answered, and arrives once more later.
    pub duplicated: u64,
    /// A call whose sender died arrives nevertheless, before or after the next take-over.
    pub left_behind: u64,
    /// Has no effect and says that it cannot tell: its provider died before anything was on its disk.
    pub lost: u64,
    /// Takes longer than its sender waits, and has its effect at the end of that.
    pub slow: u64,
    /// The provider dies, before or after the effect is on its disk, and answers nothing for a while.
    pub down: u64,
    /// Another version of the provider takes its place, before or after the effect is on its disk; every other time it dies in
    /// that.
    pub upgraded: u64,
}

impl Faults {
    /// A bit of everything.
    pub fn some() -> Self {
        Self {
            transient: 60,
            permanent: 8,
            unanswered: 20,
            tainted: 8,
            delayed: 12,
            duplicated: 30,
            left_behind: 500,
            lost: 10,
            slow: 4,
            down: 4,
            upgraded: 4,
        }
    }
}

/// Something that goes wrong at one place, some times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which node; of what was expanded, every member.
    pub at: Addr,
    /// What goes wrong.
    pub what: What,
    /// How often; with [`What::Slow`] it does not matter.
    pub times: u32,
}

/// What goes wrong at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A create fails before its effect, and may be tried again.
    CreateFails,
    /// What is made never becomes healthy.
    VerifyFails,
    /// A switch fails before its effect, and may be tried again.
    SwitchFails,
    /// An end fails before its effect, and will fail again.
    EndFails,
    /// A create takes so many milliseconds.
    Slow(u64),
}

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Normal,
    Transient,
    Permanent,
    Unanswered,
    Tainted,
    /// Until it arrives, milliseconds.
    Delayed(u64),
    /// Until it arrives again, milliseconds.
    Duplicated(u64),
    Lost,
    /// Until it arrives and is answered, milliseconds.
    Slow(u64),
    /// How long the provider is away, and whether the effect was on its disk before.
    Down(u64, bool),
    /// As before, but what is on its disk is answered: by one that has its place after this time.
    Upgraded(u64, bool),
}

/// When a call arrives whose sender died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Straggler {
    Never,
    BeforeTakeOver,
    AfterTakeOver,
}

#[derive(Debug)]
pub(super) struct Chance {
    pub faults: Faults,
    pub random: Random,
}

impl Chance {
    /// Decides about a call. Always draws the same number of times, so that one fault more does not move the others.
    pub fn fate(&mut self, create: bool, switch: bool) -> Fate {
        let (draw, delay) = (self.random.below(1000), 1 + self.random.below(20_000));
        let f = self.faults;
        let mut edge = 0;
        let mut within = |chance: u64, applies: bool| {
            let from = edge;
            edge += chance;
            applies && (from..edge).contains(&draw)
        };
        if within(f.transient, true) {
            Fate::Transient
        } else if within(f.permanent, true) {
            Fate::Permanent
        } else if within(f.unanswered, true) {
            Fate::Unanswered
        } else if within(f.tainted, create) {
            Fate::Tainted
        } else if within(f.delayed, create || switch) {
            Fate::Delayed(delay)
        } else if within(f.duplicated, create || switch) {
            Fate::Duplicated(delay)
        } else if within(f.lost, true) {
            Fate::Lost
        } else if within(f.slow, true) {
            // Around the time that callers wait.
            Fate::Slow(delay * 5)
        } else if within(f.down, true) {
            Fate::Down(delay * 3, delay % 2 == 0)
        } else if within(f.upgraded, true) {
            let (on_disk, dies) = (delay % 2 == 0, delay % 4 < 2);
            if dies { Fate::Down(delay * 3, on_disk) } else { Fate::Upgraded(delay % TAKING_MS, on_disk) }
        } else {
            Fate::Normal
        }
    }

    pub fn straggler(&mut self) -> Straggler {
        let (draw, after) = (self.random.below(1000), self.random.below(2) == 0);
        match (draw < self.faults.left_behind, after) {
            (false, _) => Straggler::Never,
            (true, false) => Straggler::BeforeTakeOver,
            (true, true) => Straggler::AfterTakeOver,
        }
    }
}
