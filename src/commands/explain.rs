//! `imm explain`: the page of a diagnostic.

use crate::cli::Explain;
use crate::failure::{Exit, Failure, Outcome};
use crate::ui;
use serde_json::json;

/// Prints the page, or the list of codes.
pub fn run(args: &Explain) -> Outcome {
    let Some(code) = &args.code else {
        if args.json {
            let codes = imm_compiler::explain::all().map(|(code, title)| json!({ "code": code, "title": title }));
            ui::json(&json!({ "format": 1, "codes": codes.collect::<Vec<_>>() }));
            return Ok(Exit::Done);
        }
        let list: String = imm_compiler::explain::all().map(|(code, title)| format!("{code:<24} {title}\n")).collect();
        ui::out(&list);
        return Ok(Exit::Done);
    };
    match imm_compiler::explain::page(code) {
        Some(page) => {
            if args.json {
                ui::json(&json!({ "format": 1, "code": code, "page": page }));
            } else {
                ui::out(page);
            }
            Ok(Exit::Done)
        }
        None => {
            let codes: Vec<&str> = imm_compiler::explain::all().map(|(known, _)| known).collect();
            let near = imm_compiler::similar(code, codes);
            let help = near.map_or_else(String::new, |n| format!("did you mean `{n}`? "));
            Err(Failure::new(format!("there is no diagnostic `{code}`"))
                .help(format!("{help}`imm explain` lists all codes")))
        }
    }
}
