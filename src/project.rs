//! Which module, which environment, which ledger: what the command line names, resolved to paths.

use crate::cli::Global;
use crate::failure::Failure;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A module and where its state is.
#[derive(Clone, Debug)]
pub struct Project {
    /// The folder or the one .imm file, absolute. Of a saved plan, its folder as it was.
    pub path: PathBuf,
    /// For titles: the folder's or file's name.
    pub name: String,
    /// The environment.
    pub environment: String,
    /// Where the command line says that ledgers are.
    given: Option<PathBuf>,
    /// Where they are; looked for when something asks, since the program may have to be read for it.
    found: OnceLock<Found>,
}

/// Where an environment's ledger and lease are.
#[derive(Clone, Debug)]
struct Found {
    state: PathBuf,
    /// Why the program does not tell.
    unclear: Option<String>,
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
        if !path.is_dir() && path.extension().is_none_or(|e| e != "imm") {
            return Err(Failure::new(format!("{} is not a module", given.display()))
                .help("name a folder with .imm files in it, or one .imm file"));
        }
        let name = if file { path.file_stem() } else { path.file_name() };
        let name = name.map_or_else(|| "module".to_owned(), |n| n.to_string_lossy().into_owned());
        let environment = global.environment.clone();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if environment.is_empty() || !environment.chars().all(plain) {
            return Err(Failure::usage(format!("`{environment}` is not the name of an environment"))
                .help("names are letters, digits and _"));
        }
        let given = match &global.state {
            Some(state) => Some(std::path::absolute(state).map_err(|e| missing(state, &e))?),
            None => None,
        };
        Ok(Self { path, name, environment, given, found: OnceLock::new() })
    }

    /// The same module in another environment.
    pub fn change_environment(&mut self, name: &str) {
        name.clone_into(&mut self.environment);
        self.found = OnceLock::new();
    }

    /// Where the environment's ledger and lease are.
    pub fn state(&self) -> &Path {
        &self.found.get_or_init(|| self.look()).state
    }

    /// By the command line, by the program, else beside the program.
    fn look(&self) -> Found {
        let (declared, unclear) = match self.declared_state().filter(|_| self.given.is_none()) {
            Some(Ok(path)) => (Some(path), None),
            Some(Err(why)) => (None, Some(why)),
            None => (None, None),
        };
        let root = self.given.clone().or(declared).unwrap_or_else(|| {
            if self.path.is_file() {
                self.path.with_file_name(".imm").join(format!("{}.imm", self.name))
            } else {
                self.path.join(".imm")
            }
        });
        Found { state: root.join(&self.environment), unclear }
    }

    /// What the program says of where its ledgers are, relative to the module. Most programs say nothing, and are not read for it.
    fn declared_state(&self) -> Option<Result<PathBuf, String>> {
        let folder = self.folder()?;
        let files = if self.path.is_file() {
            vec![self.path.clone()]
        } else {
            let listed = std::fs::read_dir(&folder).ok()?.flatten().map(|entry| entry.path());
            listed.filter(|path| path.extension().is_some_and(|e| e == "imm")).collect()
        };
        let says = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.contains("environment") && text.contains("state")
        };
        if !files.iter().any(says) {
            return None;
        }
        let world = crate::compile::world().ok()?;
        match imm_compiler::state(&world, &self.path.to_string_lossy(), &self.environment) {
            Ok(None) => None,
            Ok(Some(path)) => Some(Ok(folder.join(path))),
            Err(failed) => {
                let first = failed.diagnostics.iter().find(|d| d.is_error())?;
                Some(Err(format!("{}: {}", failed.sources.loc(first.span()), first.message)))
            }
        }
    }

    /// That it is known where the ledger is: a program that says it and cannot be read must not be taken for one that says nothing.
    ///
    /// # Errors
    /// It is not.
    pub fn known_state(&self) -> Result<(), Failure> {
        match &self.found.get_or_init(|| self.look()).unclear {
            None => Ok(()),
            Some(why) => {
                Err(Failure::new(format!("the program may say where its ledger is, and has a mistake: {why}"))
                    .help("correct it (`imm check`), or name the folder with --state DIR"))
            }
        }
    }

    /// A module whose ledger's place is known.
    pub fn at(path: PathBuf, name: String, environment: String, state: PathBuf) -> Self {
        let found = Found { state: state.clone(), unclear: None };
        Self { path, name, environment, given: Some(state), found: OnceLock::from(found) }
    }

    /// The module's folder, if it is known.
    pub fn folder(&self) -> Option<PathBuf> {
        let folder = if self.path.is_file() { self.path.parent()? } else { &self.path };
        (!folder.as_os_str().is_empty()).then(|| folder.to_owned())
    }

    /// The ledger's file.
    pub fn ledger(&self) -> PathBuf {
        self.state().join("ledger.db")
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
