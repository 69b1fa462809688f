//! `image` and `site`: built in the calling process, into the home's store.
//!
//! What an object id became is noted in the lineage's directory, so that a repeated create finds it and a collector knows what is
//! needed. The store itself finds equal inputs again, whatever their id.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use imm_image::foreign::Form;
use imm_image::{Base, ContentDigest, Entry, Mode, Recipe, Store};
use imm_ir::{Content, Digest, Executable, HostFile, Value};
use imm_runtime::id::ObjectId;
use imm_runtime::provider::{Created, Ctx, Error, ErrorKind, Freed, Handle, Happened, Request, Result};
use serde::{Deserialize, Serialize};

use crate::disk;
use crate::home::{Home, private_dir};

use super::failure::permanent;
use super::inputs::{field, record, text, text_map, texts};
use super::{bound, handle};

/// What an object id became.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    format: u32,
    manifest: ContentDigest,
    size: u64,
    spec: String,
}

/// The image store and the notes about it.
#[derive(Debug)]
pub struct Images {
    home: Home,
    store: Arc<Store>,
    forgotten: Arc<Forgotten>,
    /// Where relative paths of bases begin.
    folder: Option<PathBuf>,
}

/// Notes that were removed by this process. A build goes on when whoever asked for it has stopped waiting: without this its note
/// would appear after its object was destroyed.
#[derive(Debug, Default)]
struct Forgotten(Mutex<BTreeSet<PathBuf>>);

impl Forgotten {
    /// Held while a note is written or removed.
    fn lock(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Images {
    pub fn open(home: &Home) -> std::result::Result<Self, imm_image::ImageError> {
        let store = Arc::new(Store::open(home.store())?);
        Ok(Self { home: home.clone(), store, forgotten: Arc::default(), folder: None })
    }

    /// Relative paths of bases begin in this folder.
    pub fn below(self, folder: PathBuf) -> Self {
        Self { folder: Some(folder), ..self }
    }

    /// Builds an image or a site, or finds it built.
    pub async fn create(&self, ctx: &Ctx, request: &Request) -> Result<Created> {
        let (recipe, from) = if &*request.kind == "site" {
            (super::site::recipe(request)?, None)
        } else {
            (recipe(request)?, foreign(request, self.folder.as_deref())?)
        };
        let store = Arc::clone(&self.store);
        let note_path = self.note_path(ctx, request.object);
        let spec = request.spec.to_string();
        let forgotten = Arc::clone(&self.forgotten);
        let built = tokio::task::spawn_blocking(move || {
            // Until the note is on disk, a collector would not know that the image is needed.
            let _hold = store.hold().map_err(|cause| failed(&cause))?;
            let mut recipe = recipe;
            if let Some(Taken { path, form, config }) = from {
                let base = store.import(&path, form, config).map_err(|cause| failed(&cause))?;
                recipe.base = Base::Node { manifest: base.manifest };
            }
            let built = store.build(&recipe, &|_| {}).map_err(|cause| failed(&cause))?;
            let note = Note { format: 1, manifest: built.manifest, size: built.size, spec };
            let gone = forgotten.lock();
            if gone.contains(&note_path) {
                return Err(too_late());
            }
            write(&note_path, &note).map_err(|cause| io_failed(&cause))?;
            Ok(note)
        });
        let note = built
            .await
            .unwrap_or_else(|cause| Err(permanent(format!("the image's build broke off: {cause}"), None)))?;
        Ok(created(&note))
    }

    /// What an object id became, if its image is in the store.
    pub fn find(&self, ctx: &Ctx, object: ObjectId) -> Result<Option<Created>> {
        let note: Option<Note> = disk::read_json(&self.note_path(ctx, object)).map_err(|cause| io_failed(&cause))?;
        Ok(note.filter(|note| self.store.contains(note.manifest)).map(|note| created(&note)))
    }

    /// Whether the image is in the store, whole.
    pub fn contains(&self, handle: &Handle) -> Result<bool> {
        Ok(self.store.contains(handle::image(handle)?))
    }

    /// Removes the note; the bytes are the collector's.
    pub fn forget(&self, ctx: &Ctx, object: ObjectId) -> Result<bool> {
        let path = self.note_path(ctx, object);
        let mut gone = self.forgotten.lock();
        let removed = fs::remove_file(&path);
        gone.insert(path);
        match removed {
            Ok(()) => Ok(false),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(cause) => Err(io_failed(&cause)),
        }
    }

    /// Removes the notes of this lineage that are not needed, and every image that no lineage of this home has a note of.
    pub async fn collect(&self, ctx: &Ctx, needed: &BTreeSet<ObjectId>) -> Result<Freed> {
        let (store, home) = (Arc::clone(&self.store), self.home.clone());
        let (own, needed) = (home.lineage(&ctx.lineage.to_string()).join("images"), needed.clone());
        let collected = tokio::task::spawn_blocking(move || {
            for (path, name) in notes(&own)? {
                let kept = Digest::from_hex(&name).is_none_or(|id| needed.contains(&ObjectId(id)));
                if !kept {
                    fs::remove_file(path)?;
                }
            }
            let mut reachable = BTreeSet::new();
            for lineage in read_dir(&home.root().join("lineages"))? {
                for (path, _) in notes(&lineage.join("images"))? {
                    reachable.extend(disk::read_json::<Note>(&path)?.map(|note| note.manifest));
                }
            }
            Ok::<_, io::Error>(store.collect(&reachable).map_err(|cause| failed(&cause)))
        });
        let collected = collected
            .await
            .unwrap_or_else(|cause| Err(io::Error::other(cause)))
            .map_err(|cause| io_failed(&cause))??;
        Ok(Freed { images: u64::try_from(collected.images).unwrap_or(u64::MAX), bytes: collected.bytes })
    }

    fn note_path(&self, ctx: &Ctx, object: ObjectId) -> PathBuf {
        self.home.lineage(&ctx.lineage.to_string()).join("images").join(object.to_string())
    }
}

/// What is in a folder; nothing when there is none.
fn read_dir(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(cause) => Err(cause),
    }
}

/// The notes in a folder, each with the id that it is about.
fn notes(folder: &Path) -> io::Result<Vec<(PathBuf, String)>> {
    let named = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.to_owned();
        // What is half-written has another name.
        Digest::from_hex(&name).map(|_| (path, name))
    };
    Ok(read_dir(folder)?.into_iter().filter_map(named).collect())
}

