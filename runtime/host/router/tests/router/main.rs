//! The router in this process, against clients and targets that are written here: byte by byte where it is about bytes.
#![expect(clippy::unwrap_used, reason = "clippy knows test functions, not the functions that they call")]

mod encrypted;
mod places;
mod ports_and_routes;
mod raw;
mod slow;
mod static_files;
mod steering;
mod support;
mod switching;
mod wire_cases;
