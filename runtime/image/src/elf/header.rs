//! What the loader reads of one ELF file: processor, interpreter and dynamic section. Searches for nothing.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::read::{ReadCache, ReadRef, StringTable};
use object::{Endianness, elf};

use crate::{ImageError, Result};

/// The processor of an ELF file: number, width and byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Machine {
    number: u16,
    wide: bool,
    big: bool,
}

impl Machine {
    /// Its name in an OCI image; the empty text when OCI has none.
    #[must_use]
    pub const fn architecture(self) -> &'static str {
        match (self.number, self.wide, self.big) {
            (3, false, false) => "386",
            (22, true, true) => "s390x",
            (21, true, false) => "ppc64le",
            (40, false, false) => "arm",
            (62, true, false) => "amd64",
            (183, true, false) => "arm64",
            (243, true, false) => "riscv64",
            (258, true, false) => "loong64",
            _ => "",
        }
    }

    /// What `$PLATFORM` stands for.
    pub(super) const fn platform(self) -> &'static str {
        match self.number {
            3 => "i686",
            62 => "x86_64",
            183 => "aarch64",
            21 => "ppc64le",
            22 => "s390x",
            243 => "riscv64",
            _ => "",
        }
    }

    /// The folders below `/` and `/usr` in which a loader looks by itself, first the ones of Debian's multiarch.
    pub(super) fn lib_folders(self) -> Vec<&'static str> {
        let multiarch = match self.architecture() {
            "amd64" => Some("lib/x86_64-linux-gnu"),
            "arm64" => Some("lib/aarch64-linux-gnu"),
            "386" => Some("lib/i386-linux-gnu"),
            "arm" => Some("lib/arm-linux-gnueabihf"),
            "riscv64" => Some("lib/riscv64-linux-gnu"),
            "ppc64le" => Some("lib/powerpc64le-linux-gnu"),
            "s390x" => Some("lib/s390x-linux-gnu"),
            _ => None,
        };
        let wide = self.wide.then_some("lib64");
        multiarch.into_iter().chain(wide).chain(["lib"]).collect()
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.architecture() {
            "" => write!(f, "ELF machine {} ({} bit)", self.number, if self.wide { 64 } else { 32 }),
            name => f.write_str(name),
        }
    }
}

/// What the loader reads of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub machine: Machine,
    /// Whether it can be started: it has an interpreter, or it is a static program.
    pub program: bool,
    pub interpreter: Option<PathBuf>,
    pub needed: Vec<String>,
    pub rpath: Vec<String>,
    /// When there is one, `rpath` does not count.
    pub runpath: Option<Vec<String>>,
    pub soname: Option<String>,
    /// Linked with `-z nodeflib`: neither cache nor default folders.
    pub no_default: bool,
}

impl Header {
    /// Reads the header of a file; an error says what the file is instead of an ELF file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(ImageError::io("open", path))?;
        let mut start = [0; 16];
        let count = read_start(&mut file, &mut start).map_err(ImageError::io("read", path))?;
        let refuse = |reason: &str| ImageError::NotExecutable { path: path.to_path_buf(), reason: reason.to_owned() };
        let start = start.get(..count).unwrap_or_default();
        match start {
            [0x7f, b'E', b'L', b'F', class, ..] => {
                let data = ReadCache::new(file);
                let parsed = match class {
                    1 => parse::<elf::FileHeader32<Endianness>, _>(&data),
                    2 => parse::<elf::FileHeader64<Endianness>, _>(&data),
                    _ => return Err(refuse("its ELF class is unknown")),
                };
                parsed.map_err(|error| refuse(&format!("it is a damaged ELF file: {error}")))
            }
            [b'#', b'!', ..] => Err(refuse(
                "it is a script (it begins with `#!`); put it into the image with `file(…)` and its interpreter with `executable(…)`",
            )),
            [] => Err(refuse("it is empty")),
            _ => Err(refuse("it is not an ELF file; use `file(…)` for other files")),
        }
    }

    /// The processor of a file if it is an ELF file at all.
    pub(super) fn machine(path: &Path) -> Option<Machine> {
        let mut start = [0; 20];
        let mut file = File::open(path).ok()?;
        let count = read_start(&mut file, &mut start).ok()?;
        match start.get(..count)? {
            [0x7f, b'E', b'L', b'F', class, order, .., low, high] if count == 20 => {
                let big = *order == 2;
                let pair = [*low, *high];
                let number = if big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) };
                Some(Machine { number, wide: *class == 2, big })
            }
            _ => None,
        }
    }
}

