//! Consents of the command line, read: what a plan may do that needs a word of its own.

use crate::cli::Consents;
use crate::failure::Failure;
use imm_ir::Addr;
use imm_runtime::plan::Options;
use std::collections::BTreeMap;

/// Consents with their addresses.
pub struct Consented {
    replace: Vec<Addr>,
    renames: BTreeMap<Addr, Addr>,
    again: bool,
    heal: bool,
    because: String,
}

impl Consented {
    /// Reads the addresses.
    pub fn read(consents: &Consents) -> Result<Self, Failure> {
        let addr = |text: &str| Addr::parse(text).map_err(Failure::usage);
        let rename = |text: &String| {
            let (old, new) = text.split_once('=').ok_or_else(|| {
                Failure::usage(format!("--rename {text} has no new address"))
                    .help("write it like --rename uploads=files")
            })?;
            Ok((addr(old)?, addr(new)?))
        };
        Ok(Self {
            replace: consents.replace.iter().map(|text| addr(text)).collect::<Result<_, _>>()?,
            renames: consents.rename.iter().map(rename).collect::<Result<_, Failure>>()?,
            again: consents.again,
            heal: consents.heal,
            because: consents.because.clone().unwrap_or_default(),
        })
    }

    /// Puts them into a plan's options.
    pub fn into_options(self, options: &mut Options) {
        options.replace = self.replace;
        options.renames = self.renames;
        options.again = self.again;
        options.heal = self.heal;
        options.because = self.because;
    }
}
