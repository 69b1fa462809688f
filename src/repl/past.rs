//! The program of an earlier generation: its sources and params from the ledger.

use crate::failure::Failure;
use crate::project::Project;
use crate::records;
use crate::world::DiskWorld;
use imm_compiler::world::{File, Listed, Program, World, WorldError};
use imm_compiler::{Given, GivenValue, MemoryWorld};
use imm_ir::{Executable, ParamFrom};
use imm_runtime::ledger::Ledger;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Sources and params of one generation.
pub struct PastWorld {
    files: MemoryWorld,
    path: String,
    params: Vec<(String, String)>,
    /// Programs of this machine are those of today: their bytes are not in the ledger.
    machine: DiskWorld,
}

impl PastWorld {
    /// What a generation was made of.
    ///
    /// # Errors
    /// There is no such generation, or its sources were not recorded.
    pub fn open(project: &Project, generation: u64) -> Result<Self, Failure> {
        let ledger = records::read_quietly(project)
            .ok_or_else(|| Failure::new("nothing was applied yet, so there are no generations"))?;
        let state = ledger.state();
        let unknown = || {
            let known: Vec<String> = state.generations.keys().map(ToString::to_string).collect();
            Failure::new(format!("there is no generation {generation}"))
                .help(format!("there are: {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") }))
        };
        let recorded = state.generations.get(&generation).ok_or_else(unknown)?;
        let apply = state.applies.iter().find(|apply| apply.id == recorded.apply).ok_or_else(unknown)?;
        let load = |ledger: &Ledger| -> Option<Vec<(String, Vec<u8>)>> { ledger.load(&apply.started.sources?).ok() };
        let sources = load(&ledger).ok_or_else(|| {
            Failure::new(format!("the sources of generation {generation} are not in the ledger"))
                .help("a rollback has none of its own: look at the generation it went back to")
        })?;
        let params = apply.started.params.and_then(|digest| ledger.load(&digest).ok()).unwrap_or_default();
        let mut files = MemoryWorld::default();
        for (name, bytes) in &sources {
            files.insert(name, bytes);
        }
        let one_file = project.path.is_file();
        let path = if one_file { project.path.file_name() } else { None };
        let path = path.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let home = crate::platform::home()?;
        Ok(Self { files, path, params, machine: DiskWorld::new(home.root().join("identities")) })
    }

    /// Where the program is among its files.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The params it was evaluated with; secrets were not recorded.
    pub fn params(&self) -> BTreeMap<Arc<str>, Given> {
        let read = |(name, text): &(String, String)| {
            let value: serde_json::Value = serde_json::from_str(text).ok()?;
            let given = Given { value: GivenValue::Json(value), from: ParamFrom::Given };
            Some((Arc::from(name.as_str()), given))
        };
        let all = self.params.iter().filter_map(read);
        all.filter(|(_, given)| !matches!(&given.value, GivenValue::Json(v) if *v == "[secret]")).collect()
    }
}

impl World for PastWorld {
    fn read(&self, path: &str) -> Result<File, WorldError> {
        self.files.read(path)
    }

    fn list(&self, folder: &str) -> Result<Vec<Listed>, WorldError> {
        self.files.list(folder)
    }

    fn executable(&self, program: Program<'_>) -> Result<Executable, WorldError> {
        self.machine.executable(program)
    }
}
