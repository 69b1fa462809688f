//! `site`: its inputs as the recipe of an image without a program. See [`crate::site`].

use imm_image::{Entry, Mode, Recipe};
use imm_ir::{Content, Value};
use imm_runtime::provider::{Request, Result};

use crate::site::{self, Rules};

use super::failure::permanent;
use super::image::{add_files, files};
use super::inputs::{text, text_map};

/// The recipe of a site's inputs. What cannot be served is said here, before anything is made.
pub fn recipe(request: &Request) -> Result<Recipe> {
    let inputs = &request.inputs;
    let wrong = |said: String, help: &str| permanent(format!("{}: {said}", request.address), Some(help.to_owned()));
    let rules = Rules {
        index: text(inputs, "index")?.unwrap_or_else(|| "index.html".to_owned()),
        not_found: text(inputs, "not_found")?,
        headers: text_map(inputs, "headers")?,
    };
    if rules.index.is_empty() || rules.index.contains('/') {
        return Err(wrong(format!("`index` is {:?}", rules.index), "write a file's name, for example `index.html`"));
    }
    for (name, value) in &rules.headers {
        if http::HeaderName::try_from(name).is_err() || http::HeaderValue::try_from(value).is_err() {
            return Err(wrong(
                format!("`headers` has {name:?} = {value:?}, which cannot be sent"),
                "see RFC 9110, section 5",
            ));
        }
    }
    let mut recipe = Recipe {
        labels: site::labels(&rules).map_err(|cause| permanent(cause.to_string(), None))?,
        ..Recipe::default()
    };
    for (path, content) in files(request) {
        let place = site::place(path);
        match content.reveal() {
            // To be downloaded, not run: its libraries stay.
            Value::Content(Content::Executable(executable)) => {
                let program = &executable.program;
                let entry = Entry::Host {
                    source: std::path::PathBuf::from(&*program.path),
                    digest: program.digest.0,
                    size: program.size,
                    mode: Mode::Plain,
                };
                recipe
                    .add_file(&place, entry)
                    .map_err(|cause| permanent(format!("{}: {cause}", request.address), None))?;
            }
            content => add_files(&mut recipe, request, &place, content)?,
        }
    }
    if recipe.files.is_empty() {
        return Err(wrong("`files` is empty".to_owned(), "a site serves at least one file"));
    }
    Ok(recipe)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use imm_ir::{Addr, Digest, Fields, Key};
    use imm_runtime::id::ObjectId;

    use super::*;

    fn request(paths: &[&str], more: &[(&str, Value)]) -> Request {
        let files = paths.iter().map(|path| (Key::from(*path), Value::text("x"))).collect();
        let mut inputs = Fields::from([(Arc::from("files"), Value::Map(files))]);
        inputs.extend(more.iter().map(|(name, value)| (Arc::from(*name), value.clone())));
        Request {
            object: ObjectId(Digest([1; 32])),
            address: Addr::root("docs"),
            kind: Arc::from("site"),
            spec: Digest([2; 32]),
            inputs,
            bound: BTreeMap::new(),
            dormant: false,
        }
    }

    #[test]
    fn files_lie_apart_and_the_digest_covers_the_rules() {
        let plain = recipe(&request(&["/index.html", "dev/x.html"], &[])).unwrap();
        assert_eq!(plain.files.keys().collect::<Vec<_>>(), ["/site/dev/x.html", "/site/index.html"]);
        let with = |name: &str, value: &str| {
            recipe(&request(&["/index.html", "dev/x.html"], &[(name, Value::text(value))])).unwrap().digest()
        };
        assert_ne!(with("index", "home.html"), plain.digest());
        assert_ne!(with("not_found", "/index.html"), plain.digest());
        assert_eq!(with("index", "index.html"), plain.digest());
    }

    #[test]
    fn what_cannot_be_served_is_said() {
        let said = |paths: &[&str], more: &[(&str, Value)]| recipe(&request(paths, more)).unwrap_err().message;
        assert_eq!(said(&[], &[]), "docs: `files` is empty");
        assert!(said(&["/a"], &[("index", Value::text("a/b"))]).contains("`index`"));
        let headers = Value::Map(BTreeMap::from([(Key::from("a b"), Value::text("c"))]));
        assert!(said(&["/a"], &[("headers", headers)]).contains("cannot be sent"));
        assert!(said(&["/a/../b"], &[]).contains("not allowed"));
    }
}
