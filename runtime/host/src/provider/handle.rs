//! What this platform names its objects by: `1 ID`, for images and sites `1 MANIFEST`, for endpoints `1 URL`.

use std::path::PathBuf;

use imm_image::ContentDigest;
use imm_runtime::id::ObjectId;
use imm_runtime::provider::{Handle, Result};

use crate::api::Answers;

use super::failure::permanent;

const VERSION: &str = "1";

/// For an object of the agent.
pub fn of_object(object: ObjectId) -> Handle {
    Handle(format!("{VERSION} {object}").into_bytes())
}

/// For an image.
pub fn of_image(manifest: ContentDigest) -> Handle {
    Handle(format!("{VERSION} {manifest}").into_bytes())
}

/// For a server elsewhere.
pub fn of_endpoint(url: &str) -> Handle {
    Handle(format!("{VERSION} {url}").into_bytes())
}

/// For a copy of a volume: where it is.
pub fn of_snapshot(path: &str) -> Handle {
    Handle(format!("{VERSION} {path}").into_bytes())
}

/// Where a copy was put, by its handle.
#[must_use]
pub fn copied_to(handle: &Handle) -> Option<PathBuf> {
    let text = std::str::from_utf8(&handle.0).ok()?;
    Some(PathBuf::from(text.strip_prefix(&format!("{VERSION} "))?))
}

/// What answers when a route leads to the object of this handle.
pub fn answers(handle: &Handle) -> Answers {
    let text = String::from_utf8_lossy(&handle.0);
    match text.split_once(' ') {
        Some((VERSION, manifest)) if manifest.parse::<ContentDigest>().is_ok() => Answers::Site(manifest.to_owned()),
        Some((VERSION, url)) if url.contains("://") => Answers::Elsewhere(url.to_owned()),
        Some(_) | None => Answers::Container,
    }
}

/// The URL that the handle of an endpoint names.
pub fn url(handle: &Handle) -> Result<String> {
    match answers(handle) {
        Answers::Elsewhere(url) => Ok(url),
        Answers::Container | Answers::Site(_) => {
            let text = String::from_utf8_lossy(&handle.0);
            Err(permanent(format!("{text:?} is no handle of an endpoint of this version of platform host"), None))
        }
    }
}

/// The image that a handle names.
pub fn image(handle: &Handle) -> Result<ContentDigest> {
    let text = String::from_utf8_lossy(&handle.0);
    let found = text.split_once(' ').filter(|(version, _)| *version == VERSION).and_then(|(_, rest)| rest.parse().ok());
    found.ok_or_else(|| permanent(format!("{text:?} is no handle of an image of this version of platform host"), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_found_in_its_handle() {
        let manifest = ContentDigest::from_bytes([7; 32]);
        assert_eq!(image(&of_image(manifest)), Ok(manifest));
        assert!(image(&of_object(ObjectId(imm_ir::Digest([1; 32])))).is_err());
        assert!(image(&Handle(b"2 sha256:00".to_vec())).is_err());
    }

    #[test]
    fn a_handle_tells_what_answers() {
        let manifest = ContentDigest::from_bytes([7; 32]);
        assert_eq!(answers(&of_image(manifest)), Answers::Site(manifest.to_string()));
        assert_eq!(answers(&of_object(ObjectId(imm_ir::Digest([1; 32])))), Answers::Container);
        assert_eq!(answers(&of_endpoint("http://a")), Answers::Elsewhere("http://a".to_owned()));
        assert_eq!(url(&of_endpoint("http://a:1/b")), Ok("http://a:1/b".to_owned()));
        assert!(url(&of_image(manifest)).is_err());
    }
}