fn write(path: &Path, note: &Note) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        private_dir(dir)?;
    }
    disk::replace_json(path, note)
}

fn created(note: &Note) -> Created {
    let outputs = [
        ("id", Value::text(note.spec.as_str())),
        ("manifest", Value::text(note.manifest.to_string())),
        ("size", Value::Bytes(i64::try_from(note.size).unwrap_or(i64::MAX))),
    ];
    Created {
        handle: handle::of_image(note.manifest),
        outputs: outputs.into_iter().map(|(name, value)| (Arc::from(name), value)).collect(),
        tainted: None,
    }
}

fn failed(cause: &imm_image::ImageError) -> Error {
    permanent(cause.to_string(), None)
}

/// The object was destroyed while its image was being built.
fn too_late() -> Error {
    Error {
        kind: ErrorKind::Tombstone,
        ..permanent("the image was destroyed while it was being built; it is never made again".to_owned(), None)
    }
}

fn io_failed(cause: &io::Error) -> Error {
    Error { message: cause.to_string(), help: None, kind: ErrorKind::Transient, happened: Happened::Maybe }
}

/// The recipe of an image's inputs.
fn recipe(request: &Request) -> Result<Recipe> {
    let inputs = &request.inputs;
    let wrong = |cause: imm_image::ImageError| permanent(format!("{}: {cause}", request.address), None);
    let mut recipe = Recipe { base: base(request)?, cmd: texts(inputs, "cmd")?, ..Recipe::default() };
    recipe.env = text_map(inputs, "env")?;
    recipe.labels = text_map(inputs, "labels")?;
    if let Some(user) = text(inputs, "user")? {
        recipe.user = user;
    }
    if let Some(workdir) = text(inputs, "workdir")? {
        recipe.workdir = workdir;
    }
    if let Some(Value::List(ports)) = field(inputs, "ports") {
        recipe.ports = ports.iter().filter_map(|port| u16::try_from(port.as_int()?).ok()).collect();
    }
    if let Some(clock) = field(inputs, "clock").and_then(Value::as_int) {
        recipe.clock = u64::try_from(clock)
            .map_err(|_| permanent(format!("{}: `clock` is before 1970", request.address), None))?;
    }
    for (path, content) in files(request) {
        match content.reveal() {
            Value::Content(Content::Executable(executable)) => {
                add_executable(&mut recipe, path, executable).map_err(wrong)?;
            }
            content => add_files(&mut recipe, request, path, content)?,
        }
    }
    Ok(recipe)
}

