//! `imm new`: a module that applies at once, the same hello that the examples hold.

use crate::cli::New;
use crate::failure::{Exit, Failure, Outcome};
use crate::project::plain;
use crate::ui;

const FILES: [(&str, &str); 3] = [
    ("main.imm", include_str!("../../examples/hello/main.imm")),
    ("index.html", include_str!("../../examples/hello/index.html")),
    (".gitignore", ".imm/\n*.immplan\n"),
];

/// Makes the folder. Never overwrites: a folder that holds one of the files is refused.
pub fn run(args: &New) -> Outcome {
    let fail = |path: &std::path::Path, e: &std::io::Error| Failure::new(format!("{}: {}", path.display(), plain(e)));
    for (name, _) in FILES {
        let path = args.dir.join(name);
        if path.exists() {
            return Err(
                Failure::new(format!("{} is there already", path.display())).help("name a new folder: imm new DIR")
            );
        }
    }
    std::fs::create_dir_all(&args.dir).map_err(|e| fail(&args.dir, &e))?;
    for (name, text) in FILES {
        let path = args.dir.join(name);
        std::fs::write(&path, text).map_err(|e| fail(&path, &e))?;
    }
    let dir = args.dir.display();
    ui::out(&format!("Made {dir}: main.imm and index.html.\n\nNext:\n  imm plan {dir}\n  imm apply {dir}\n"));
    Ok(Exit::Done)
}
