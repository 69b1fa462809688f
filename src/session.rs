//! One transaction from a command's view: lease, engine and platform; the question; events while it runs; how it ended.

use crate::cli::Answer;
use crate::failure::{Exit, Failure, Outcome as Ended};
use crate::planning;
use crate::platform;
use crate::project::Project;
use crate::records::{self, Writer};
use crate::signals::Signals;
use crate::ui::screen::Screen;
use crate::ui::{self, Style, events::Watcher};
use imm_ir::{Addr, Class, Graph};
use imm_runtime::apply::{Adoption, Collected, Engine, EngineError, Limits, Outcome, Stray};
use imm_runtime::bell::Bell;
use imm_runtime::entry::{UnwindCause, Verb};
use imm_runtime::explain::cascade::{Cascade, cascades};
use imm_runtime::id::ObjectId;
use imm_runtime::lease::Lease;
use imm_runtime::ledger::LedgerError;
use imm_runtime::plan::saved::{self, Attached};
use imm_runtime::plan::{Observed, Options, Plan, PlanError, Recorded, Shared};
use imm_runtime::provider::Observation;
use imm_runtime::random::Random;
use imm_runtime::store::StoreError;
use std::io::{BufRead, IsTerminal};
use std::sync::Arc;

/// An engine under its lease.
pub struct Session {
    project: Project,
    engine: Engine,
    screen: Arc<Screen>,
    json: bool,
    quiet: bool,
    verbose: bool,
    style: Style,
    lease: Lease,
}

impl Session {
    /// Takes the lease, starts the agent if it does not run, and settles what an earlier apply left open.
    pub async fn open(project: Project, watcher: Watcher) -> Result<Self, Failure> {
        let writer = records::write(&project)?;
        Self::with(project, watcher, writer)
    }

    /// As [`open`](Self::open), also from a holder that lives and does not answer.
    pub async fn take_over(project: Project, watcher: Watcher, because: &str) -> Result<Self, Failure> {
        let writer = records::take_over(&project, because)?;
        Self::with(project, watcher, writer)
    }

    fn with(project: Project, watcher: Watcher, writer: Writer) -> Result<Self, Failure> {
        let home = platform::home()?;
        let Writer { lease, ledger, tenure } = writer;
        let providers = platform::providers(&home, project.folder())?;
        let random = Random::from_system().map_err(|e| Failure::new(crate::project::plain(&e)))?;
        let screen = Arc::new(Screen::new(watcher));
        let bell = Bell::hang(project.state());
        let engine = Engine::new(ledger, providers, Limits::default(), tenure, random).with_bell(bell).with_events({
            let screen = Arc::clone(&screen);
            move |e| screen.see(&e)
        });
        let Watcher { json, quiet, verbose, style } = watcher;
        let mut session = Self { project, engine, screen, json, quiet, verbose, style, lease };
        session.stop_on_signals()?;
        Ok(session)
    }

    /// Settles what an interrupted apply left. `None`: nothing was open.
    pub async fn recover(&mut self) -> Result<Option<Outcome>, Failure> {
        let open = imm_runtime::report::status::open(self.engine.state());
        if let Some(open) = &open {
            ui::err(&format!("settling an interrupted apply ({}, started {} by {})\n", open.verb, open.since, open.by));
        }
        if let (Some(traces), Some(_)) = (self.screen.traces(), &open) {
            traces.recovery(&self.project.name);
        }
        let outcome = self.engine.recover().await;
        if matches!(outcome, Ok(Some(_))) {
            self.engine.anchor().await;
        }
        if let (Some(traces), Some(ended)) = (self.screen.traces(), outcome.as_ref().map(Option::as_ref).transpose()) {
            traces.end(ended.map_err(ToString::to_string));
        }
        outcome.map_err(|e| self.failure(e))
    }

