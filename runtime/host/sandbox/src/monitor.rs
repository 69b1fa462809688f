//! The monitor.
/// Body of the hidden subcommand.
#[must_use]
pub fn monitor_main(dir: &std::path::Path) -> i32 {
    i32::from(crate::record::read_request(dir).is_err())
}
