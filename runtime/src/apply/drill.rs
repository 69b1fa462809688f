//! A drill: a rollback rehearsed for real and then taken down again. What it would make is made and proven beside what
//! serves; no pointer moves, nothing that acts by itself acts, no job runs, and data is mounted read-only. What that leaves
//! unproven is listed.

use super::{Engine, EngineError, Outcome, Step, Stop};
use crate::entry::{Body, Leftover, UnwindCause};
use crate::id::ObjectId;
use crate::plan::{Fate, Plan, Start};
use imm_ir::{Addr, Class, EdgeKind};
use std::collections::BTreeMap;
use tokio::time::Instant;

/// What a drill does not make, and why: jobs, and what needs something that only a job gives.
pub(super) fn left_out(plan: &Plan) -> BTreeMap<Addr, &'static str> {
    let mut out: BTreeMap<Addr, &'static str> = BTreeMap::new();
    let job =
        |addr: &Addr| plan.nodes.get(addr).is_some_and(|n| n.fate == Fate::Create && matches!(n.start, Start::Job(_)));
    out.extend(plan.nodes.keys().filter(|a| job(a)).map(|a| (a.clone(), "jobs are not run in a drill")));
    loop {
        let before = out.len();
        let needs = |addr: &Addr| {
            let edges = plan.graph.nodes.get(addr).into_iter().flat_map(|n| &n.edges);
            edges.filter(|e| e.kind == EdgeKind::Bind).any(|e| out.contains_key(&e.to))
        };
        let more: Vec<Addr> = plan.nodes.keys().filter(|a| !out.contains_key(*a) && needs(a)).cloned().collect();
        out.extend(more.into_iter().map(|a| (a, "it needs what a job gives, and jobs are not run in a drill")));
        if out.len() == before {
            return out;
        }
    }
}

/// What a drill makes and cannot prove, and why.
fn unproven(plan: &Plan) -> BTreeMap<Addr, &'static str> {
    let mut out = left_out(plan);
    for (addr, planned) in plan.nodes.iter().filter(|(_, n)| matches!(n.fate, Fate::Create | Fate::Reuse)) {
        let why = match (&planned.start, plan.graph.nodes.get(addr).map(|n| n.class)) {
            (Start::Final, _) => "it acts by itself, so it stayed at rest",
            (Start::Handover(_), _) => "what it holds belongs to the one that serves, so it stayed at rest",
            (_, Some(Class::Pointer)) => "it was reserved and led nowhere",
            _proven => continue,
        };
        out.entry(addr.clone()).or_insert(why);
    }
    out
}

impl Engine {
    /// Makes and proves what can be.
    pub(super) async fn rehearse(&mut self, plan: &Plan) -> Step<()> {
        self.build(plan).await?;
        if left_out(plan).is_empty() { self.check_asserts(plan) } else { Ok(()) }
    }

    /// Records what came of it and takes everything down.
    pub(super) async fn end_drill(
        &mut self,
        plan: &Plan,
        generation: u64,
        done: Step<()>,
        began: Instant,
    ) -> Result<Outcome, EngineError> {
        let (cause, failure) = match done {
            Ok(()) => (UnwindCause::Failed(None), None),
            Err(Stop::Unwind(cause, error)) => (cause, Some(error)),
            Err(Stop::Fatal(error)) => return Err(error),
        };
        let unproven = unproven(plan);
        let object = |addr: &Addr| plan.nodes.get(addr).map(|n| n.object);
        let proven: Vec<Addr> =
            plan.nodes.keys().filter(|a| failure.is_none() && !unproven.contains_key(*a)).cloned().collect();
        let covered: Vec<ObjectId> = proven.iter().filter_map(object).collect();
        let not_covered =
            unproven.iter().filter_map(|(a, why)| Some(Leftover { object: object(a)?, why: (*why).to_owned() }));
        let seconds = began.elapsed().as_secs();
        let passed = failure.is_none();
        let finished = Body::DrillFinished { generation, passed, seconds, covered, not_covered: not_covered.collect() };
        self.append(vec![finished], true)?;
        let (leftovers, took_ms) = match self.unwind(cause, failure.as_deref().unwrap_or_default(), began).await? {
            Outcome::RolledBack { leftovers, took_ms, .. } => (leftovers, took_ms),
            stuck => return Ok(stuck),
        };
        Ok(Outcome::Drilled {
            generation,
            error: failure,
            covered: proven,
            not_covered: unproven.into_iter().map(|(a, why)| (a, why.to_owned())).collect(),
            leftovers,
            took_ms,
        })
    }
}