    /// Recovers before anything else; an apply that stays stuck ends the command.
    pub async fn settled(&mut self) -> Result<(), Failure> {
        match self.recover().await? {
            Some(Outcome::Stuck { error, why, .. }) => Err(stuck(&error, &why)),
            Some(_) | None => Ok(()),
        }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Plans a graph on what is recorded and what is there. What drifted stops an apply of a program, unless it is to be healed.
    pub async fn plan(&mut self, graph: &impl Shared, change: impl FnOnce(&mut Options)) -> Result<Plan, Failure> {
        let mut options = Options::new(self.engine.schemas());
        change(&mut options);
        let seen = self.look().await?;
        if options.verb == Verb::Apply && !options.heal {
            self.refuse_drift(&seen).await?;
        }
        if options.heal {
            // The evidence of what will be replaced.
            self.engine.record_drift(&seen).await.map_err(|e| self.failure(e))?;
        }
        self.engine.plan_observed(graph, &seen, &options).map_err(|e| self.failure(e))
    }

    /// Looks at everything, and takes down what the platforms did on their own meanwhile.
    async fn look(&mut self) -> Result<Observed, Failure> {
        let seen = self.engine.observe().await.map_err(|e| self.failure(e))?;
        match self.engine.merge_journals().await {
            Err(EngineError::Ledger(e)) => return Err(self.failure(EngineError::Ledger(e))),
            // Nothing that is planned depends on it.
            Err(e) => ui::err(&format!("{}: {e}\n", self.style.paint("1;33", "warning"))),
            Ok(()) => {}
        }
        Ok(seen)
    }

    /// Plans the newest generation again, with new objects for what drifted; that is recorded first.
    pub async fn plan_heal(&mut self) -> Result<Plan, Failure> {
        let mut options = Options::new(self.engine.schemas());
        (options.verb, options.heal) = (Verb::Heal, true);
        let seen = self.look().await?;
        let current = self.engine.graph(None).map_err(|e| self.failure(e))?.unwrap_or_default();
        let plan = self.engine.plan_observed(&current, &seen, &options).map_err(|e| self.failure(e))?;
        if plan.is_empty(self.engine.state()) {
            return Ok(plan);
        }
        self.engine.record_drift(&seen).await.map_err(|e| self.failure(e))?;
        self.engine.plan_observed(&current, &seen, &options).map_err(|e| self.failure(e))
    }

    /// Drops what is at an address from the record. Answers how many objects that were.
    pub fn forget(&mut self, address: &Addr, object: Option<&str>, because: &str) -> Result<usize, Failure> {
        let state = self.engine.state();
        let here = state.objects.iter().filter(|(_, o)| o.address == *address && o.state.exists());
        let chosen = here.filter(|(id, _)| object.is_none_or(|wanted| id.to_string().starts_with(wanted)));
        let ids: Vec<_> = chosen.map(|(id, _)| *id).collect();
        if ids.is_empty() {
            return Err(Failure::new(format!("nothing is recorded at {address}")).help("`imm status` lists what is"));
        }
        if let Some(by) = ids.iter().find_map(|id| state.bound_by(*id).filter(|by| by.address != *address)) {
            return Err(Failure::new(format!("{} is made from it", by.address))
                .help(format!("forget that one first: imm forget '{}' --because TEXT", by.address)));
        }
        if let Some(by) = ids.iter().find(|id| state.may_point(**id)) {
            return Err(Failure::new(format!("a pointer may still point at {address} ({})", by.short()))
                .help("`imm heal` replaces it"));
        }
        self.engine.forget(&ids, because).map_err(|e| self.failure(e))
    }

    /// What could be taken over.
    pub async fn strays(&self) -> Result<Vec<Stray>, Failure> {
        self.engine.strays().await.map_err(|e| self.failure(e))
    }

    /// Takes one thing over, as what this graph declares at the address.
    pub async fn adopt(
        &mut self,
        stray: &Stray,
        address: &Addr,
        graph: &impl Shared,
        because: &str,
    ) -> Result<Adoption, Failure> {
        let options = Options::new(self.engine.schemas());
        let plan = self.engine.plan_observed(graph, &Observed::default(), &options).map_err(|e| self.failure(e))?;
        self.engine.adopt(stray, address, &plan, because).await.map_err(|e| self.failure(e))
    }

    /// Expires generations beyond the retained ones.
    pub async fn collect(&mut self, retain: Option<u32>, because: &str) -> Result<Collected, Failure> {
        self.engine.collect(retain, because).await.map_err(|e| self.failure(e))
    }

    /// Rises above a fence that the platform has heard.
    pub fn rise_above(&mut self, fence: u64) -> Result<(), Failure> {
        let failed = |e: std::io::Error| Failure::new(format!("cannot write the lease: {}", crate::project::plain(&e)));
        self.lease.rise_above(fence).map_err(failed)?;
        self.engine.raise(self.lease.fence());
        Ok(())
    }

    /// Goes on with this ledger; answers what is not there any more.
    pub async fn take_lineage(&mut self, because: &str) -> Result<Vec<Addr>, Failure> {
        self.engine.take_lineage(because).await.map_err(|e| self.failure(e))
    }

    async fn refuse_drift(&self, seen: &Observed) -> Result<(), Failure> {
        let state = self.engine.state();
        // What is not ours is read by the apply itself, which then says what is wrong with it.
        let ours = |id: &ObjectId| state.objects.get(id).is_some_and(|o| o.class != Class::External);
        let drifted = state.in_use().into_iter().filter(ours).filter_map(|id| {
            let what = match seen.objects.get(&id)? {
                Observation::Intact => return None,
                Observation::Missing => "is missing".to_owned(),
                Observation::Changed(fields) => {
                    let fields: Vec<_> =
                        fields.iter().map(|(name, was, is)| format!("{name} is {is}, not {was}")).collect();
                    format!("was changed from outside: {}", fields.join(", "))
                }
            };
            Some(format!("{} {what}", state.objects.get(&id)?.address))
        });
        let drifted: Vec<_> = drifted.collect();
        if drifted.is_empty() {
            return Ok(());
        }
        // To a copy of a ledger all that went on without it looks like drift.
        self.engine.check_forks().await.map_err(|e| self.failure(e))?;
        Err(Failure::new(format!("drifted: {}", drifted.join("; ")))
            .help("`imm apply --heal` makes new ones in the same transaction"))
    }

    /// Shows a plan, asks, applies it and tells how it ended.
    pub async fn carry_out(&mut self, plan: &Plan, attached: &Attached, answer: &Answer) -> Ended {
        if plan.is_empty(self.engine.state()) {
            return Ok(self.nothing_to_do());
        }
        let cascades = self.cascades(plan);
        let estimate = planning::estimate(self.engine.ledger(), plan);
        let shown = ui::plan::Shown {
            plan,
            cascades: &cascades,
            estimate,
            name: &self.project.name,
            verbose: self.verbose,
            style: self.style,
        };
        if self.json {
            ui::json(&serde_json::json!({ "event": "planned", "plan": ui::plan::document(shown) }));
        } else {
            ui::tell(&ui::plan::render(shown));
        }
        // What ends everything has no policy of its own: that of what serves counts.
        let serves = || self.engine.graph(None).ok().flatten().is_some_and(|graph| graph.policy.confirm);
        let typed = plan.graph.policy.confirm || plan.verb == Verb::Destroy && serves();
        if typed || !answer.yes {
            self.ask(typed).await?;
        }
        let actor = records::actor();
        let how = if typed || !answer.yes { "typed" } else { "--yes" };
        self.engine.approved(format!("{}@{} ({how})", actor.user, actor.host));
        self.screen.begin(plan, estimate);
        if let Some(traces) = self.screen.traces() {
            traces.apply(plan, &self.project.name);
        }
        let outcome = self.engine.apply(plan, attached).await;
        if outcome.is_ok() {
            self.engine.anchor().await;
        }
        self.screen.end();
        if let Some(traces) = self.screen.traces() {
            traces.end(outcome.as_ref().map_err(ToString::to_string));
        }
        let outcome = outcome.map_err(|e| self.failure(e))?;
        self.finish(&outcome)
    }

    /// How far the plan's replacements spread.
    fn cascades(&self, plan: &Plan) -> Vec<Cascade> {
        cascades(plan, Recorded { state: self.engine.state(), graph: None })
    }

    /// As [`carry_out`](Self::carry_out), for a plan that was made earlier: refused when the state moved since.
    pub async fn carry_saved(&mut self, plan: &Plan, attached: &Attached, answer: &Answer) -> Ended {
        saved::check(plan, self.engine.state()).map_err(|e| self.failure(e.into()))?;
        self.carry_out(plan, attached, answer).await
    }

    /// Gives up what holds the interrupted apply.
    pub fn accept_lost(&mut self, address: &Addr, because: &str) -> Result<(), Failure> {
        let given_up = self.engine.accept_lost(address, because);
        match given_up.map_err(|e| self.failure(e))? {
            0 => Err(Failure::new(format!("{address} is no part of the interrupted apply"))
                .help("`imm status` says what is open")),
            _some => Ok(()),
        }
    }

    /// The graph of a committed generation.
    pub fn graph(&self, generation: u64) -> Result<Graph, Failure> {
        let graph = self.engine.graph(Some(generation)).map_err(|e| self.failure(e))?;
        graph.ok_or_else(|| self.failure(EngineError::NoGeneration(generation)))
    }

    /// What is recorded beside a generation: its sources and params, the commit that it was made from. When that was committed
    /// is left out: going back delivers nothing new.
    pub fn attached(&self, generation: Option<u64>, because: Option<String>) -> Attached {
        let (state, ledger) = (self.engine.state(), self.engine.ledger());
        let made = generation.and_then(|g| state.generations.get(&g));
        let started = made.and_then(|g| state.applies.iter().find(|a| a.id == g.apply)).map(|a| &a.started);
        let Some(started) = started else { return Attached { because, ..Attached::default() } };
        // What has expired is not recorded again.
        let sources = started.sources.and_then(|blob| ledger.load(&blob).ok()).unwrap_or_default();
        let params = started.params.and_then(|blob| ledger.load(&blob).ok()).unwrap_or_default();
        Attached { sources, params, commit: started.commit.clone(), commit_at_ms: None, because }
    }

    /// How a recovery ended, in words.
    pub fn settled_words(&self, outcome: &Outcome) -> String {
        match (outcome, self.engine.state().current) {
            (Outcome::Committed { generation, .. }, _) => {
                format!("Recovered forward: generation {generation} serves.\n")
            }
            (Outcome::Reverted { failed, generation, .. }, _) => {
                format!(
                    "Recovered: generation {failed} failed its watch; generation {generation} serves, with what served before.\n"
                )
            }
            (_, Some(generation)) => format!("Recovered: the apply was unwound, generation {generation} serves.\n"),
            (_, None) => "Recovered: the apply was unwound, nothing serves.\n".to_owned(),
        }
    }

    fn nothing_to_do(&self) -> Exit {
        let generation = self.engine.state().current;
        if self.json {
            ui::json(&serde_json::json!({ "event": "finished", "outcome": "nothing_to_do", "generation": generation }));
        } else {
            let serves = match generation {
                Some(_) if self.engine.state().in_use().is_empty() => {
                    ": nothing serves, and nothing is declared".to_owned()
                }
                Some(generation) => format!(": generation {generation} serves"),
                None => String::new(),
            };
            ui::tell(&format!("Nothing to do{serves}.\n"));
        }
        Exit::Done
    }

    /// Tells how an apply or a recovery ended.
    pub fn finish(&self, outcome: &Outcome) -> Ended {
        let (seq, hash) = self.engine.ledger().head();
        if self.json {
            let mut document = ui::events::finished(outcome);
            if let Some(map) = document.as_object_mut() {
                map.insert("head".to_owned(), serde_json::json!({ "seq": seq, "hash": hash.hex() }));
            }
            ui::json(&document);
        } else if !self.quiet && *outcome != Outcome::NothingToDo {
            ui::err(&format!("  {} ledger head {seq}:{}\n", self.style.paint("2", "#"), hash.hex()));
        }
        match outcome {
            Outcome::NothingToDo => Ok(self.nothing_to_do()),
            Outcome::Committed { generation, leftovers, outputs, took_ms } => {
                if !self.json {
                    ui::tell(&ui::events::committed(
                        *generation,
                        outputs,
                        *took_ms,
                        self.engine.state().in_use().is_empty(),
                        self.style,
                    ));
                }
                ui::err(&ui::events::leftovers(leftovers, self.style));
                Ok(Exit::Done)
            }
            Outcome::RolledBack { error, cause, leftovers, .. } => {
                ui::err(&ui::events::leftovers(leftovers, self.style));
                let serves = match self.engine.state().current {
                    Some(g) => format!("generation {g} serves, untouched"),
                    None => "nothing served before, nothing serves now".to_owned(),
                };
                let failure = Failure {
                    exit: Exit::Unwound,
                    ..Failure::new(format!("{error}\nThe apply was unwound: {serves}."))
                };
                Err(match cause {
                    // Whoever ended it knows why.
                    UnwindCause::Aborted | UnwindCause::Signal => failure,
                    UnwindCause::Gate => failure.help("`imm logs` shows what the containers printed, `imm gate backtest` what the gate as it is written now would have said"),
                    UnwindCause::Failed(_) | UnwindCause::LeaseLost | UnwindCause::Crash => failure.help("`imm logs` shows what the containers printed; correct the program and apply again"),
                })
            }
            Outcome::Reverted { failed, generation, error, leftovers, .. } => {
                ui::err(&ui::events::leftovers(leftovers, self.style));
                let message = format!(
                    "{error}\nGeneration {failed} was rolled back from: generation {generation} serves, with what served before."
                );
                Err(Failure { exit: Exit::Unwound, ..Failure::new(message) }
                    .help("`imm logs` shows what the containers printed; correct the program and apply again"))
            }
            Outcome::Drilled { generation, error, covered, not_covered, leftovers, took_ms } => {
                ui::err(&ui::events::leftovers(leftovers, self.style));
                if let Some(error) = error {
                    let message = format!("{error}\nA rollback to generation {generation} would not work as it is.");
                    return Err(Failure { exit: Exit::Unwound, ..Failure::new(message) }
                        .help("nothing that serves was touched; `imm logs` shows what the containers printed"));
                }
                if !self.json {
                    ui::tell(&ui::events::drilled(*generation, covered.len(), not_covered, *took_ms, self.style));
                }
                Ok(Exit::Done)
            }
            Outcome::Stuck { error, why, .. } => Err(stuck(error, why)),
        }
    }

    /// The plan's one question. Without a terminal there is nobody to ask. A signal is an answer, too.
    async fn ask(&self, typed: bool) -> Result<(), Failure> {
        if !std::io::stdin().is_terminal() {
            let failure = Failure::usage("this needs an answer, and there is no terminal to ask on");
            return Err(if typed {
                failure.help("`confirm = true` holds here: the answer is typed, also with --yes; `imm apply --confirm=false` wants none")
            } else {
                failure.help("answer with --yes")
            });
        }
        ui::err(if typed { "Type yes to apply this plan: " } else { "Apply this plan? [y/N] " });
        let (answered, answer) = tokio::sync::oneshot::channel();
        // A thread of its own: nobody waits for it when the answer is a signal.
        std::thread::spawn(move || {
            let mut line = String::new();
            drop(std::io::stdin().lock().read_line(&mut line));
            drop(answered.send(line));
        });
        let line = tokio::select! {
            line = answer => line.unwrap_or_default(),
            () = self.engine.told_to_stop() => {
                return Err(Failure::new("not applied: stopped by a signal before it began"));
            }
        };
        let line = line.trim();
        let yes = line == "yes" || (!typed && line.eq_ignore_ascii_case("y"));
        if yes { Ok(()) } else { Err(Failure::new("not applied: the answer was no")) }
    }

    /// First signal: start nothing more and unwind. Second: stop at once; the ledger is enough for `recover`.
    fn stop_on_signals(&mut self) -> Result<(), Failure> {
        let mut signals = Signals::listen().map_err(|e| Failure::new(crate::project::plain(&e)))?;
        let canceller = self.engine.canceller();
        tokio::spawn(async move {
            loop {
                signals.next().await;
                canceller.signal();
            }
        });
        Ok(())
    }

    fn failure(&self, error: EngineError) -> Failure {
        failure(&self.project, self.engine.state().open_apply().is_some(), error)
    }
}

/// What the engine's error means to a user. `open`: an apply was started and is not settled.
pub fn failure(project: &Project, open: bool, error: EngineError) -> Failure {
    let message = error.to_string();
    let to_settle = |failure: Failure| Failure { exit: Exit::Open, ..failure };
    match error {
        EngineError::Plan(e) => plan_failure(&e),
        EngineError::NoWayBack { refused, .. } => Failure::new(message).help(
            refused.help.unwrap_or_else(|| "`imm rollback` plans it again".to_owned()),
        ),
        EngineError::Refused(_) => Failure::new(message).help("make the plan again: imm plan --out FILE"),
        EngineError::NothingOpen => Failure::new(message),
        EngineError::Expired(_) => Failure::new(message)
            .help("check out the commit that `imm history` shows for it, and apply that; `--retain N` keeps more of them"),
        EngineError::NoGeneration(_) => Failure::new(message).help("`imm history` lists the generations"),
        EngineError::Forked { .. } => Failure::new(message).help(
            "use the ledger that was used last; or `imm lineage take --because TEXT` to go on with this one, `imm lineage fork --because TEXT` to begin anew beside it",
        ),
        EngineError::Provider(_) if open => to_settle(Failure::new(message)).help("run `imm recover`"),
        EngineError::Provider(e) => e.help.iter().fold(Failure::new(message), |f, help| f.help(help.clone())),
        EngineError::Ledger(LedgerError::Store(StoreError::DiskFull(_))) if open => {
            to_settle(Failure::new(message)).help("make room, then run `imm recover`")
        }
        EngineError::Ledger(e) if open => to_settle(records::unreadable(project, &e)).help("run `imm recover`"),
        EngineError::Ledger(e) => records::unreadable(project, &e),
        EngineError::Open | EngineError::Interrupted => to_settle(Failure::new(message)).help("run `imm recover`"),
    }
}

/// A plan that cannot be.
pub fn plan_failure(error: &PlanError) -> Failure {
    let at = error.loc.as_ref().map_or_else(String::new, |loc| format!("{loc}: "));
    let failure = Failure::new(format!("{at}{} [{}]", error.message, error.code));
    match &error.help {
        Some(help) => failure.help(help.clone()),
        None => failure,
    }
}

fn stuck(error: &str, why: &str) -> Failure {
    let message = if error.is_empty() { why.to_owned() } else { format!("{error}\nSettling it failed: {why}") };
    Failure { exit: Exit::Open, ..Failure::new(message) }.help("nothing more was destroyed; `imm recover` tries again; what cannot be settled is given up with `imm recover --accept-lost ADDR --because TEXT`")
}
