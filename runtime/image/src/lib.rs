//! OCI images from content, the same bytes everywhere.
