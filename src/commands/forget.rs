//! `imm forget`: drops objects from the record. What they are stays, and is nobody's.

use crate::cli::{Forget, Global};
use crate::failure::{Exit, Failure, Outcome};
use crate::platform;
use crate::project::Project;
use crate::records;
use crate::session::Session;
use crate::ui::{self, Style};
use imm_ir::Addr;

/// Forgets every object at an address that no generation in force has, or a retained durable.
pub fn run(global: &Global, args: &Forget) -> Outcome {
    let project = Project::find(global, None)?;
    records::expect(&project, Style::choose(global.color))?;
    let address = Addr::parse(&args.address).map_err(Failure::usage)?;
    platform::block_on(async {
        let mut session = Session::open(project, global.watcher(false)).await?;
        session.settled().await?;
        let count = session.forget(&address, args.object.as_deref(), &args.because)?;
        let objects = if count == 1 { "1 object" } else { "all objects" };
        ui::tell(&format!("Forgot {objects} at {address}; what it is stays where it is.\n"));
        Ok(Exit::Done)
    })?
}
