//! Making an object: checked, laid out durably, then started or left dormant.
//!
//! Idempotent by id. Refused for an id that was destroyed, for another specification under the same id, and for what binds
//! something that is not there.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use crate::api::{ApiError, Code, Container, Mount, ObjectReport, ObjectSpec, PutObject, VolumeAccess};

use super::board::Asker;
use super::claims::Holder;
use super::content;
use super::lineage::Lineage;
use super::object::{Object, Record, claims};

/// Characters of a secret.
const SECRET_LENGTH: std::ops::RangeInclusive<u32> = 1..=65_536;
/// Characters of an object id; it names directories.
const ID_LENGTH: std::ops::RangeInclusive<usize> = 1..=128;

impl Lineage {
    /// `PUT lineages/L/objects/ID`.
    pub async fn put_object(&self, id: &str, put: PutObject) -> Result<ObjectReport, ApiError> {
        check_id(id)?;
        let _settings = self.fenced(put.fence).await?;
        if self.tombstones.holds(id) {
            return Err(ApiError::no(
                Code::Tombstone,
                format!("object {id} ({}) was destroyed; it is never made again", put.address),
            ));
        }
        if let Ok(there) = self.object(id) {
            return if there.record().same_object(&put.object) {
                Ok(there.whole_report(&self.site, &self.records.dir)?)
            } else {
                Err(ApiError::no(
                    Code::Conflict,
                    format!("object {id} exists with other inputs than {} has now", put.address),
                ))
            };
        }
        self.check_spec(&put.address, &put.object)?;
        self.unpack(&put.address, &put.object).await?;
        let active = !put.dormant && matches!(put.object, ObjectSpec::Container(_));
        let port = self.reserve(id, &put.address, &put.object).await?;
        let laid_out = self.take_claims(id, &put, active).and_then(|()| {
            let record = Record::new(put.address.clone(), put.generation, port, put.object.clone());
            Ok(Object::lay_out(&self.site, (&self.id, &self.records.dir), id, record, active)?)
        });
        match laid_out {
            Ok(object) => {
                self.take_in(&object);
                Ok(object.whole_report(&self.site, &self.records.dir)?)
            }
            Err(refused) => {
                self.site.claims.release(&self.id, id);
                self.release(id, &put.object, port).await;
                Err(refused)
            }
        }
    }

    async fn reserve(&self, id: &str, address: &str, spec: &ObjectSpec) -> Result<Option<u16>, ApiError> {
        match spec {
            ObjectSpec::Container(container) if container.port.is_some() => self.site.ports.reserve(id).map(Some),
            ObjectSpec::Route(route) => {
                let asker = Asker { lineage: &self.id, object: id, address };
                self.site.board.reserve(asker, route.bind, route.listen).await.map(Some)
            }
            ObjectSpec::Container(_) | ObjectSpec::Volume(_) | ObjectSpec::File(_) | ObjectSpec::Secret(_) => Ok(None),
        }
    }

    /// Gives back what `reserve` took.
    pub(super) async fn release(&self, id: &str, spec: &ObjectSpec, port: Option<u16>) {
        match (spec, port) {
            (ObjectSpec::Container(_), Some(port)) => self.site.ports.free(port),
            (ObjectSpec::Route(route), Some(port)) => self.site.board.release(id, route.bind, port).await,
            _nothing => {}
        }
    }

    /// Lays out a container's image, so that starting it later, perhaps while nobody serves, takes no time.
    async fn unpack(&self, address: &str, spec: &ObjectSpec) -> Result<(), ApiError> {
        let ObjectSpec::Container(container) = spec else { return Ok(()) };
        let refused = |said: String| ApiError::no(Code::Unavailable, format!("{address}: {said}"));
        let manifest = container.image.parse().map_err(|cause: imm_image::InvalidDigest| refused(cause.to_string()))?;
        let site = Arc::clone(&self.site);
        let unpacked = spawn_blocking(move || site.store.unpack(manifest)).await;
        let unpacked = unpacked.map_err(|cause| refused(cause.to_string()))?;
        unpacked.map(drop).map_err(|cause| refused(cause.to_string()))
    }

    fn take_claims(&self, id: &str, put: &PutObject, active: bool) -> Result<(), ApiError> {
        let (ObjectSpec::Container(container), true) = (&put.object, active) else { return Ok(()) };
        let holder = Holder { lineage: self.id.clone(), object: id.to_owned(), address: put.address.clone() };
        self.site.claims.take(&claims(container, |volume| self.volume_access(volume)), &holder)
    }

    fn check_spec(&self, address: &str, spec: &ObjectSpec) -> Result<(), ApiError> {
        match spec {
            ObjectSpec::Container(container) => self.check_container(address, container),
            ObjectSpec::File(file) => content::check_file(file),
            ObjectSpec::Secret(secret) if !SECRET_LENGTH.contains(&secret.length) => Err(ApiError::no(
                Code::Invalid,
                format!("{address}: a secret has 1 to 65536 characters, not {}", secret.length),
            )),
            ObjectSpec::Volume(_) | ObjectSpec::Route(_) | ObjectSpec::Secret(_) => Ok(()),
        }
    }

    fn check_container(&self, address: &str, container: &Container) -> Result<(), ApiError> {
        let invalid = |said: String| Err(ApiError::no(Code::Invalid, said));
        match container.image.parse() {
            Ok(manifest) if self.site.store.contains(manifest) => {}
            Ok(_) => {
                return invalid(format!(
                    "{address}: image {} is not in this machine's store; build it first",
                    container.image
                ));
            }
            Err(cause) => return invalid(format!("{address}: {cause}")),
        }
        for (path, mount) in &container.mounts {
            if !path.starts_with('/') {
                return invalid(format!("{address}: mount {path:?} must be an absolute path"));
            }
            match mount {
                Mount::Volume { object, .. } => {
                    let _access: VolumeAccess = self.volume_access(object).ok_or_else(|| {
                        ApiError::no(
                            Code::Invalid,
                            format!("{address}: {path} mounts {object}, which is no volume of this lineage"),
                        )
                    })?;
                }
                Mount::File { object } => {
                    if !self.object(object).is_ok_and(|file| matches!(file.record().spec, ObjectSpec::File(_))) {
                        return invalid(format!("{address}: {path} mounts {object}, which is no file of this lineage"));
                    }
                }
                Mount::Scratch { .. } => {}
            }
        }
        Ok(())
    }

    /// Restores an object that an earlier agent laid out: its port and, if it acts, its claims are its own again.
    pub(super) fn restore(&self, object: &Arc<Object>) {
        let record = object.record();
        if let (ObjectSpec::Container(_), Some(port)) = (&record.spec, record.port) {
            self.site.ports.mark(port);
        }
        // Volumes were restored before, so that claims can be seen; even a dormant one may have processes still.
        if let Err(refused) = self.claim(object)
            && object.is_active()
        {
            self.site.say(&format!("lineage {}: {refused}", self.id));
        }
        self.take_in(object);
    }
}

fn check_id(id: &str) -> Result<(), ApiError> {
    if ID_LENGTH.contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(ApiError::no(Code::Invalid, "an object id is 1 to 128 letters and digits"))
}
