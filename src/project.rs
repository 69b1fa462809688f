//! Which module, which environment, which ledger: what the command line names, resolved to paths.

use crate::cli::Global;
use crate::failure::Failure;
use std::path::{Path, PathBuf};

/// A module and where its state is.
#[derive(Clone, Debug)]
pub struct Project {
    /// The folder or the one .imm file, absolute. Of a saved plan, its folder as it was.
    pub path: PathBuf,
    /// For titles: the folder's or file's name.
    pub name: String,
    /// The environment.
    pub environment: String,
    /// Where the environment's ledger and lease are.
    pub state: PathBuf,
}

impl Project {
    /// Resolves the module from the last argument, else from `-C`, else the current folder.
    ///
    /// # Errors
    /// When there is nothing there, or the environment's name is not a name.
    pub fn find(global: &Global, argument: Option<&Path>) -> Result<Self, Failure> {
        if let (Some(c), Some(a)) = (&global.module, argument)
            && c != a
        {
            return Err(Failure::usage(format!("two modules are named: {} (-C) and {}", c.display(), a.display()))
                .help("give one of them"));
        }
        let given = argument.or(global.module.as_deref()).unwrap_or(Path::new("."));
        let path = std::fs::canonicalize(given).map_err(|e| missing(given, &e))?;
        let file = path.is_file();
        if file && path.extension().is_none_or(|e| e != "imm") {
            return Err(Failure::new(format!("{} is not a module", given.display()))
                .help("name a folder with .imm files in it, or one .imm file"));
        }
        let name = if file { path.file_stem() } else { path.file_name() };
        let name = name.map_or_else(|| "module".to_owned(), |n| n.to_string_lossy().into_owned());
        let root = match &global.state {
            Some(state) => std::path::absolute(state).map_err(|e| missing(state, &e))?,
            None if file => path.with_file_name(".imm").join(format!("{name}.imm")),
            None => path.join(".imm"),
        };
        let environment = global.environment.clone();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if environment.is_empty() || !environment.chars().all(plain) {
            return Err(Failure::usage(format!("`{environment}` is not the name of an environment"))
                .help("names are letters, digits and _"));
        }
        let state = root.join(&environment);
        Ok(Self { path, name, environment, state })
    }

    /// The module's folder, if it is known.
    pub fn folder(&self) -> Option<PathBuf> {
        let folder = if self.path.is_file() { self.path.parent()? } else { &self.path };
        (!folder.as_os_str().is_empty()).then(|| folder.to_owned())
    }

    /// The ledger's file.
    pub fn ledger(&self) -> PathBuf {
        self.state.join("ledger.db")
    }
}

fn missing(path: &Path, error: &std::io::Error) -> Failure {
    let failure = Failure::new(format!("{}: {}", path.display(), plain(error)));
    if error.kind() == std::io::ErrorKind::NotFound {
        failure.help(format!("`imm new {}` makes a module there", path.display()))
    } else {
        failure
    }
}

/// What the system said, without its number.
pub fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is nothing there".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or(&text).to_lowercase()
        }
    }
}

/// Beside, then renamed: a program is never half-written. Its permissions stay.
pub fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let path = std::fs::canonicalize(path)?;
    let beside = path.with_extension(format!("imm.{}.new", std::process::id()));
    let written = std::fs::write(&beside, text)
        .and_then(|()| std::fs::set_permissions(&beside, std::fs::metadata(&path)?.permissions()))
        .and_then(|()| std::fs::rename(&beside, &path));
    if written.is_err() {
        drop(std::fs::remove_file(&beside));
    }
    written
}
