//! A second copy of a message without a body, in case that it has to be sent again.
//!
//! Nearly none has: making the copy costs less than making a second map of fields would.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri};

use crate::body::UploadBody;

/// A message of these parts.
pub(crate) fn message(method: Method, uri: Uri, headers: HeaderMap, body: UploadBody) -> Request<UploadBody> {
    let mut message = Request::new(body);
    *message.method_mut() = method;
    *message.uri_mut() = uri;
    *message.headers_mut() = headers;
    message
}

/// What is needed to make the message again. `name:value` are its fields, each ended by a line feed, which neither part can have.
#[derive(Debug)]
pub(crate) struct Spare {
    method: Method,
    uri: Uri,
    fields: Vec<u8>,
}

impl Spare {
    pub(crate) fn of(message: &Request<UploadBody>) -> Self {
        let mut fields = Vec::with_capacity(512);
        for (name, value) in message.headers() {
            for part in [name.as_str().as_bytes(), b":", value.as_bytes(), b"\n"] {
                fields.extend_from_slice(part);
            }
        }
        Self { method: message.method().clone(), uri: message.uri().clone(), fields }
    }

    pub(crate) fn message(self) -> Request<UploadBody> {
        let mut headers = HeaderMap::new();
        for field in self.fields.split(|byte| *byte == b'\n') {
            let (name, value) = field.split_at(memchr::memchr(b':', field).unwrap_or(field.len()));
            if let (Ok(name), Some(Ok(value))) =
                (HeaderName::from_bytes(name), value.get(1..).map(HeaderValue::from_bytes))
            {
                headers.append(name, value);
            }
        }
        message(self.method, self.uri, headers, UploadBody(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_copy_says_what_the_message_said(
            uri in "/[a-z?=&/]{0,20}",
            fields in prop::collection::vec(("[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,12}", "([!-~\u{80}-\u{ff}]([ -~\t:]{0,20}[!-~])?)?"), 0..12),
        ) {
            let mut headers = HeaderMap::new();
            for (name, value) in &fields {
                headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            let first = message(Method::PUT, Uri::try_from(uri).unwrap(), headers, UploadBody(None));
            let copy = Spare::of(&first).message();
            prop_assert_eq!(copy.method(), first.method());
            prop_assert_eq!(copy.uri(), first.uri());
            prop_assert_eq!(copy.headers(), first.headers());
        }
    }
}
