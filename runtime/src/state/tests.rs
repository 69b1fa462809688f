//! Both transition tables, every state against every entry about objects or applies.

use super::object::{self, Family, ObjectState as S};
use super::phase::{self, Phase as P};
use crate::entry::*;
use crate::id::ObjectId;
use crate::provider::Handle;
use imm_ir::{Addr, Class, CreateMode, Digest, Fields, FindMode, Nature};

const ID: ObjectId = ObjectId(Digest([3; 32]));

fn states() -> Vec<S> {
    let families = [Family::Running, Family::Dormant, Family::Durable, Family::Job, Family::Content, Family::Pointer];
    let mut all: Vec<S> = families.into_iter().flat_map(|f| [S::Creating(f), S::Unknown(f)]).collect();
    all.extend([
        S::Planned,
        S::Failed,
        S::Tainted,
        S::Dormant,
        S::Running,
        S::Leaving,
        S::Idle,
        S::Present,
        S::Released,
        S::Attached,
        S::Retained,
        S::Reserved,
        S::Bound,
        S::Closing,
        S::Started,
        S::Ended(0),
        S::Ended(1),
        S::Lost,
        S::Destroying,
        S::Gone,
    ]);
    all
}

fn intent(class: Class, nature: Nature) -> Body {
    Body::IntentCreate(Box::new(CreateIntent {
        step: 0,
        object: ID,
        address: Addr::root("a"),
        class,
        nature,
        kind: "k".into(),
        spec: ID.0,
        bindings: Vec::new(),
        after: Vec::new(),
        serial: 0,
        provider: "host".into(),
        schema_version: 1,
        inputs: ID.0,
        cells: Fields::new(),
        claims: Vec::new(),
        create: CreateMode::Idempotent,
        find: FindMode::Exact,
        dormant: false,
        inline: Vec::new(),
    }))
}

fn adopted(class: Class, nature: Nature, acts: bool) -> Body {
    let Body::IntentCreate(declared) = intent(class, nature) else { panic!("an intent") };
    let (handle, outputs, because) = (Handle::default(), Fields::new(), String::new());
    let (declared, setting, differs) = (*declared, None, Vec::new());
    Body::Adopted(Box::new(Adopted { declared, handle, outputs, acts, setting, differs, because }))
}

fn created(tainted: bool) -> Body {
    let tainted = tainted.then(|| "x".to_owned());
    Body::Created { step: 0, object: ID, handle: Handle::default(), outputs: Fields::new(), tainted, found: false }
}

fn switch(stage: Option<u32>) -> Body {
    let (moves, return_to_epoch) = (Vec::new(), Vec::new());
    let provider = "host".into();
    Body::IntentSwitch(Box::new(SwitchIntent { step: 0, batch: 0, stage, provider, moves, ttl_ms: 1, return_to_epoch }))
}

fn finished(ending: Ending) -> Body {
    Body::Finished { ending, leftovers: Vec::new(), took_ms: 0, outage_ms: 0 }
}

fn committed() -> Body {
    Body::Committed(Box::new(Commit {
        generation: 1,
        parent: None,
        graph_root: ID.0,
        generation_root: ID.0,
        record: ID.0,
        added: Vec::new(),
        removed: Vec::new(),
        settings: ID.0,
        outputs: ID.0,
        abort_checked_to: 0,
    }))
}

fn unwind() -> Body {
    Body::UnwindStarted { cause: UnwindCause::Crash, error: String::new() }
}

fn confirmed(remaining: u32) -> Body {
    Body::Confirmed { provider: "host".into(), remaining }
}

fn ended(outcome: JobOutcome) -> Body {
    Body::JobFinished { step: 0, object: ID, outcome, outputs: Fields::new() }
}

