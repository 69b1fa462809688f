//! `imm gc`: drops what only expired generations need. Their entries stay.

use crate::cli::{Gc, Global};
use crate::failure::{Exit, Outcome};
use crate::platform;
use crate::project::Project;
use crate::records;
use crate::session::Session;
use crate::ui::{self, Style};

/// Expires generations beyond the retained ones.
pub fn run(global: &Global, args: &Gc) -> Outcome {
    let project = Project::find(global, args.module.path.as_deref())?;
    let style = Style::choose(global.color);
    records::expect(&project, style)?;
    platform::block_on(async {
        let mut session = Session::open(project, global.watcher(args.json)).await?;
        session.settled().await?;
        let because = args.because.as_deref().unwrap_or("beyond what is retained");
        let collected = session.collect(args.retain, because).await?;
        if args.json {
            ui::json(&serde_json::json!({ "format": 1, "expired": collected.expired, "blobs": collected.blobs,
                                          "bytes": collected.bytes, "secrets": collected.secrets,
                                          "images": collected.images, "image_bytes": collected.image_bytes,
                                          "left": collected.left }));
        } else if collected.expired.is_empty() && collected.blobs + collected.secrets + collected.images == 0 {
            ui::out("Nothing to collect.\n");
        } else {
            let numbers: Vec<_> = collected.expired.iter().map(u64::to_string).collect();
            let expired = if numbers.is_empty() { "none".to_owned() } else { numbers.join(", ") };
            ui::out(&format!(
                "Expired generations: {expired}. Dropped {} blobs ({}), {} secrets, {} images ({}); the entries stay.\n",
                collected.blobs,
                ui::bytes(collected.bytes),
                collected.secrets,
                collected.images,
                ui::bytes(collected.image_bytes)
            ));
        }
        for why in &collected.left {
            ui::err(&format!("{}: {why}\n", style.paint("1;33", "warning")));
        }
        Ok(Exit::Done)
    })?
}
