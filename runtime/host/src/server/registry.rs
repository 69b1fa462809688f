//! All lineages of one agent, and their restoration when it starts.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::api::{ApiError, Code, ObjectSpec};
use crate::home::private_dir;

use super::Site;
use super::lineage::Lineage;
use super::object::{Object, Want};
use super::remove::sweep;

/// All lineages.
#[derive(Debug)]
pub struct Registry {
    site: Arc<Site>,
    lineages: Mutex<BTreeMap<String, Arc<Lineage>>>,
}

impl Registry {
    /// Restores what is on disk: settings first, then objects, then routes.
    pub async fn restore(site: Arc<Site>) -> io::Result<Self> {
        let registry = Self { site: Arc::clone(&site), lineages: Mutex::default() };
        private_dir(&site.home.lineages())?;
        for entry in fs::read_dir(site.home.lineages())? {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            if check_name(&name).is_ok() {
                let lineage = Arc::new(Lineage::open(Arc::clone(&site), &name)?);
                restore_objects(&lineage)?;
                begin(&lineage).await;
                registry.lineages.lock().await.insert(name, lineage);
            }
        }
        Ok(registry)
    }

    /// Names of all lineages.
    pub async fn names(&self) -> Vec<String> {
        self.lineages.lock().await.keys().cloned().collect()
    }

    /// All lineages.
    pub async fn all(&self) -> Vec<Arc<Lineage>> {
        self.lineages.lock().await.values().cloned().collect()
    }

    /// A lineage that is there.
    pub async fn get(&self, name: &str) -> Result<Arc<Lineage>, ApiError> {
        let known = self.lineages.lock().await.get(name).cloned();
        known.ok_or_else(|| ApiError::no(Code::Unknown, format!("this agent knows no lineage {name:?}")))
    }

    /// A lineage, made if it is not there.
    pub async fn get_or_make(&self, name: &str) -> Result<Arc<Lineage>, ApiError> {
        check_name(name)?;
        let mut lineages = self.lineages.lock().await;
        if let Some(lineage) = lineages.get(name) {
            return Ok(Arc::clone(lineage));
        }
        let lineage = Arc::new(Lineage::open(Arc::clone(&self.site), name)?);
        begin(&lineage).await;
        lineages.insert(name.to_owned(), Arc::clone(&lineage));
        Ok(lineage)
    }
}

/// Puts the routes in force and watches the setting's deadline.
async fn begin(lineage: &Arc<Lineage>) {
    if !lineage.restore_routes().await {
        let lineage = Arc::clone(lineage);
        tokio::spawn(async move {
            // Whoever has the port may give it back.
            while !lineage.restore_routes().await {
                sleep(Duration::from_secs(1)).await;
            }
        });
    }
    tokio::spawn(Arc::clone(lineage).watch_deadline());
}

fn restore_objects(lineage: &Arc<Lineage>) -> io::Result<()> {
    let dir = lineage.records.dir.join("objects");
    private_dir(&dir)?;
    let mut objects = Vec::new();
    for entry in fs::read_dir(&dir)? {
        let path = entry?.path();
        if path.extension().is_some() {
            sweep(&path)?;
        } else {
            match Object::open(&lineage.site, &lineage.id, &path) {
                Ok(object) => objects.push(object),
                // One damaged record must not keep all others from running.
                Err(cause) => lineage.site.say(&format!("lineage {}: an object is left out: {cause}", lineage.id)),
            }
        }
    }
    // What is mounted comes before what mounts it: claims need to see volumes. Then what may have processes still, be it wanted
    // or not: nobody else gets what those hold until they are gone. Then what acts.
    objects.sort_by_key(|object| {
        let container = matches!(object.record().spec, ObjectSpec::Container(_));
        let ran = !super::launch::runs(&object.dir).is_empty();
        (container, !ran, !object.is_active(), object.id.clone())
    });
    for object in objects {
        let destroyed = lineage.tombstones.holds(&object.id);
        if destroyed {
            object.want.send_replace(Want::Gone);
        }
        lineage.restore(&object);
        if destroyed {
            let lineage = Arc::clone(lineage);
            tokio::spawn(async move {
                if let Err(cause) = lineage.finish_removal(&object).await {
                    lineage.site.say(&format!("lineage {}, object {}: {cause}", lineage.id, object.id));
                }
            });
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), ApiError> {
    if (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Ok(());
    }
    Err(ApiError::no(Code::Invalid, "a lineage's name is 1 to 64 letters, digits and `-`"))
}