fn about_objects() -> Vec<Body> {
    let (step, object) = (0, ID);
    vec![
        intent(Class::Resource, Nature::Process),
        intent(Class::Resource, Nature::Content),
        created(false),
        created(true),
        adopted(Class::Resource, Nature::Process, true),
        adopted(Class::Resource, Nature::Process, false),
        adopted(Class::Resource, Nature::Plain, false),
        adopted(Class::Resource, Nature::Job, false),
        adopted(Class::Resource, Nature::Content, false),
        adopted(Class::Durable, Nature::Plain, false),
        adopted(Class::Pointer, Nature::Plain, false),
        Body::Unknown { step, object, error: String::new() },
        Body::NotHappened { step, object, proof: Proof::FoundAbsent },
        Body::Verified { step, object, took_ms: 1 },
        Body::IntentActivate { step, object },
        Body::Activated { step, object },
        Body::IntentDeactivate { step, object },
        Body::Deactivated { step, object, forced: false },
        Body::IntentRun { step, object, token: ID.0 },
        ended(JobOutcome::Exit(1)),
        ended(JobOutcome::Timeout),
        ended(JobOutcome::Lost),
        Body::IntentSnapshot { step, durable: object, token: ID.0 },
        Body::IntentDrain { step, object, deadline_ms: 1 },
        Body::Drained { step, object, in_flight_cut: 0, took_ms: 1 },
        switch(None),
        Body::Switched { step, batch: 0, moved: Vec::new(), provisional: true },
        Body::Reverted { by_agent: true, moved: Vec::new(), agent_seq: None },
        Body::IntentDestroy { step, object },
        Body::Destroyed { step, object, was_missing: false },
        Body::Released { object },
        Body::Retained { durable: object, reason: RetainReason::Removed },
        Body::Attached { durable: object, generation: 1 },
        Body::Renamed { object, from: Addr::root("a"), to: Addr::root("b") },
        Body::Forgotten { object, because: String::new() },
    ]
}

