//! What this platform names its objects by: `1 ID`, and for images `1 MANIFEST`.

use imm_image::ContentDigest;
use imm_runtime::id::ObjectId;
use imm_runtime::provider::{Handle, Result};

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
}