/// What the program says under `files`, by path.
pub(super) fn files(request: &Request) -> Vec<(&str, &Value)> {
    match field(&request.inputs, "files") {
        Some(Value::Map(files)) => files.iter().map(|(path, content)| (path.as_str(), content)).collect(),
        Some(Value::Record(files)) => record(files),
        Some(_) | None => Vec::new(),
    }
}

/// Adds a file, or all files of a tree.
pub(super) fn add_files(recipe: &mut Recipe, request: &Request, path: &str, content: &Value) -> Result<()> {
    let wrong = |cause: imm_image::ImageError| permanent(format!("{}: {cause}", request.address), None);
    match content {
        Value::String(text) => recipe.add_file(path, Entry::bytes(text.as_bytes())).map_err(wrong),
        Value::Content(Content::Bytes(blob)) => recipe.add_file(path, entry(blob)).map_err(wrong),
        Value::Content(Content::Tree(tree)) => tree.iter().try_for_each(|(below, blob)| {
            let path = format!("{}/{below}", path.trim_end_matches('/'));
            recipe.add_file(&path, entry(blob)).map_err(wrong)
        }),
        other => {
            Err(permanent(format!("{}: {path} is {other:?}, which is no content of a file", request.address), None))
        }
    }
}

fn base(request: &Request) -> Result<Base> {
    match field(&request.inputs, "from") {
        None => Ok(Base::Scratch),
        Some(Value::Variant(tag, _)) if &**tag == "scratch" => Ok(Base::Scratch),
        Some(Value::Variant(tag, payload)) if &**tag == "node" => {
            let node = payload
                .get("image")
                .ok_or_else(|| permanent(format!("{}: `from` names no image", request.address), None))?;
            Ok(Base::Node { manifest: handle::image(&bound(request, node)?.handle)? })
        }
        // Taken in when it is built: see `foreign`.
        Some(Value::Variant(tag, _)) if matches!(&**tag, "layout" | "archive") => Ok(Base::Scratch),
        Some(other) => Err(permanent(
            format!("{}: `from = {other:?}` is not provided by platform host in this version", request.address),
            Some("use `scratch`, `node`, `layout` or `archive`".to_owned()),
        )),
    }
}

/// An image that others made, to be taken in as a base.
struct Taken {
    path: PathBuf,
    form: Form,
    config: ContentDigest,
}

fn foreign(request: &Request, folder: Option<&Path>) -> Result<Option<Taken>> {
    let Some(Value::Variant(tag, payload)) = field(&request.inputs, "from") else { return Ok(None) };
    let form = match &**tag {
        "layout" => Form::Layout,
        "archive" => Form::Archive,
        _other => return Ok(None),
    };
    let Some(Value::Content(Content::Image(image))) = payload.get("image") else {
        return Err(permanent(format!("{}: there is no image at `from`", request.address), None));
    };
    let config = ContentDigest::from_bytes(image.digest.0);
    let path = Path::new(&*image.path);
    let path = match folder {
        Some(folder) => folder.join(path),
        None if path.is_absolute() => path.to_owned(),
        None => {
            let text = format!("{}: `{}` is relative, and nothing says to what", request.address, path.display());
            return Err(permanent(text, Some("run imm in the folder of the module".to_owned())));
        }
    };
    Ok(Some(Taken { path, form, config }))
}

fn entry(blob: &imm_ir::Blob) -> Entry {
    let mode = if blob.executable { Mode::Executable } else { Mode::Plain };
    Entry::Bytes { bytes: Arc::clone(&blob.bytes), mode }
}

/// The program at its place, and interpreter and libraries where the compiler found that its loader looks for them.
fn add_executable(recipe: &mut Recipe, path: &str, executable: &Executable) -> imm_image::Result<()> {
    let host = |file: &HostFile| Entry::Host {
        source: PathBuf::from(&*file.path),
        digest: file.digest.0,
        size: file.size,
        mode: Mode::Executable,
    };
    place(&mut recipe.programs, path, host(&executable.program))?;
    for (at, file) in &executable.closure {
        place(&mut recipe.dependencies, at, host(file))?;
    }
    Ok(())
}

/// Programs share libraries: equal ones merge.
fn place(tier: &mut BTreeMap<String, Entry>, path: &str, entry: Entry) -> imm_image::Result<()> {
    if let Some(there) = tier.get(path)
        && there.digest() != entry.digest()
    {
        let (first, second) = (format!("{} bytes", there.size()), format!("{} bytes", entry.size()));
        return Err(imm_image::ImageError::Duplicate { path: path.to_owned(), first, second });
    }
    tier.insert(path.to_owned(), entry);
    Ok(())
}