/// Which states an entry may follow in, and what comes out: written down a second time, by entry.
fn allowed(body: &Body) -> Vec<(S, S)> {
    let same = |states: &[S]| states.iter().map(|s| (*s, *s)).collect::<Vec<_>>();
    let to = |states: &[S], to: S| states.iter().map(|s| (*s, to)).collect::<Vec<_>>();
    let open = |f: Family| [S::Creating(f), S::Unknown(f)];
    let families = [Family::Running, Family::Dormant, Family::Durable, Family::Job, Family::Content, Family::Pointer];
    let all_open: Vec<S> = families.into_iter().flat_map(open).collect();
    let settable = [S::Reserved, S::Bound, S::Attached, S::Retained];
    match body {
        Body::IntentCreate(intent) if intent.nature == Nature::Content => {
            to(&[S::Planned, S::Released], S::Creating(Family::Content))
        }
        Body::IntentCreate(_) => vec![(S::Planned, S::Creating(Family::Running))],
        Body::Created { tainted, .. } => {
            let made = |f| match (f, tainted) {
                (Family::Durable, _) => S::Attached,
                (_, Some(_)) => S::Tainted,
                (Family::Running, _) => S::Running,
                (Family::Dormant, _) => S::Dormant,
                (Family::Job, _) => S::Dormant,
                (Family::Content, _) => S::Present,
                (Family::Pointer, _) => S::Reserved,
            };
            families.into_iter().flat_map(|f| to(&open(f), made(f))).collect()
        }
        Body::Adopted(adopted) => {
            let unknown = families.map(S::Unknown);
            let from = [&[S::Planned, S::Failed, S::Gone], &unknown[..]].concat();
            match (adopted.declared.class, adopted.declared.nature, adopted.acts) {
                (Class::Durable, ..) => to(&from, S::Retained),
                (Class::Pointer, ..) => to(&from, S::Reserved),
                (_, Nature::Content, _) => to(&from, S::Present),
                (_, Nature::Job, _) => to(&from, S::Lost),
                (_, Nature::Plain, _) => to(&from, S::Running),
                (_, Nature::Process, true) => to(&from, S::Idle),
                (_, Nature::Process, false) => to(&from, S::Dormant),
            }
        }
        Body::Unknown { .. } => {
            let mut all: Vec<_> = families.into_iter().flat_map(|f| to(&open(f), S::Unknown(f))).collect();
            all.extend(same(&settable));
            all.extend(same(&[S::Running, S::Idle, S::Leaving, S::Dormant, S::Started, S::Destroying]));
            all
        }
        Body::NotHappened { .. } => {
            let there = same(&[S::Running, S::Idle, S::Leaving, S::Dormant]);
            [to(&all_open, S::Failed), same(&settable), vec![(S::Started, S::Dormant)], there].concat()
        }
        Body::Verified { .. } => {
            [to(&[S::Idle, S::Leaving], S::Running), same(&settable), same(&[S::Running, S::Dormant, S::Present])]
                .concat()
        }
        Body::IntentActivate { .. } => same(&[S::Dormant, S::Idle, S::Running, S::Leaving]),
        Body::Activated { .. } => to(&[S::Dormant, S::Idle, S::Running, S::Leaving], S::Running),
        Body::IntentDeactivate { .. } => same(&[S::Dormant, S::Idle, S::Running, S::Leaving, S::Started]),
        Body::Deactivated { .. } => {
            [to(&[S::Dormant, S::Idle, S::Running, S::Leaving], S::Dormant), same(&[S::Started])].concat()
        }
        Body::IntentRun { .. } => to(&[S::Dormant, S::Started], S::Started),
        Body::JobFinished { outcome: JobOutcome::Exit(status), .. } => vec![(S::Started, S::Ended(*status))],
        Body::JobFinished { outcome: JobOutcome::Timeout, .. } => vec![(S::Started, S::Ended(124))],
        Body::JobFinished { .. } => vec![(S::Started, S::Lost)],
        Body::IntentSnapshot { .. } => same(&[S::Attached, S::Retained]),
        Body::IntentDrain { .. } => [
            to(&[S::Running, S::Leaving, S::Idle], S::Leaving),
            to(&[S::Bound, S::Closing], S::Closing),
            same(&[S::Dormant, S::Tainted]),
        ]
        .concat(),
        Body::Drained { .. } => [vec![(S::Leaving, S::Idle)], same(&[S::Closing, S::Dormant, S::Tainted])].concat(),
        Body::IntentSwitch(_) | Body::Reverted { .. } => same(&settable),
        Body::Switched { .. } => [to(&[S::Reserved, S::Bound], S::Bound), same(&[S::Attached, S::Retained])].concat(),
        Body::IntentDestroy { .. } => {
            let mut from = all_open;
            from.extend([S::Tainted, S::Dormant, S::Running, S::Idle, S::Reserved, S::Bound, S::Closing]);
            from.extend([S::Started, S::Ended(0), S::Ended(1), S::Lost, S::Destroying, S::Retained]);
            to(&from, S::Destroying)
        }
        Body::Destroyed { .. } => vec![(S::Destroying, S::Gone)],
        Body::Released { .. } => {
            [to(&open(Family::Content), S::Released), to(&[S::Present, S::Tainted], S::Released)].concat()
        }
        Body::Retained { .. } => to(&[S::Attached, S::Retained], S::Retained),
        Body::Attached { .. } => to(&[S::Attached, S::Retained], S::Attached),
        Body::Renamed { .. } => states().into_iter().filter(|s| s.exists()).map(|s| (s, s)).collect(),
        Body::Forgotten { .. } => states().into_iter().filter(|s| s.exists()).map(|s| (s, S::Gone)).collect(),
        other => panic!("{other:?} is not about objects"),
    }
}

#[test]
fn every_state_against_every_entry_about_objects() {
    for body in about_objects() {
        let allowed = allowed(&body);
        for state in states() {
            let want = allowed.iter().find(|(from, _)| *from == state).map(|(_, to)| *to);
            assert_eq!(object::next(state, &body).ok(), want, "{} in {state:?}", object::name(&body));
        }
    }
}

#[test]
fn what_is_about_an_apply_leaves_objects_alone() {
    for body in [committed(), unwind(), confirmed(0), finished(Ending::Stuck)] {
        assert!(states().into_iter().all(|s| object::next(s, &body) == Ok(s)));
    }
}

#[test]
fn a_durable_is_kept_even_when_it_is_in_a_bad_shape() {
    assert_eq!(object::next(S::Creating(Family::Durable), &created(true)), Ok(S::Attached));
    let durable = object::next(S::Planned, &intent(Class::Durable, Nature::Plain));
    assert_eq!(durable, Ok(S::Creating(Family::Durable)));
    assert!(object::next(S::Attached, &Body::IntentDestroy { step: 0, object: ID }).is_err());
}

fn phases() -> Vec<P> {
    vec![
        P::Preparing,
        P::Building,
        P::HandingOver,
        P::Crossing,
        P::Staging(1),
        P::Staging(2),
        P::Confirming,
        P::Watching,
        P::Retiring,
        P::Unwinding,
        P::StuckBack,
        P::StuckForward,
        P::Committed,
        P::RolledBack,
    ]
}

