//! One method a request.

use std::time::Duration;

use http::Method;

use crate::api::{
    AgentReport, Announce, Cleared, Compared, Confirm, DeleteObject, Drain, Drained, Epoch, Health, JournalEntry,
    JournalPage, LedgerHead, LineageReport, LogPage, LogQuery, ObjectReport, ObjectSpec, PutManifest, PutObject,
    PutPolicy, Renew, Samples, Snapshot, TakeSnapshot, Write,
};
use crate::percent::encode;

use super::{Client, ClientError};

type Answer<T> = Result<T, ClientError>;

impl Client {
    /// Who the agent is.
    pub async fn agent(&self) -> Answer<AgentReport> {
        self.get("agent").await
    }

    /// Stops the agent; containers go on. It answers before it ends.
    pub async fn stop(&self) -> Answer<AgentReport> {
        self.send(Method::POST, "agent/stop", &()).await
    }

    /// All metrics as Prometheus text.
    pub async fn metrics(&self) -> Answer<String> {
        let bytes = self.raw(Method::GET, "metrics", Vec::new()).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A lineage's setting and objects.
    pub async fn lineage(&self, lineage: &str) -> Answer<LineageReport> {
        self.get(&format!("lineages/{lineage}")).await
    }

    /// Announces a holder of the lease; answers the head that was announced before.
    pub async fn announce(&self, lineage: &str, announce: &Announce) -> Answer<Option<LedgerHead>> {
        self.send(Method::POST, &format!("lineages/{lineage}"), announce).await
    }

    /// Makes an object, or finds it made.
    pub async fn put_object(&self, lineage: &str, id: &str, put: &PutObject) -> Answer<ObjectReport> {
        self.send(Method::PUT, &object(lineage, id), put).await
    }

    /// An object.
    pub async fn object(&self, lineage: &str, id: &str) -> Answer<ObjectReport> {
        self.get(&object(lineage, id)).await
    }

    /// An object next to what it is declared as.
    pub async fn compare(&self, lineage: &str, id: &str, declared: &ObjectSpec) -> Answer<Compared> {
        self.send(Method::POST, &format!("{}/compare", object(lineage, id)), declared).await
    }

    /// Destroys an object; an unknown id is remembered and never made.
    pub async fn delete_object(&self, lineage: &str, id: &str, delete: &DeleteObject) -> Answer<Cleared> {
        self.send(Method::DELETE, &object(lineage, id), delete).await
    }

    /// Takes a copy of a volume, or finds it taken.
    pub async fn snapshot(&self, lineage: &str, id: &str, take: &TakeSnapshot) -> Answer<Snapshot> {
        self.send(Method::POST, &format!("{}/snapshot", object(lineage, id)), take).await
    }

    /// Lets a container act.
    pub async fn activate(&self, lineage: &str, id: &str, write: &Write) -> Answer<ObjectReport> {
        self.send(Method::POST, &format!("{}/activate", object(lineage, id)), write).await
    }

    /// Ends a container's processes; answers when they are gone.
    pub async fn deactivate(&self, lineage: &str, id: &str, write: &Write) -> Answer<ObjectReport> {
        self.send(Method::POST, &format!("{}/deactivate", object(lineage, id)), write).await
    }

    /// Puts a container's policy in force.
    pub async fn put_policy(&self, lineage: &str, id: &str, put: &PutPolicy) -> Answer<()> {
        self.send(Method::PUT, &format!("{}/policy", object(lineage, id)), put).await
    }

    /// An object's health, once it is known or `wait` (at most 30 s) is over.
    pub async fn health(&self, lineage: &str, id: &str, wait: Duration) -> Answer<Health> {
        self.get(&format!("{}/health?wait_ms={}", object(lineage, id), wait.as_millis())).await
    }

    /// Waits until no request is in flight to the objects.
    pub async fn drain(&self, lineage: &str, drain: &Drain) -> Answer<Drained> {
        self.send(Method::POST, &format!("lineages/{lineage}/drain"), drain).await
    }

    /// Replaces the setting.
    pub async fn put_manifest(&self, lineage: &str, put: &PutManifest) -> Answer<Epoch> {
        self.send(Method::PUT, &format!("lineages/{lineage}/manifest"), put).await
    }

    /// Makes the setting in force permanent.
    pub async fn confirm(&self, lineage: &str, confirm: &Confirm) -> Answer<Epoch> {
        self.send(Method::POST, &format!("lineages/{lineage}/confirm"), confirm).await
    }

    /// Gives a provisional setting more time.
    pub async fn renew(&self, lineage: &str, renew: &Renew) -> Answer<Epoch> {
        self.send(Method::POST, &format!("lineages/{lineage}/renew"), renew).await
    }

    /// What routes saw.
    pub async fn samples(&self, lineage: &str) -> Answer<Samples> {
        self.get(&format!("lineages/{lineage}/samples")).await
    }

    /// What the agent did on its own, after position `after`.
    pub async fn journal(&self, lineage: &str, after: u64) -> Answer<Vec<JournalEntry>> {
        let page: JournalPage = self.get(&format!("lineages/{lineage}/journal?after={after}")).await?;
        Ok(page.entries)
    }

    /// What containers printed, also those that are gone.
    pub async fn logs(&self, lineage: &str, query: &LogQuery) -> Answer<LogPage> {
        let numbers = [
            ("generation", query.generation),
            ("since_ms", query.since_ms),
            ("after", query.after),
            ("limit", query.limit),
            ("wait_ms", query.wait_ms),
        ];
        let access = query.access.then_some("true");
        let words = [("object", query.object.as_deref()), ("address", query.address.as_deref()), ("access", access)];
        let numbers = numbers.iter().filter_map(|(key, value)| Some(format!("{key}={}", (*value)?)));
        let words = words.iter().filter_map(|(key, value)| Some(format!("{key}={}", encode((*value)?))));
        let query: Vec<String> = numbers.chain(words).collect();
        self.get(&format!("lineages/{lineage}/logs?{}", query.join("&"))).await
    }
}

fn object(lineage: &str, id: &str) -> String {
    format!("lineages/{lineage}/objects/{id}")
}
