//! `imm rollout`: words to an apply that runs elsewhere, and how it goes. They reach it through its ledger, which needs no
//! lease; the engine looks for them while it waits, and an abort is looked for once more in the transaction that commits.

use crate::cli::{Global, Report, Rollout};
use crate::failure::{Exit, Failure, Outcome};
use crate::platform;
use crate::project::Project;
use crate::records;
use crate::ui::{self, Style};
use imm_runtime::apply::{Side, Traffic};
use imm_runtime::bell;
use imm_runtime::entry::{Body, SignalVerb};
use imm_runtime::id::ObjectId;
use imm_runtime::lease::Lease;
use imm_runtime::ledger::Ledger;
use imm_runtime::provider::Ctx;
use imm_runtime::report::rollout::{self as report, rollout};
use imm_runtime::rollout::Sample;
use imm_runtime::state::{Phase, State};
use imm_runtime::store::Store;
use imm_runtime::store::sqlite::SqliteStore;
use serde_json::json;
use std::time::{Duration, Instant};

/// How long an engine may take to hear.
const HEARD: Duration = Duration::from_secs(20);
/// How long traffic is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Tells, or says something to, the apply that is under way.
pub fn run(global: &Global, verb: &Rollout) -> Outcome {
    match verb {
        Rollout::Status(args) => status(global, args),
        Rollout::Pause(args) => say(global, args, "pause"),
        Rollout::Promote(args) => say(global, args, "promote"),
        Rollout::Abort(args) => say(global, args, "abort"),
    }
}

fn status(global: &Global, args: &Report) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, args.module.path.as_deref())?;
    let ledger = records::expect(&project, style)?;
    let told = rollout(ledger.state());
    let running = Lease::held(project.state());
    let traffic = if running && told.stage.is_some() { traffic(ledger.state())? } else { Vec::new() };
    if args.json {
        let mut document = serde_json::to_value(&told).unwrap_or_default();
        if let Some(map) = document.as_object_mut() {
            map.insert("running".to_owned(), json!(running));
            map.insert("traffic".to_owned(), json!(traffic));
        }
        ui::json(&document);
        return Ok(Exit::Done);
    }
    ui::tell(&text(&told, running, &traffic));
    Ok(Exit::Done)
}

fn text(told: &report::Rollout, running: bool, traffic: &[Traffic]) -> String {
    let Some((verb, phase)) = told.verb.as_ref().zip(told.phase) else {
        return "No rollout is under way.\n".to_owned();
    };
    let mut out = match (running, told.paused) {
        (false, _) => format!(
            "The {verb} was interrupted while {phase}; the agent goes back to the old side by itself, `imm recover` settles it.\n"
        ),
        (true, true) => format!("The {verb} is paused: `imm rollout promote` goes on.\n"),
        (true, false) => format!("The {verb} is {phase}.\n"),
    };
    if let Some((stage, of)) = told.stage.zip(told.of) {
        let moves: Vec<String> = told.weights.iter().map(|w| format!("{} {}% new", w.address, w.new)).collect();
        let held =
            if told.hold_ms > 0 { format!(", held for {}", ui::rollout::span(told.hold_ms)) } else { String::new() };
        let approve = if told.approve { ", then until promoted" } else { "" };
        let since = told.since.as_deref().unwrap_or_default();
        out.push_str(&format!("stage {stage} of {of}: {}{held}{approve} (since {since})\n", moves.join(", ")));
    }
    out.push_str(&ui::rollout::sides(traffic));
    for said in &told.gates {
        let verdict = ui::rollout::verdict(said.verdict);
        out.push_str(&format!("gate of {} at stage {}: {verdict}\n", said.address, said.stage));
    }
    out
}

/// What both sides of every pointer meet now, as seen for a moment.
fn traffic(state: &State) -> Result<Vec<Traffic>, Failure> {
    let (Some(lineage), home) = (state.lineage, platform::home()?) else { return Ok(Vec::new()) };
    let providers = platform::providers(&home, None)?;
    let generation = state.current.unwrap_or(0) + 1;
    let ctx = Ctx { lineage, fence: state.fence, generation, timeout: LOOK * 4 };
    let moves: Vec<(ObjectId, u32)> =
        state.open_apply().and_then(|a| a.stage.as_ref()).map(|s| s.weights.clone()).unwrap_or_default();
    platform::block_on(async {
        let mut found = Vec::new();
        for (pointer, weight) in moves {
            let Some((object, set)) = state.objects.get(&pointer).zip(state.pointers.get(&pointer)) else { continue };
            let Some(provider) = providers.get(&object.provider) else { continue };
            // The first answer is of all time.
            if provider.sample(&ctx, pointer).await.is_err() {
                continue;
            }
            let began = Instant::now();
            tokio::time::sleep(LOOK).await;
            let Ok(met) = provider.sample(&ctx, pointer).await else { continue };
            let seconds = began.elapsed().as_secs_f64();
            let side = |fresh: bool| {
                let mut whole = Sample::default();
                let targets = set.setting.targets.iter().filter(|t| t.fresh == fresh);
                targets.filter_map(|t| met.get(&t.object)).for_each(|sample| whole.add(sample));
                Side { per_second: whole.requests as f64 / seconds, samples: whole.samples() }
            };
            found.push(Traffic { address: object.address.clone(), weight, new: side(true), old: side(false) });
        }
        found
    })
}

