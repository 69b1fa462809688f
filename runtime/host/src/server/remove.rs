//! Destroying an object: remembered for ever first, then its processes, then its bytes.
//!
//! Guarantees: after the answer no process and no directory of it is left; a crash in between is finished by the next agent; an
//! object that a setting may still lead to, or that another one mounts, is refused; a volume wants consent.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::api::{ApiError, Cleared, Code, DeleteObject, ObjectSpec};

use super::content;
use super::lineage::Lineage;
use super::object::{Object, Want};
use super::settings::Settings;

impl Lineage {
    /// `DELETE lineages/L/objects/ID`.
    pub async fn delete_object(&self, id: &str, delete: DeleteObject) -> Result<Cleared, ApiError> {
        let object = {
            let mut settings = self.fenced(delete.fence).await?;
            let Ok(object) = self.object(id) else {
                self.tombstones.set(id)?;
                return Ok(Cleared { was_missing: true });
            };
            self.check_unused(&settings, &object)?;
            if matches!(object.record().spec, ObjectSpec::Volume(_) | ObjectSpec::Secret(_)) && !delete.consent {
                let record = object.record();
                let said =
                    format!("{} is a {}: its data is removed only with consent", record.address, record.spec.kind());
                return Err(ApiError::no(Code::ConsentRequired, said));
            }
            self.tombstones.set(id)?;
            let without = settings.without(id);
            settings.write(without)?;
            object.want.send_replace(Want::Gone);
            object
        };
        self.finish_removal(&object).await?;
        Ok(Cleared { was_missing: false })
    }

    /// Waits for the end of an object's processes and removes what it has on disk. Again is the same.
    pub(super) async fn finish_removal(&self, object: &Arc<Object>) -> Result<(), ApiError> {
        let mut finished = object.finished.subscribe();
        let grace = std::time::Duration::from_millis(object.policy.borrow().stop.grace_ms);
        let ended =
            timeout(grace + std::time::Duration::from_secs(20), finished.wait_for(|finished| *finished)).await.is_ok();
        let record = object.record();
        if !ended {
            return Err(ApiError::maybe(Code::Unavailable, format!("{} does not end; ask again", record.address)));
        }
        if self.objects().remove(&object.id).is_none() {
            return Ok(());
        }
        let (lineage_dir, dir, id, spec) =
            (self.records.dir.clone(), object.dir.clone(), object.id.clone(), record.spec.clone());
        let site = Arc::clone(&self.site);
        let removed = spawn_blocking(move || {
            content::remove(&site, &lineage_dir, &id, &spec)?;
            clear(&dir)
        });
        removed.await.unwrap_or_else(|cause| Err(io::Error::other(cause)))?;
        self.site.claims.release(&self.id, &object.id);
        self.release(&object.id, &record.spec, record.port).await;
        Ok(())
    }

    fn check_unused(&self, settings: &Settings, object: &Object) -> Result<(), ApiError> {
        let address = object.record().address;
        let in_use = |by: String| Err(ApiError::no(Code::InUse, format!("{address} cannot be destroyed: {by}")));
        for manifest in settings.may_point() {
            for (id, route) in &manifest.routes {
                if route.targets.iter().any(|target| target.object == object.id) {
                    let name = self.object(id).map_or_else(|_| id.clone(), |route| route.record().address);
                    return in_use(format!("route {name} leads to it, or returns to it"));
                }
                if *id == object.id && !route.targets.is_empty() {
                    return in_use("it leads to targets still".to_owned());
                }
            }
        }
        for other in self.objects().values() {
            if other.binds().iter().any(|(bound, _)| *bound == object.id) {
                return in_use(format!("{} mounts it", other.record().address));
            }
        }
        Ok(())
    }
}

/// Removes an object's directory: it disappears whole, then its bytes go.
fn clear(dir: &Path) -> io::Result<()> {
    let gone = dir.with_extension("gone");
    match fs::rename(dir, &gone) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
        Ok(()) | Err(_) => {}
    }
    sweep(&gone)
}

/// Removes what a crash left of a directory that was appearing or disappearing.
pub fn sweep(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        Ok(()) | Err(_) => Ok(()),
    }
}