fn read_start(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let length = buffer.len() as u64;
    let mut bytes = Vec::new();
    Read::by_ref(file).take(length).read_to_end(&mut bytes)?;
    for (to, from) in buffer.iter_mut().zip(&bytes) {
        *to = *from;
    }
    Ok(bytes.len())
}

fn parse<'data, Elf: FileHeader<Endian = Endianness>, R: ReadRef<'data>>(data: R) -> object::read::Result<Header> {
    let header = Elf::parse(data)?;
    let endian = header.endian()?;
    let big = matches!(endian, Endianness::Big);
    let machine = Machine { number: header.e_machine(endian).0, wide: header.is_class_64(), big };
    let mut found = Header {
        machine,
        program: false,
        interpreter: None,
        needed: Vec::new(),
        rpath: Vec::new(),
        runpath: None,
        soname: None,
        no_default: false,
    };
    let segments = header.program_headers(endian, data)?;
    let mut dynamic: &[Elf::Dyn] = &[];
    for segment in segments {
        if let Some(path) = segment.interpreter(endian, data)? {
            found.interpreter = Some(PathBuf::from(text(path)));
        }
        if let Some(entries) = segment.dynamic(endian, data)? {
            dynamic = entries;
        }
    }
    let value = |tag| dynamic.iter().find(|entry| entry.tag(endian) == tag).map(|entry| entry.val(endian));
    let flags = value(elf::DT_FLAGS_1).unwrap_or(0);
    found.no_default = flags & NODEFLIB != 0;
    let is_program = header.e_type(endian) == elf::ET_EXEC || flags & PIE != 0;
    found.program = found.interpreter.is_some() || is_program;

    let (Some(address), Some(size)) = (value(elf::DT_STRTAB), value(elf::DT_STRSZ)) else {
        return Ok(found);
    };
    let offset = segments.iter().filter(|segment| segment.p_type(endian) == elf::PT_LOAD).find_map(|segment| {
        let (start, length): (u64, u64) = (segment.p_vaddr(endian).into(), segment.p_filesz(endian).into());
        let within = address.checked_sub(start).filter(|within| *within < length)?;
        within.checked_add(segment.p_offset(endian).into())
    });
    let Some(offset) = offset else {
        return Ok(found);
    };
    let strings = StringTable::new(data, offset, offset.saturating_add(size));
    for entry in dynamic.iter().take_while(|entry| entry.tag(endian) != elf::DT_NULL) {
        let tag = entry.tag(endian);
        if ![elf::DT_NEEDED, elf::DT_SONAME, elf::DT_RPATH, elf::DT_RUNPATH].contains(&tag) {
            continue;
        }
        let string = text(entry.string(endian, strings)?);
        let folders = |list: &str| list.split(':').map(str::to_owned).collect::<Vec<_>>();
        if tag == elf::DT_NEEDED {
            found.needed.push(string);
        } else if tag == elf::DT_SONAME {
            found.soname = Some(string);
        } else if tag == elf::DT_RPATH {
            found.rpath = folders(&string);
        } else {
            found.runpath = Some(folders(&string));
        }
    }
    Ok(found)
}

const NODEFLIB: u64 = 0x800;
const PIE: u64 = 0x0800_0000;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_real_program() {
        let header = Header::read(&std::env::current_exe().unwrap()).unwrap();
        assert!(header.program);
        assert_eq!(header.machine.architecture(), crate::recipe::host_architecture());
        assert_eq!(Header::machine(&std::env::current_exe().unwrap()), Some(header.machine));
    }

    #[test]
    fn says_what_a_file_is_instead() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        for (content, expected) in [
            ("#!/bin/sh\n", "script"),
            ("", "empty"),
            ("hello", "not an ELF"),
            ("\x7fELF\x02\x01", "damaged"),
            ("\x7fELF\x09", "class"),
        ] {
            std::fs::write(&path, content).unwrap();
            let error = Header::read(&path).unwrap_err().to_string();
            assert!(error.contains(expected), "{content:?}: {error}");
        }
    }

    #[test]
    fn damaged_programs_are_errors_and_never_panics() {
        let whole = std::fs::read("/bin/true").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        for seed in 0..300_usize {
            let mut bytes = whole.clone();
            let header = bytes.len().min(1024);
            bytes[(seed * 37) % header] ^= 0xff;
            bytes[(seed * 101 + 16) % header] = u8::try_from(seed % 256).unwrap();
            bytes.truncate(if seed % 3 == 0 { bytes.len() * (seed % 100) / 100 } else { bytes.len() });
            std::fs::write(&path, &bytes).unwrap();
            drop(Header::read(&path));
        }
    }
}
