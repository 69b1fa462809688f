//! What every connection of a router shares: the table in force, who waits for a target, where answered requests are told.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

use crate::access::Teller;
use crate::table::Table;

/// Requests that may wait for a target at once, in all routes. More would only wait to be refused.
const MOST_HELD: usize = 4096;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) tables: watch::Sender<Table>,
    pub(crate) held: Semaphore,
    /// `None`: nobody wants to know.
    pub(crate) teller: Option<Teller>,
}

/// A handle to it.
pub(crate) type Traffic = Arc<Shared>;

impl Shared {
    pub(crate) fn new(teller: Option<Teller>) -> Self {
        Self { tables: watch::Sender::new(Table::default()), held: Semaphore::new(MOST_HELD), teller }
    }
}