#[cfg(test)]
mod tests {
    use imm_ir::{Addr, Digest, Fields, Key};
    use imm_runtime::id::Lineage;

    use super::*;

    fn request(inputs: Fields<Value>) -> Request {
        Request {
            object: ObjectId(Digest([1; 32])),
            address: Addr::root("app"),
            kind: Arc::from("image"),
            spec: Digest([2; 32]),
            inputs,
            bound: BTreeMap::new(),
            dormant: false,
        }
    }

    fn greeting(text: &str) -> Request {
        let files = Value::Map(BTreeMap::from([(Key::from("/greeting"), Value::text(text))]));
        let cmd = Value::List(vec![Value::text("/bin/true")]);
        request(Fields::from([(Arc::from("files"), files), (Arc::from("cmd"), cmd)]))
    }

    #[tokio::test]
    async fn an_image_is_built_once_found_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let images = Images::open(&Home::at(dir.path()).unwrap()).unwrap();
        let ctx =
            Ctx { lineage: Lineage([3; 16]), fence: 1, generation: 1, timeout: std::time::Duration::from_secs(5) };
        let request = greeting("hi");
        assert_eq!(images.find(&ctx, request.object).unwrap(), None);
        let created = images.create(&ctx, &request).await.unwrap();
        assert_eq!(images.create(&ctx, &request).await.unwrap(), created);
        assert_eq!(images.find(&ctx, request.object).unwrap(), Some(created.clone()));
        assert!(images.contains(&created.handle).unwrap());
        let other = images.create(&ctx, &greeting("hello")).await.unwrap();
        assert_ne!(other.handle, created.handle);
        assert!(!images.forget(&ctx, request.object).unwrap());
        assert!(images.forget(&ctx, request.object).unwrap());
    }

    #[tokio::test]
    async fn what_no_lineage_needs_is_collected_and_what_another_one_has_stays() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path()).unwrap();
        let images = Images::open(&home).unwrap();
        let timeout = std::time::Duration::from_secs(5);
        let ctx = Ctx { lineage: Lineage([3; 16]), fence: 1, generation: 1, timeout };
        let other = Ctx { lineage: Lineage([4; 16]), ..ctx.clone() };
        let named = |byte, text: &str| Request { object: ObjectId(Digest([byte; 32])), ..greeting(text) };
        let kept = images.create(&ctx, &named(1, "kept")).await.unwrap();
        let shared = images.create(&ctx, &named(2, "shared")).await.unwrap();
        let gone = images.create(&ctx, &named(3, "gone")).await.unwrap();
        images.create(&other, &named(2, "shared")).await.unwrap();
        let freed = images.collect(&ctx, &BTreeSet::from([ObjectId(Digest([1; 32]))])).await.unwrap();
        assert!(freed.images == 1 && freed.bytes > 0, "{freed:?}");
        let there = [&kept, &shared, &gone].map(|image| images.contains(&image.handle).unwrap());
        assert_eq!(there, [true, true, false]);
        // It can be made again, under its old id.
        assert_eq!(images.create(&ctx, &named(3, "gone")).await.unwrap(), gone);
    }

    #[test]
    fn a_base_that_was_not_there_is_said() {
        let layout = Value::Variant(Arc::from("layout"), Fields::from([(Arc::from("path"), Value::text("dist/app"))]));
        let cause = foreign(&request(Fields::from([(Arc::from("from"), layout)])), None).map(drop).unwrap_err();
        assert!(cause.message.contains("no image at `from`"), "{cause}");
    }

    #[test]
    fn a_base_lies_below_the_module() {
        let based = |path: &str| {
            let file = HostFile { path: Arc::from(path), digest: Digest([7; 32]), size: 1 };
            let payload = [
                (Arc::from("path"), Value::text(path)),
                (Arc::from("image"), Value::Content(Content::Image(Box::new(file)))),
            ];
            request(Fields::from([(Arc::from("from"), Value::Variant(Arc::from("layout"), Fields::from(payload)))]))
        };
        let found = |path: &str, folder| foreign(&based(path), folder).map(|taken| taken.unwrap().path);
        assert_eq!(found("dist/app", Some(Path::new("/m"))).unwrap(), Path::new("/m/dist/app"));
        assert_eq!(found("/dist/app", Some(Path::new("/m"))).unwrap(), Path::new("/dist/app"));
        assert_eq!(found("/dist/app", None).unwrap(), Path::new("/dist/app"));
        assert!(found("dist/app", None).unwrap_err().message.contains("is relative"));
    }
}
