//! Taking over what is there: a thing that may have been made and that nobody could look for, or one that has our tag and no
//! entry.
//!
//! Guarantees: nothing outside changes by it. It is recorded as what the program declares at its address; in what it differs is
//! drift from then on, and what differs never serves. What no program declares is recorded, too: so it can be ended by a plan.

use super::{Engine, EngineError, Stop};
use crate::entry::{Adopted, Body, CreateIntent};
use crate::id::ObjectId;
use crate::plan::{Fate, Plan, PlanError};
use crate::provider::There;
use crate::state::ObjectState;
use imm_ir::{Addr, Class, Digest, Fields, KindSchema, Nature};
use std::sync::Arc;

/// Something that can be taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// Which one.
    pub object: ObjectId,
    /// Its kind.
    pub kind: Arc<str>,
    /// Identity of the provider instance that has it.
    pub provider: Arc<str>,
    /// Where it was declared last, if any entry speaks of it.
    pub address: Option<Addr>,
    /// An entry says that it may be there; else it is there and no entry says so.
    pub recorded: bool,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// Which one.
    pub object: ObjectId,
    /// The program declares it; else the next apply ends it, or keeps its data for nobody.
    pub declared: bool,
    /// It holds data.
    pub durable: bool,
    /// In what it is not as it is declared: name, declared, observed.
    pub differs: Vec<(String, String, String)>,
}

fn refuse<T>(message: String, help: &str) -> Result<T, EngineError> {
    let help = Some(help.to_owned());
    Err(EngineError::Plan(PlanError { code: "not-adopted", message, help, loc: None }))
}

impl Engine {
    /// Everything with our lineage's tag that no entry says is there.
    ///
    /// # Errors
    /// A provider cannot be asked.
    pub async fn orphans(&self) -> Result<Vec<Stray>, EngineError> {
        let ctx = self.ctx(self.limits.call_timeout);
        let mut found = Vec::new();
        for (name, provider) in &self.providers {
            let listed = self.retry(0, 3, || provider.list(&ctx)).await.map_err(EngineError::Provider)?;
            for (object, kind) in listed {
                let known = self.state().objects.get(&object);
                // What was never acknowledged is on its way, or settled by recovery.
                if known.is_none_or(|o| !o.state.exists() && o.handle.is_some()) {
                    let address = known.map(|o| o.address.clone());
                    found.push(Stray { object, kind, provider: Arc::clone(name), address, recorded: false });
                }
            }
        }
        found.sort_by_key(|stray| stray.object);
        Ok(found)
    }

    /// What can be taken over: orphans, and what may have been made.
    ///
    /// # Errors
    /// A provider cannot be asked.
    pub async fn strays(&self) -> Result<Vec<Stray>, EngineError> {
        let open = |state| matches!(state, ObjectState::Unknown(_));
        let unknown = self.state().objects.iter().filter(|(_, o)| open(o.state)).map(|(id, o)| Stray {
            object: *id,
            kind: Arc::clone(&o.kind),
            provider: Arc::clone(&o.provider),
            address: Some(o.address.clone()),
            recorded: true,
        });
        let mut found: Vec<Stray> = unknown.collect();
        found.extend(self.orphans().await?);
        Ok(found)
    }

    /// Records what is there as ours. `plan`: of the program that may declare something at this address.
    ///
    /// # Errors
    /// It cannot be what the program declares there, it is not there, or recording is impossible.
    pub async fn adopt(
        &mut self,
        stray: &Stray,
        address: &Addr,
        plan: &Plan,
        because: &str,
    ) -> Result<Adoption, EngineError> {
        if self.state().open_apply().is_some() {
            return Err(EngineError::Open);
        }
        let Some(provider) = self.providers.get(&stray.provider).cloned() else {
            return Err(EngineError::Provider(super::stage::unprovided(&stray.provider)));
        };
        let Some(schema) = provider.schemas().get(&stray.kind).cloned() else {
            return refuse(format!("kind `{}` is not known to this version", stray.kind), "use a newer imm");
        };
        let declared = plan.graph.nodes.contains_key(address);
        let (mut intent, request) = if declared {
            let request = self.declared_as(stray, address, plan, &schema)?;
            let inputs = self.recorded_inputs(&request.inputs)?;
            let at = plan.nodes.get(address).zip(plan.graph.nodes.get(address));
            let Some(intent) = at.and_then(|at| self.intent(plan, at, 0, &request, inputs)) else {
                return refuse(format!("{address} is not part of the plan"), "`imm plan` shows what is");
            };
            (CreateIntent { object: stray.object, ..intent }, Some(request))
        } else {
            (self.undeclared(stray, address, &schema)?, None)
        };
        let ctx = self.ctx(self.limits.call_timeout);
        let seen = self.retry(0, 3, || provider.inspect(&ctx, &stray.kind, stray.object, request.as_ref())).await;
        let Some(There { created, acts, setting, mut differs }) = seen.map_err(EngineError::Provider)? else {
            return refuse(
                format!("{} is not there", stray.object.short()),
                "`imm forget ADDR --because TEXT` drops it from the record",
            );
        };
        // Never switched: it has what it was made with.
        let setting = match setting {
            Some((0, made_with)) => {
                intent.cells = made_with.inputs;
                None
            }
            other => other,
        };
        // Its dormant twin begins to act in the final stage; nothing else does.
        if request.as_ref().is_some_and(|r| !r.dormant) && schema.nature == Nature::Process && !acts {
            differs.push(("activity".to_owned(), "acts".to_owned(), "rests".to_owned()));
        }
        let found = (!stray.recorded).then(|| Body::OrphanFound {
            provider: Arc::clone(&stray.provider),
            object: stray.object,
            kind: Arc::clone(&stray.kind),
        });
        let (durable, because) = (intent.class == Class::Durable, because.to_owned());
        let adopted = Adopted {
            declared: intent,
            handle: created.handle,
            outputs: created.outputs,
            acts,
            setting,
            differs: differs.clone(),
            because,
        };
        let bodies = found.into_iter().chain([Body::Adopted(Box::new(adopted))]).collect();
        self.ledger.append(None, bodies, true)?;
        Ok(Adoption { object: stray.object, declared, durable, differs })
    }

