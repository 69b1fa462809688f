//! The standard library: modules written in imm, embedded.
//!
//! `import std.net` loads one like a module of the program. Inside of it the functions that imm cannot express
//! ([`imm_ir::builtin::functions_of`] its name) are called without a prefix; from outside both kinds look the same.

/// A module of the standard library.
#[derive(Clone, Copy, Debug)]
pub struct Module {
    /// Its name after `std.`.
    pub name: &'static str,
    /// Its text.
    pub source: &'static str,
}

macro_rules! modules {
    ($($name:literal),*) => {
        [$(Module { name: $name, source: include_str!(concat!("../../stdlib/", $name, ".imm")) }),*]
    };
}

/// All modules, by name.
pub static MODULES: [Module; 6] = modules!["encode", "hash", "net", "parts", "secret", "semver"];

/// What the names of its files begin with; no file of a program has such a name, since paths in programs are relative.
const PREFIX: &str = "std:";

impl Module {
    /// The name of its file in messages.
    pub fn file(&self) -> String {
        format!("{PREFIX}{}.imm", self.name)
    }
}

/// The module with this name, without `std.`.
pub fn module(name: &str) -> Option<&'static Module> {
    MODULES.iter().find(|module| module.name == name)
}

/// Whether a file belongs to the standard library and not to the program.
pub fn is_file(name: &str) -> bool {
    name.starts_with(PREFIX)
}
