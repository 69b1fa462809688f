//! A provider that keeps everything in memory and can be told to fail.

use async_trait::async_trait;
use imm_ir::{Digest, Fields, SchemaSet, Value, kinds};
use imm_runtime::id::ObjectId;
use imm_runtime::provider::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Default)]
pub struct Things {
    pub made: BTreeMap<ObjectId, Arc<str>>,
    pub tombs: BTreeSet<ObjectId>,
    pub pointers: BTreeMap<ObjectId, (u64, Setting)>,
    pub confirmed: BTreeMap<ObjectId, Setting>,
    pub log: Vec<String>,
    /// Objects of this image never become healthy.
    pub sick: BTreeSet<ObjectId>,
    /// Every container that is made from now on is sick.
    pub all_sick: bool,
    pub fence: u64,
}

#[derive(Clone, Default)]
pub struct Shelf(pub Arc<Mutex<Things>>);

fn error(kind: ErrorKind, message: &str) -> Error {
    Error { message: message.to_owned(), help: None, kind, happened: Happened::No }
}

impl Shelf {
    fn write(&self, ctx: &Ctx, what: String) -> Result<std::sync::MutexGuard<'_, Things>> {
        let mut things = self.0.lock().unwrap();
        if ctx.fence < things.fence {
            return Err(error(ErrorKind::Fenced, "fenced"));
        }
        things.fence = ctx.fence;
        things.log.push(what);
        Ok(things)
    }
}

#[async_trait]
impl Provider for Shelf {
    fn schemas(&self) -> &SchemaSet {
        kinds::builtin()
    }
    fn identity(&self) -> &str {
        "host"
    }
    async fn announce(&self, ctx: &Ctx, _: (u64, Digest)) -> Result<Option<(u64, Digest)>> {
        self.0.lock().unwrap().fence = ctx.fence;
        Ok(None)
    }
    async fn create(&self, ctx: &Ctx, request: &Request) -> Result<Created> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let mut things = self.write(ctx, format!("create {}", request.address))?;
        if things.tombs.contains(&request.object) {
            return Err(error(ErrorKind::Tombstone, "destroyed"));
        }
        things.made.insert(request.object, request.kind.clone());
        if things.all_sick && &*request.kind == "container" {
            things.sick.insert(request.object);
        }
        let url = Fields::from([("url".into(), Value::text("http://here"))]);
        Ok(Created { handle: Handle(vec![1]), outputs: url, tainted: None })
    }
    async fn find(&self, _: &Ctx, _: &str, object: ObjectId) -> Result<Option<Created>> {
        let there = self.0.lock().unwrap().made.contains_key(&object);
        Ok(there.then(|| Created { handle: Handle(vec![1]), outputs: Fields::new(), tainted: None }))
    }
    async fn inspect(&self, ctx: &Ctx, kind: &str, object: ObjectId, _: Option<&Request>) -> Result<Option<There>> {
        let there = |created| There { created, acts: true, setting: None, differs: Vec::new() };
        Ok(self.find(ctx, kind, object).await?.map(there))
    }
    async fn list(&self, _: &Ctx) -> Result<Vec<(ObjectId, Arc<str>)>> {
        Ok(self.0.lock().unwrap().made.iter().map(|(id, kind)| (*id, kind.clone())).collect())
    }
    async fn observe(&self, _: &Ctx, _: &str, object: ObjectId, _: &Handle) -> Result<Observation> {
        let there = self.0.lock().unwrap().made.contains_key(&object);
        Ok(if there { Observation::Intact } else { Observation::Missing })
    }
    async fn health(&self, _: &Ctx, _: &str, object: ObjectId, _: &Handle, _: &Fields<Value>) -> Result<Level> {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let things = self.0.lock().unwrap();
        Ok(match things.made.contains_key(&object) {
            false => Level::Missing,
            true if things.sick.contains(&object) => Level::Unhealthy("no answer on /healthz".to_owned()),
            true => Level::Healthy,
        })
    }
    async fn activate(&self, _: &Ctx, _: &str, _: ObjectId, _: &Handle) -> Result<()> {
        Ok(())
    }
    async fn deactivate(&self, _: &Ctx, _: &str, _: ObjectId, _: &Handle) -> Result<()> {
        Ok(())
    }
    async fn destroy(&self, ctx: &Ctx, kind: &str, object: ObjectId, _: Option<&Handle>) -> Result<bool> {
        let mut things = self.write(ctx, format!("destroy {kind}"))?;
        things.tombs.insert(object);
        things.pointers.remove(&object);
        Ok(things.made.remove(&object).is_none())
    }
    async fn switch(&self, ctx: &Ctx, moves: &[Move], _: Duration) -> Result<Vec<u64>> {
        let mut things = self.write(ctx, format!("switch {}", moves[0].address))?;
        for m in moves {
            if things.pointers.get(&m.object).map_or(0, |p| p.0) != m.from_epoch {
                return Err(error(ErrorKind::Epoch, "epoch"));
            }
            assert!(m.to.targets.iter().all(|t| things.made.contains_key(&t.object)), "a target is not there");
        }
        Ok(moves
            .iter()
            .map(|m| {
                things.pointers.insert(m.object, (m.from_epoch + 1, m.to.clone()));
                m.from_epoch + 1
            })
            .collect())
    }
    async fn renew(&self, _: &Ctx, _: Duration) -> Result<()> {
        Ok(())
    }
    async fn confirm(&self, ctx: &Ctx) -> Result<()> {
        let mut things = self.write(ctx, "confirm".to_owned())?;
        things.confirmed = things.pointers.iter().map(|(id, (_, s))| (*id, s.clone())).collect();
        Ok(())
    }
    async fn setting(&self, _: &Ctx, object: ObjectId, _: &Handle) -> Result<Option<(u64, Setting)>> {
        Ok(self.0.lock().unwrap().pointers.get(&object).cloned())
    }
    async fn sample(&self, _: &Ctx, _: ObjectId) -> Result<BTreeMap<ObjectId, Sample>> {
        Ok(BTreeMap::new())
    }
    async fn drain(&self, ctx: &Ctx, objects: &[ObjectId], _: Duration) -> Result<u64> {
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(self.write(ctx, format!("drain {}", objects.len()))?);
        Ok(0)
    }
}