    /// What the program wants at the address, for this object.
    fn declared_as(
        &self,
        stray: &Stray,
        address: &Addr,
        plan: &Plan,
        schema: &KindSchema,
    ) -> Result<crate::provider::Request, EngineError> {
        let Some((node, planned)) = plan.graph.nodes.get(address).zip(plan.nodes.get(address)) else {
            return refuse(format!("{address} is not part of the plan"), "`imm plan` shows what is");
        };
        if node.kind != stray.kind || node.provider != stray.provider {
            return refuse(
                format!(
                    "{address} is declared as {} of {}, and this is {} of {}",
                    node.kind, node.provider, stray.kind, stray.provider
                ),
                "name the address of such a thing, or one that the program does not have: then the next apply ends it",
            );
        }
        if planned.fate != Fate::Create {
            return refuse(
                format!("{address} has an object already ({})", planned.object.short()),
                "`imm forget ADDR --because TEXT` drops that one from the record first; at an address that the program does not have, the next apply ends what is taken over",
            );
        }
        if node.class == Class::Pointer || matches!(schema.nature, Nature::Job | Nature::Content) {
            return refuse(
                format!("kind {} is not taken over: making it anew costs nothing that lasts", stray.kind),
                "take it over at an address that the program does not have: then the next apply ends it",
            );
        }
        let missing = |id: &&ObjectId| !self.state().objects.get(id).is_some_and(|o| o.state.usable());
        if let Some(new) = planned.bindings.iter().find(missing) {
            let at = plan.nodes.iter().find(|(_, n)| n.object == *new).map_or(address, |(at, _)| at);
            return refuse(
                format!(
                    "{address} is made from {at}, which the next apply makes: what is there cannot be made from it"
                ),
                &format!("take over what {at} is first, if it is there"),
            );
        }
        let request = self.request(plan, address, planned, node).map_err(|stop| match stop {
            Stop::Fatal(error) => error,
            Stop::Unwind(_, message) => {
                EngineError::Plan(PlanError { code: "not-adopted", message, help: None, loc: None })
            }
        })?;
        Ok(crate::provider::Request { object: stray.object, ..request })
    }

    /// What nothing declares: as it was recorded, or as little as its kind says.
    fn undeclared(&mut self, stray: &Stray, address: &Addr, schema: &KindSchema) -> Result<CreateIntent, EngineError> {
        let (inputs, inline) = self.recorded_inputs(&Fields::new())?;
        let known = self.state().objects.get(&stray.object);
        let spec = known.map_or(Digest([0; 32]), |o| o.spec);
        let bindings = known.map(|o| o.bindings.clone()).unwrap_or_default();
        let serial = known.map_or_else(|| self.state().next_serial(&spec, &bindings), |o| o.serial);
        Ok(CreateIntent {
            step: 0,
            object: stray.object,
            address: address.clone(),
            class: schema.class,
            nature: schema.nature,
            kind: Arc::clone(&stray.kind),
            spec,
            bindings,
            after: Vec::new(),
            serial,
            provider: Arc::clone(&stray.provider),
            schema_version: 1,
            inputs,
            cells: Fields::new(),
            claims: Vec::new(),
            create: schema.create,
            find: schema.find,
            dormant: false,
            inline,
        })
    }
}
