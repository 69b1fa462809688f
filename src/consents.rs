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
    never: Vec<Addr>,
    consent: Vec<Addr>,
    above_limit: bool,
    heal: bool,
    because: String,
}

impl Consented {
    /// Reads the addresses.
    pub fn read(consents: &Consents) -> Result<Self, Failure> {
        let rename = |text: &String| {
            let (old, new) = text.split_once('=').ok_or_else(|| {
                Failure::usage(format!("--rename {text} has no new address"))
                    .help("write it like --rename uploads=files")
            })?;
            Ok((address(old)?, address(new)?))
        };
        Ok(Self {
            replace: addresses(&consents.replace)?,
            renames: consents.rename.iter().map(rename).collect::<Result<_, Failure>>()?,
            again: consents.again,
            never: addresses(&consents.never)?,
            consent: addresses(&consents.consent)?,
            above_limit: consents.above_limit,
            heal: consents.heal,
            because: consents.because.clone().unwrap_or_default(),
        })
    }

    /// Puts them into a plan's options.
    pub fn into_options(self, options: &mut Options) {
        options.replace = self.replace;
        options.renames = self.renames;
        options.again = self.again;
        options.never = self.never;
        options.consent = self.consent;
        options.above_limit = self.above_limit;
        options.heal = self.heal;
        options.because = self.because;
    }
}

fn address(text: &str) -> Result<Addr, Failure> {
    Addr::parse(text).map_err(Failure::usage)
}

/// Addresses as the command line has them.
pub fn addresses(texts: &[String]) -> Result<Vec<Addr>, Failure> {
    texts.iter().map(|text| address(text)).collect()
}