fn say(global: &Global, args: &Report, verb: &str) -> Outcome {
    let style = Style::choose(global.color);
    let project = Project::find(global, args.module.path.as_deref())?;
    let ledger = records::expect(&project, style)?;
    let running = Lease::held(project.state());
    let phase = ledger.state().open_apply().map(|a| a.phase);
    match phase {
        None => return Err(Failure::new("no rollout is under way").help("`imm history` shows how the last one ended")),
        Some(_) if !running => {
            return Err(Failure::new("the apply was interrupted: nobody is there to hear it")
                .help("`imm recover` settles it; the agent has gone back to the old side by itself, or does soon"));
        }
        Some(phase) if phase.forward() && phase != Phase::Watching => {
            return Err(Failure::new("it is committed already").help("`imm rollback` goes back"));
        }
        Some(Phase::Watching) if verb == "pause" => {
            return Err(Failure::new("it is committed and watched: there is nothing to hold")
                .help("`imm rollout promote` ends the watch, `imm rollout abort` goes back"));
        }
        Some(Phase::Unwinding | Phase::StuckBack) => {
            return Err(Failure::new("it is being undone already").help("`imm status` shows what serves"));
        }
        Some(_) => {}
    }
    let began = Instant::now();
    let from = ledger.head().0 + 1;
    let by = records::actor();
    let said = SqliteStore::open_read_only(&project.ledger()).and_then(|mut store| store.signal(verb, &by.user));
    said.map_err(|e| records::unreadable(&project, &e.into()))?;
    bell::ring(project.state());
    let heard = wait(&project, &ledger, from, verb, began)?;
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    if args.json {
        ui::json(&json!({ "format": 1, "verb": verb, "heard": heard, "took_ms": took_ms }));
        return Ok(Exit::Done);
    }
    ui::tell(&match (verb, heard) {
        ("abort", Heard::Back) => format!("Aborted: traffic is on the old side ({took_ms} ms).\n"),
        ("abort", Heard::Ended) => "Too late: it was committed. `imm rollback` goes back.\n".to_owned(),
        ("abort", Heard::Yes) => "Aborted: the watch ends, and a rollback follows.\n".to_owned(),
        ("pause", _) => "Paused. `imm rollout promote` goes on; after an hour it is undone.\n".to_owned(),
        _promote => "Promoted.\n".to_owned(),
    });
    Ok(if heard == Heard::Ended && verb == "abort" { Exit::Failed } else { Exit::Done })
}

/// What became of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Heard {
    /// It is recorded.
    Yes,
    /// All pointers are set to the old side.
    Back,
    /// The apply ended before it was heard.
    Ended,
}

/// Waits until the engine has recorded the word, and for an abort until traffic is back.
fn wait(project: &Project, ledger: &Ledger, from: u64, verb: &str, began: Instant) -> Result<Heard, Failure> {
    let moved = ledger.state().open_apply().is_some_and(|a| !a.staged.is_empty());
    let watched = ledger.state().open_apply().is_some_and(|a| a.phase == Phase::Watching);
    let wanted = |said: &SignalVerb| match verb {
        "pause" => *said == SignalVerb::Pause,
        "promote" => *said == SignalVerb::Promote,
        _abort => *said == SignalVerb::Abort,
    };
    while began.elapsed() < HEARD {
        let entries = ledger.entries(from).map_err(|e| records::unreadable(project, &e))?;
        let (mut heard, mut unwinds) = (false, false);
        for (_, entry) in &entries {
            match &entry.body {
                Body::Signalled { verb: said, .. } if wanted(said) => heard = true,
                Body::UnwindStarted { .. } => unwinds = true,
                Body::Switched { .. } if unwinds => return Ok(Heard::Back),
                Body::Committed(_) if !heard => return Ok(Heard::Ended),
                Body::Finished { .. } => return Ok(if unwinds { Heard::Back } else { Heard::Ended }),
                _other => {}
            }
        }
        if heard && (verb != "abort" || watched) {
            return Ok(Heard::Yes);
        }
        // Nothing had moved: nothing has to go back.
        if unwinds && !moved {
            return Ok(Heard::Back);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(Failure::new(format!("the engine did not answer within {} s", HEARD.as_secs()))
        .help("the word stays in the ledger and wins when it is read before the commit; `imm rollout status` shows where it is"))
}