#[test]
fn every_phase_against_every_entry_that_moves_an_apply() {
    let (step, object) = (0, ID);
    let staging = [P::Staging(1), P::Staging(2)];
    let building = [P::Preparing, P::Building, P::HandingOver, P::Crossing];
    let before = [&building[..], &staging[..]].concat();
    let to = |from: &[P], to: P| from.iter().map(|p| (*p, to)).collect::<Vec<_>>();
    let same = |from: &[P]| from.iter().map(|p| (*p, *p)).collect::<Vec<_>>();
    let build = to(&building, P::Building);
    let unwinding = vec![(P::Unwinding, P::Unwinding)];
    let table: Vec<(Body, Vec<(P, P)>)> = vec![
        (intent(Class::Resource, Nature::Process), build.clone()),
        (intent(Class::Resource, Nature::Job), [&build[..], &unwinding[..]].concat()),
        (Body::IntentRun { step, object, token: ID.0 }, [to(&building, P::Crossing), unwinding].concat()),
        (
            Body::IntentActivate { step, object },
            [to(&building, P::HandingOver), same(&staging), same(&[P::Unwinding, P::Retiring])].concat(),
        ),
        (
            Body::IntentSnapshot { step, durable: object, token: ID.0 },
            [to(&building, P::HandingOver), same(&staging)].concat(),
        ),
        (
            Body::StageEntered { stage: 2, weights: Vec::new(), of: 2, hold_ms: 0, approve: false },
            [to(&building, P::Staging(2)), to(&[P::Staging(1)], P::Staging(2))].concat(),
        ),
        (switch(Some(1)), same(&[P::Staging(1)])),
        (
            switch(None),
            [
                to(&[P::Preparing, P::Building, P::Crossing], P::Building),
                same(&[P::HandingOver, P::Unwinding, P::Confirming, P::StuckForward]),
            ]
            .concat(),
        ),
        (Body::IntentDestroy { step, object }, same(&[P::Retiring, P::Unwinding])),
        (
            Body::IntentDrain { step, object, deadline_ms: 1 },
            same(&[&staging[..], &[P::Retiring, P::Unwinding]].concat()),
        ),
        (Body::WatchEnded { verdict: Verdict::Pass, why: String::new() }, to(&[P::Watching], P::Retiring)),
        (committed(), to(&before, P::Confirming)),
        (unwind(), to(&[&before[..], &[P::StuckBack, P::Unwinding]].concat(), P::Unwinding)),
        (
            confirmed(0),
            [to(&[P::Confirming, P::StuckForward], P::Retiring), same(&[P::Watching, P::Retiring, P::Unwinding])]
                .concat(),
        ),
        (
            confirmed(1),
            [to(&[P::Confirming, P::StuckForward], P::Confirming), same(&[P::Watching, P::Retiring, P::Unwinding])]
                .concat(),
        ),
        (finished(Ending::Committed), vec![(P::Retiring, P::Committed)]),
        (finished(Ending::RolledBack), vec![(P::Unwinding, P::RolledBack)]),
        (
            finished(Ending::Stuck),
            [
                vec![(P::Unwinding, P::StuckBack)],
                to(&[P::Confirming, P::Watching, P::Retiring, P::StuckForward], P::StuckForward),
            ]
            .concat(),
        ),
    ];
    for (body, allowed) in table {
        for phase in phases() {
            let want = allowed.iter().find(|(from, _)| *from == phase).map(|(_, to)| *to);
            assert_eq!(phase::next(phase, &body, false).ok(), want, "{} in {phase:?}", object::name(&body));
        }
    }
}

#[test]
fn what_is_watched_retires_later() {
    assert_eq!(phase::next(P::Confirming, &confirmed(0), true).ok(), Some(P::Watching));
    assert_eq!(phase::next(P::Confirming, &confirmed(1), true).ok(), Some(P::Confirming));
}

#[test]
fn results_are_recorded_as_long_as_an_apply_is_open() {
    let result = Body::Destroyed { step: 0, object: ID, was_missing: true };
    for phase in phases() {
        assert_eq!(phase::next(phase, &result, false).ok(), (!phase.ended()).then_some(phase));
    }
}
